"""Edits of queries, templates, documents and format strings are total, repeatable, and what their names say."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st

from overproof.redteam.mutate import MUTATORS

DOMAINS = ("format_string", "jndi", "ldap", "nosql", "ssi", "template", "xml", "xpath")
EDITS = [(domain, name) for domain in DOMAINS for name in sorted(MUTATORS[domain])]
PIECES = st.sampled_from(
    r"""' " ( ) [ ] { } < > <? ?> , ; : :: = != == && || | & ! * % $ # @ ~ . .. / // /* */ -- - \ \\ ` 1 07 3.5 x
    *)(uid=*))(|(cn= \2a (&( {"$gt": ""} {$ne: [$ne]=1 $where: '1==1' return true this.name.match( /.*/ \u0061
    or and count( string-length( 'a' ''=' "b" //user /child::*
    {{ }} {% %} {{7*7}} {# #} {{-  ${ #{ <% %> <# {php} __class__ request |attr( | set if endif
    ${jndi: ldap:// ${lower:j} :-j} <!--# exec cmd="ls" --> echo var= <!-- --> printenv
    <!DOCTYPE foo [ <!ENTITY xxe SYSTEM "file:///a" &xxe; ]> <foo> </foo> <![CDATA[ ]]> <?xml version="1.0"?>
    %x %n %08x %s %2$s %% %*d %.5s %-""".split()
)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.lists(PIECES, max_size=10).map(" ".join),
    st.lists(PIECES, max_size=10).map("".join),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "L"]), max_size=10),
)


@pytest.mark.parametrize(("domain", "name"), EDITS)
def test_every_edit_is_total_and_repeatable(total_and_repeatable: Any, domain: str, name: str) -> None:
    total_and_repeatable(MUTATORS[domain][name], TEXTS)


@pytest.mark.parametrize(("domain", "name"), EDITS)
def test_a_text_without_a_place_is_left_alone(domain: str, name: str) -> None:
    for text in ("", "garden", "a summer's day", "price 5 < 7"):
        assert MUTATORS[domain][name](text, Random(1)) is None


W = r"[a-z]+(?: [a-z]+)*"  # words
S = r"[ \t\n]+"

EXAMPLES = [
    ("format_string", "words after a conversion", "%x%x", rf"%x\W+(?:100%% )?{W} %x|%x%x\W+(?:100%% )?{W} "),
    ("format_string", "words at the end", "%x%n", rf"%x%n\W+{W}"),
    ("format_string", "words in front", "%s", rf"{W}\W+%s"),
    ("format_string", "wider field", "%x", r"%[0-]?\d+x"),
    ("format_string", "another flag", "%d", r"%[+ ]d"),
    ("format_string", "twin conversion", "%d%d", r"%i%d|%d%i"),
    ("format_string", "numbered arguments", "%x %%%08x", r"%1\$x %%%2\$08x"),
    ("jndi", "letter by lower", "${jndi:a}", r"\$\{[jndi:a]*\$\{lower:[jndiaJNDIA]\}[jndi:a]*\}"),
    ("jndi", "letter by upper", "${jndi:a}", r"\$\{j?n?d?i?\$\{upper:[jndiJNDI]\}j?n?d?i?:a\}"),
    ("jndi", "letter as a default", "${jndi:a}", r"\$\{[jndi:a]*\$\{:+-[jndia]\}[jndi:a]*\}"),
    ("jndi", "letter as the default of an unknown variable", "${jndi:a}", r".*\$\{env:[A-Z_]+:-[jndia]\}.*"),
    ("jndi", "letter as the default of an unknown property", "${jndi:a}", r".*\$\{sys:app[a-z.]+:-[jndia]\}.*"),
    ("jndi", "letter as the default of an unknown look-up", "${jndi:a}", r".*\$\{[a-z]+:[a-z.]+:-[jndia]\}.*"),
    ("jndi", "words in front", "${jndi:a}", rf"{W}\W+\$\{{jndi:a\}}"),
    ("jndi", "words behind", "${jndi:a}", rf"\$\{{jndi:a\}}\W+{W}"),
    ("ldap", "white space between filters", "*)(uid=*", r"\*\)[ \t]+\(uid=\*"),
    ("ldap", "attribute in another case", "*)(uid=*", r"(?i:\*\)\(uid=\*)"),
    ("ldap", "attribute by another name", "*)(uid=*", r"\*\)\((?:0\.9\.2342\.19200300\.100\.1\.1|userid)=\*"),
    ("ldap", "escaped letter", "a*)(uid=b", r"\\61\*\)\(uid=b|a\*\)\(uid=\\62"),
    ("ldap", "words that are absorbed", "*)(cn=a)", rf"\*\)\([|&]\(cn=a\)\([|&].*\([a-zA-Z]+={W}\).*\)\)"),
    ("ldap", "filter written twice", "*)(cn=a)", r"\*\)\([|&]\(cn=a\)\(cn=a\)\)"),
    ("ldap", "filter denied twice", "*)(cn=a)", r"\*\)\(!\(!\(cn=a\)\)\)"),
    ("ldap", "filter of words", "*)(|(cn=a", rf"\*\)\(\|\(&(\([a-zA-Z]+={W}\))\(!\1\)\)\(cn=a"),
    ("nosql", "white space in JSON", '{"$gt":""}', rf'{{(?:{S})?"\$gt"(?:{S})?:(?:{S})?""(?:{S})?}}(?:{S})?'),
    ("nosql", "earlier key of the same name", '{"$gt":""}', rf'{{"\$gt": "{W}", "\$gt":""}}'),
    ("nosql", "unicode escape in JSON", '{"$gt":""}', r'\{"(?:\\u0024gt|\$\\u0067t|\$g\\u0074)":""\}'),
    ("nosql", "percent escape in a bracket parameter", "[$ne]=1", r"(?:[\[\]$ne=1]|%[0-9a-fA-F]{2})+"),
    ("nosql", "another parameter", "[$ne]=1", r"\[\$ne\]=1&[a-z]+=[a-z+]+"),
    ("nosql", "white space", "'||1==1", r"'[ \t]+\|\|1==1|'\|\|[ \t]+1==1|'\|\|1[ \t]+==1|'\|\|1==[ \t]*1[ \t]*"),
    ("nosql", "comment with words", "'||1", rf"'(?: /\* {W} \*/ )?\|\|(?: /\* {W} \*/ )?1(?: /\* {W} \*/ )?"),
    ("nosql", "words in a line comment", "'||1//", rf"'\|\|1// {W}"),
    ("nosql", "statement of words", "';return 1", rf"';(?:'{W}'|\"{W}\");return 1"),
    ("nosql", "number written otherwise", "'||2==x", r"'\|\|(?:0x2|0o2|2\.0|2e0)==x"),
    ("nosql", "true written otherwise", "';return true", r"';return !(?:0|!1)"),
    ("nosql", "member by its name", "'||this.name", r"'\|\|this\[(['\"])name\1\]"),
    ("nosql", "escaped letter of a member", "'||this.id", r"'\|\|this\.(?:\\u0069d|i\\u0064)"),
    ("nosql", "escaped letter of a string", "||'a'==x", r"\|\|'(?:\\u0061|\\x61)'==x"),
    ("nosql", "other quotes", "||'a'==x", r"\|\|\"a\"==x"),
    ("nosql", "comment inside $where", "$where: '1'", rf"\$where: '(?:/\* {W} \*/ 1|1 /\* {W} \*/)'"),
    ("ssi", "words around", "<!--#printenv -->", rf"{W} <!--#printenv -->|<!--#printenv --> {W}"),
    ("ssi", "element with words around", "<!--#printenv -->", rf"(.* )?<([a-z0-9]+)>{W}</\2>( .*)?"),
    ("ssi", "comment around", "<!--#printenv -->", rf"(.* )?<!-- {W} -->( .*)?"),
    (
        "ssi",
        "variable that nobody reads",
        '<!--#exec cmd="ls"-->',
        rf'(.* )?<!--#set var="[a-z]+" value="{W}" -->( .*)?',
    ),
    ("ssi", "directive in another case", '<!--#exec cmd="ls"-->', r'<!--#(?i:exec) cmd="ls"-->'),
    ("ssi", "argument in another case", '<!--#exec cmd="ls"-->', r'<!--#exec (?i:cmd)="ls"-->'),
    ("ssi", "white space in a directive", '<!--#exec cmd="ls"-->', r'<!--#exec\s+cmd\s*=\s*"ls"-->'),
    ("ssi", "white space at a directive's end", '<!--#exec cmd="ls"-->', r'<!--#exec cmd="ls"[ \t]+-->'),
    ("ssi", "other quotes", '<!--#exec cmd="ls"-->', r"<!--#exec cmd=(['`])ls\1-->"),
    ("template", "words around", "${7*7}", rf"{W} \$\{{7\*7\}}|\$\{{7\*7\}} {W}"),
    ("template", "comment around", "{{7*7}}", rf"(.* )?\{{# {W} #\}}( .*)?"),
    ("template", "variable that nobody reads", "{{7}}", rf"(.* )?\{{% set garden_[a-z]+ = (['\"]){W}\2 %\}}( .*)?"),
    ("template", "branch that is never taken", "{{7}}", rf"(.* )?\{{% if false %\}}{W}\{{% endif %\}}( .*)?"),
    ("template", "printed words around", "{{7}}", rf"(.* )?\{{\{{ (['\"]){W}\2 \}}\}}( .*)?"),
    ("template", "white space at an edge", "${7*7}", r"\$\{(?:[ \t]+7\*7|7\*7[ \t]+)\}"),
    ("template", "white space at an end", "<%= 7 %>", r"<%= 7 [ \t]+%>"),
    ("template", "white space between tokens", "${f(1)}", r"\$\{f[ \t]*\([ \t]*1[ \t]*\)\}"),
    ("template", "cut white space around", "{{7}}", r"\{\{(?:-7|7 -|-7 -)\}\}"),
    ("template", "attribute as an item", "{{x.__class__}}", r"\{\{x\[(['\"])__class__\1\]\}\}"),
    ("template", "item as an attribute", "{{x['__class__']}}", r"\{\{x\.__class__\}\}"),
    ("template", "attribute by a filter", "{{x.__class__}}", r"\{\{ \(x\|attr\((['\"])__class__\1\)\)\}\}"),
    ("template", "string in two", "{{self['os']}}", r"\{\{self\['o' ?(['\"])s\1\]\}\}"),
    ("template", "escaped letter", "{{self['os']}}", r"\{\{self\['(?:\\(?:x|u00)6fs|o\\(?:x|u00)73)'\]\}\}"),
    ("template", "number as a sum", "{{7*x}}", rf"\{{\{{\((?:\d+\+?\d*-\d+|'{W}'\|length [+-] \d+)\)\*x\}}\}}"),
    ("template", "item of a list of words", "{{7*7}}", rf"\{{\{{ \[(['\"]){W}\1, \(7\*7\)\]\[1\] \}}\}}"),
    (
        "template",
        "item of a list of words (Mako)",
        "${self.x}",
        rf"\$\{{\[(?:(['\"]){W}\1, \(self\.x\)\]\[1\]|\(self\.x\), (['\"]){W}\2\]\[0\])\}}",
    ),
    ("template", "attribute by its name (Mako)", "${self.x.y}", r"\$\{getattr\(self(?:, (.)x\1\)\.y|\.x, (.)y\2\))\}"),
    ("template", "string in two (Mako)", "${self.x('id')}", r"\$\{self\.x\('i' ?(['\"])d\1\)\}"),
    ("template", "escaped letter (Mako)", "${self.x('id')}", r"\$\{self\.x\('(?:\\(?:x|u00)69d|i\\(?:x|u00)64)'\)\}"),
    ("template", "comment around (Mako)", "${self.x}", rf"(.* )?<%doc>{W}</%doc>( .*)?"),
    ("xml", "comment with words", "<r><a/></r>", rf"<r>(.*)<!-- {W} -->(.*)|<r><a/></r><!-- {W} -->"),
    ("xml", "instruction with words", "<r/>", rf"<r/><\?[a-z]+ {W}\?>"),
    ("xml", "declaration that nobody uses", "<!DOCTYPE r []>", r"<!DOCTYPE r \[<!E(?:LEMENT|NTITY) [a-z]+ .*>\]>"),
    ("xml", "white space in markup", '<r a="b c"/>', rf'<r{S} ?a="b c"/>'),
    ("xml", "white space before a bracket's end", "<r/>", rf"<r{S}/>"),
    ("xml", "other quotes", '<r a="b"/>', r"<r a='b'/>"),
    ("xml", "attribute with words", "<r/>", rf'<r [a-z]+="{W}"/>'),
    ("xml", "entity renamed", "<!DOCTYPE r [<!ENTITY x 'y'>]><r>&x;</r>", r".*<!ENTITY ([a-z]+) 'y'>\]><r>&\1;</r>"),
    ("xml", "element renamed", "<foo><bar/></foo>", r"<([a-z]+)><(bar|[a-z]+)/></\1>"),
    ("xml", "declaration of XML", "<r/>", r"<\?xml version=.1\.0..*\?><r/>"),
    ("xml", "character reference", "<r>a</r>", r"<r>&#(?:97|x61|x0061);</r>"),
    ("xpath", "white space", "' or 1=1", rf"'(?:{S})or(?:{S})1(?:{S})?=(?:{S})?1(?:{S})?"),
    ("xpath", "condition of words that holds", "' or 1=1", r"' or .*(?:=|contains|starts-with).* and  1=1"),
    ("xpath", "condition of words that does not hold", "' or 1=1", r"' or not\(.*\) or  1=1"),
    ("xpath", "number by the length of words", "' or 7", rf"' or (?:07|7\.0|\(string-length\((.){W}\1\) ?[+-] ?\d+\))"),
    ("xpath", "string out of words", "' or ''='a' or '", r"' or .*(?:substring-(?:before|after)|concat)\(.*\).* or '"),
    ("xpath", "other quotes", "' or 'a'=b or '", r"' or \"a\"=b or '"),
    ("xpath", "axis spelled out", "'] | //a[@b", r"'\] \| (?:/descendant-or-self::node\(\)/a\[@b|//a\[attribute::b)"),
]


def test_every_edit_has_an_example() -> None:
    assert {(domain, name) for domain, name, _, _ in EXAMPLES} == set(EDITS)


@pytest.mark.parametrize(("domain", "name", "text", "pattern"), EXAMPLES)
def test_an_edit_is_what_its_name_says(domain: str, name: str, text: str, pattern: str) -> None:
    made = {MUTATORS[domain][name](text, Random(seed)) for seed in range(60)} - {None, text}
    assert made
    assert [edited for edited in made if not re.fullmatch(pattern, str(edited), re.DOTALL)] == []


@pytest.mark.parametrize(
    ("domain", "name", "text"),
    [
        ("format_string", "words after a conversion", "%x%n"),  # more is printed, so %n writes another number
        ("format_string", "words in front", "%x%n"),
        ("format_string", "numbered arguments", "%1$x"),
        ("ldap", "escaped letter", "*)(*"),  # an escaped star is a letter
        ("nosql", "comment with words", '{"$gt": ""}'),  # JSON has no comments
        ("nosql", "member by its name", "'.name'"),
        ("nosql", "true written otherwise", "{true: 1, $a: x}"),
        ("ssi", "words around", '<!--#exec cmd="ls>'),
        ("template", "attribute as an item", "{{'x.__class__'}}"),
        ("template", "cut white space around", "{{-7}}"),
        ("xml", "entity renamed", '<!DOCTYPE r [<!ENTITY % x SYSTEM "a"><!ENTITY y "b">]><r/>'),
        ("xml", "element renamed", "<svg/>"),
        ("xml", "declaration of XML", '<?xml version="1.0" standalone="yes"?><r/>'),
        ("xpath", "axis spelled out", "' or 'a//b'='a//b"),
    ],
)
def test_where_an_edit_would_change_something_it_has_no_place(domain: str, name: str, text: str) -> None:
    assert {MUTATORS[domain][name](text, Random(seed)) for seed in range(60)} == {None}
