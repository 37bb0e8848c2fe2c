"""What shows nothing when it is run is proved by parsing: where both read the same, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.redteam.oracle import ORACLES

CALL = '<?xml version="1.0"?><methodCall><methodName>demo.sayHello</methodName><params></params></methodCall>'
UNDECLARED = '<!DOCTYPE foo [<!ELEMENT foo ANY><!ENTITY xxe SYSTEM "file:///etc/passwd">]><foo>&xee;</foo>'
UNUSED = '<!DOCTYPE xxe [<!ENTITY foo "aaaaaa">]>'
UNENDED = '<!DOCTYPE c [ <!ENTITY e SYSTEM "../boot.ini" ]> <c> <t>&e;</t>; </c>'
FIELD = '"<?xml version=""1.0""?><!DOCTYPE foo [<!ENTITY xxe SYSTEM ""file:///a"">]><foo>&xxe;</foo>"'
DOUBLED = "".join(f"<!ENTITY {inner} '{f'&{outer};' * 10}'>" for outer, inner in pairwise("abcdefghi"))
BOMB = f"<!DOCTYPE x [<!ENTITY a 'lol'>{DOUBLED}]><x>&i;</x>"
LEAVES_SCRIPT = "}}</script><script>alert(1);</script></body></html><!--"
ODD_HOST = "http:XY>.7d8T\\205pZM@472.314.470.462"
MIXED = "%#0123456x%08x%x%n%h%l%q%j%z%Z%t%i%e%g%C%S%08x%%"
IN_A_VALUE = "x' or name()='username' or 'x'='ys"
COUNTED = "' and count(/comment())=1 and '1'='1"

SAME = [
    ("xml", "<foo>a</foo>", "<foo >&#x61;</foo>"),
    ("xml", CALL, CALL.replace("<params>", "<!-- garden --><params\n><?summer reader?>")),
    ("xml", CALL, CALL.replace('"1.0"', "'1.0' encoding='us-ascii' standalone='no' ")),
    ("xml", CALL, CALL.replace("<methodName>", '<methodName garden="summer reader">')),
    ("xml", UNUSED, f"<?xml version='1.0'?>{UNUSED}".replace('"aaaaaa"', "'aaaaaa'\t")),
    ("xml", UNUSED, UNUSED.replace("]", '<!ELEMENT garden ANY><!ENTITY summer "office reader">]')),
    ("xml", UNDECLARED, UNDECLARED.replace('SYSTEM "', 'SYSTEM\n"').replace("<foo>", "<foo ><!-- garden -->")),
    ("xml", UNENDED, UNENDED.replace("<t>", "<t><?garden summer?>")),
    ("xml", LEAVES_SCRIPT, LEAVES_SCRIPT.replace("</body>", "<!-- garden --></body >")),
    ("xml", BOMB, BOMB.replace("<x>", "<x\n><!-- garden -->").replace("'lol'", '"lol"')),
    ("xml", "\"}}</script>'", "\"}}</script\t><!-- garden -->'"),
    ("xml", FIELD, FIELD.replace("<!ENTITY", "<!-- garden --><!ENTITY").replace("SYSTEM", "SYSTEM  ")),
    ("format_string", "%*$*p", "%*$*p - garden, summer"),
    ("format_string", "%@", "%@: garden"),
    ("format_string", "%.16705u%2\\$hn", "%.16705u%2\\$hn garden"),
    ("format_string", MIXED, f"{MIXED} garden"),
    ("ldap", "(*)*)", "(*)*)\t "),
    ("ldap", IN_A_VALUE, "x' or \\6Eame()='user\\6eame' or 'x'='y\\73"),
    ("ldap", "\\21(a)", "!(\\61)"),
    ("url", ODD_HOST, f"HTtp{ODD_HOST[4:]}?garden=summer&rose=tree#quiet-road"),
    ("url", "//google%00.com", "//google%00.com#garden"),
    ("url", "http://a<b?q=1", "http://a<b?q=1#garden"),
    ("path", "..%uF025..%uF025/etc/passwd", "%2e.%uF025..%uF025//et%63/./passwd"),
    ("path", "etc%c0%afpasswd", "etc%C0%afp%61sswd"),
    ("path", "%0a/bin/cat%20/etc/shadow", "%0A/bin/./cat%20/etc/shadow"),
    ("path", "......\\/etc/passwd", "......\\/etc//%70asswd"),
    ("path", "..../flower.html", "..../%66lower.html"),
]
# Edits that change the meaning, or may: another letter, another place, or a reader that takes them for something.
OTHERWISE = [
    ("xml", "<foo>a</foo>", "<bar>a</bar>"),
    ("xml", "<foo>a</foo>", "<foo> a</foo>"),
    ("xml", "<foo>a</foo>", '<foo onload="garden">a</foo>'),
    ("xml", "<foo>a</foo>", '<foo garden="summer(1)">a</foo>'),
    ("xml", "<foo a='b'>a</foo>", "<foo>a</foo>"),
    ("xml", "<foo a='b  c'>a</foo>", "<foo a='b c'>a</foo>"),
    ("xml", "<foo>&lt;script></foo>", "<foo>&#60;script></foo>"),
    ("xml", "<foo><!-- garden -->a</foo>", "<foo>a</foo>"),
    ("xml", "<?garden summer?><foo/>", "<foo/>"),
    ("xml", "<foo>a b</foo>", "<foo>a<!-- garden --> b</foo>"),
    ("xml", "<foo>a</foo>", "<foo>a</foo><?php garden?>"),
    ("xml", "<foo>a</foo>", "<!--[if garden]><foo>a</foo>"),
    ("xml", CALL, f"<!-- garden -->{CALL}"),
    ("xml", CALL, CALL.replace('"?>', '" encoding="utf-7"?>')),
    ("xml", CALL.replace("Hello", "Hällo"), CALL.replace("Hello", "Hällo").replace('"?>', '" encoding="iso-8859-1"?>')),
    ("xml", UNUSED, UNUSED.replace("foo", "garden")),
    ("xml", UNUSED, "<!DOCTYPE xxe []>"),
    ("xml", UNUSED, UNUSED.replace("[", '[<!ENTITY foo "garden">')),
    ("xml", UNUSED, UNUSED.replace("[", '[<!ENTITY % garden "summer">')),
    ("xml", UNUSED, UNUSED.replace("[", '[<!ENTITY garden SYSTEM "summer">')),
    ("xml", UNDECLARED, UNDECLARED.replace("&xee;", "&xxe;")),
    ("xml", UNDECLARED, UNDECLARED.replace("<foo>", "<garden>").replace("</foo>", "</garden>")),
    ("xml", UNENDED, UNENDED.replace("]>", ']><!ENTITY garden "summer">')),
    ("xml", '<a b="c d', '<a  b="c d'),
    ("xml", '<a b="<!-- garden -->c">&x;', '<a b="<!-- garden --><!-- summer -->c">&x;'),
    ("xml", LEAVES_SCRIPT, LEAVES_SCRIPT.replace("alert", "<!-- garden -->alert")),
    ("xml", LEAVES_SCRIPT, LEAVES_SCRIPT.replace("alert", "&#97;lert")),
    ("xml", LEAVES_SCRIPT, f"<!-- garden -->{LEAVES_SCRIPT}"),
    ("xml", FIELD, FIELD.replace("<!ENTITY", '<!ENTITY garden "summer"><!ENTITY')),
    ("xml", FIELD, FIELD.replace("1.0", "1.1")),
    ("xml", FIELD, FIELD.replace('""?>', '"" encoding=""utf-7""?>')),
    ("xml", FIELD, FIELD[1:-1].replace('""', '"')),
    ("xml", FIELD, FIELD.replace("file:///a", "file:///b")),
    ("format_string", "ppppp%I", "ppppp%I - garden"),  # a flag: the blank and the dash are flags too
    ("format_string", "%*", "%* garden"),
    ("format_string", "%l", "%l garden"),
    ("format_string", "%y", "%y garden"),
    ("format_string", "%*$*p", "%*$*pgarden"),  # Linux has %pg
    ("format_string", "%*$*p", "%*$*p %x"),
    ("format_string", "%@%x", "%@ garden %x"),
    ("format_string", "%(name)@", "%(name)@ garden"),
    ("format_string", "`perl -e 'print \"%p\" x 80'`", "`perl -e 'print \"%p\" x 81'`"),
    ("format_string", "%l%q%", "%l%q% garden"),
    ("ldap", "(*)*)", "(*)*"),
    ("ldap", "(*)*)", "(\\2a)*)"),
    ("ldap", IN_A_VALUE, IN_A_VALUE.replace("or", "and", 1)),
    ("ldap", IN_A_VALUE, IN_A_VALUE.replace("()", "( )")),
    ("ldap", "garden", "\\67arden"),
    ("url", ODD_HOST, f"{ODD_HOST}?garden=//summer"),
    ("url", ODD_HOST, f"{ODD_HOST}@garden"),
    ("url", ODD_HOST, f"{ODD_HOST}/garden"),
    ("url", ODD_HOST, ODD_HOST.replace("http:", "https:")),
    ("url", ODD_HOST, ODD_HOST.replace("472.", "472.\t")),
    ("url", "//javascript:alert(1)", "//javascript:alert(1)#garden"),
    ("url", "//java%73cript:alert(1)", "//java%73cript:alert(1)#garden"),
    ("url", "http://a<b:x", "http://a<b:x#garden"),
    ("url", "http://a<b?q=1", "http://a<b?q=1&garden=summer"),
    ("path", "..%uF025..%uF025/etc/passwd", "..%uF025..%uF025/etc/garden/../passwd"),
    ("path", "etc%2fpasswd", "/etc%2fpasswd"),
    ("path", "etc%2fpasswd", "etc%2fpasswd/"),
    ("path", "etc%2fpasswd", "etc%2fPASSWD"),
    ("path", "file:/etc/passwd", "file://etc/passwd"),  # a host
    ("path", "..../..../boot.ini", "..../..../.../boot.ini"),
    ("path", "..../..../boot.ini", "..../.././boot.ini"),
    ("path", "/.\\/\\.\\.\\/\\.\\", "/.\\/\\.\\.\\/\\.\\.\\"),  # ./../ where backslashes are dropped
    ("path", "etc%c0%afpasswd", "etc/%c0%afpasswd"),  # two bytes of a name, to most
    ("path", "etc%c0%afpasswd", "etc%c0%2fpasswd"),
    ("path", "%00/etc/passwd", "%00/etc/shadow"),
    ("path", "", "/"),
]


@pytest.mark.parametrize(("domain", "original", "edited"), SAME)
def test_what_is_read_the_same_is_proved_and_said_to_be_parsed(domain: str, original: str, edited: str) -> None:
    proof = ORACLES[domain]([(original, edited)])[0]
    assert proof.meaning == "proved"
    assert "parsed" in proof.how or proof.how.startswith("a field of a CSV file")


@pytest.mark.parametrize(("domain", "original", "edited"), OTHERWISE)
def test_what_is_read_otherwise_stays_unproved(domain: str, original: str, edited: str) -> None:
    assert ORACLES[domain]([(original, edited)])[0].meaning == "unproved"


@st.composite
def one_letter_changed(draw: st.DrawFn) -> tuple[str, str, str]:
    """A domain, an original that is proved by parsing, and the same without one of its letters, or with another.

    Of a document with an external entity, and in signs alone, no letter counts.
    """
    domain, original, _ = draw(st.sampled_from([pair for pair in SAME if pair[1] not in (FIELD, "(*)*)", "%@")]))
    places = [place for place, letter in enumerate(original) if letter.isalnum()]
    place = draw(st.sampled_from(places))
    letters = st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789")
    other = draw(st.just("") | letters.filter(lambda letter: letter != original[place].lower()))
    return domain, original, original[:place] + other + original[place + 1 :]


@settings(max_examples=400)
@given(one_letter_changed())
def test_another_letter_is_never_proved(changed: tuple[str, str, str]) -> None:
    domain, original, edited = changed
    assert ORACLES[domain]([(original, edited)])[0].meaning == "unproved"


def test_the_declared_root_is_renamed_with_the_root_or_not_at_all() -> None:
    document = '<!DOCTYPE %s [<!ENTITY xxe SYSTEM "file:///a">]><%s>&xxe;</%s>'
    original = document % ("foo", "foo", "foo")
    for names, meaning in ((("bar",) * 3, "proved"), (("oo", "foo", "foo"), "changed"), (("foo", "x", "x"), "changed")):
        assert ORACLES["xml"]([(original, document % names)])[0].meaning == meaning


@pytest.mark.parametrize("without", ["1.0", "x", "ml"])
def test_a_declaration_that_is_none_any_more_is_not_proved(without: str) -> None:
    for pair in SAME:
        if pair[0] == "xml" and "<?xml" in pair[1]:
            place = pair[1].index(without)
            edited = pair[1][:place] + pair[1][place + len(without) :]
            assert ORACLES["xml"]([(pair[1], edited)])[0].meaning != "proved"


@given(st.sampled_from(SAME), st.data())
def test_nothing_is_proved_without_a_part_of_it(pair: tuple[str, str, str], data: st.DataObject) -> None:
    """No piece of two or more letters or digits, with whatever stands between them, can be left out."""
    domain, original, _ = pair
    start = data.draw(st.integers(0, len(original) - 1))
    end = data.draw(st.integers(start + 1, len(original)))
    edited = original[:start] + original[end:]
    without_declaration = original.removeprefix('<?xml version="1.0"?>')  # which says what holds without it
    if any(letter.isalnum() for letter in original[start:end]) and edited != without_declaration:
        assert ORACLES[domain]([(original, edited)])[0].meaning == "unproved"


CONDITIONS = [
    (COUNTED, "' and count(/child::comment())=1.0 and \"1\"='1", "proved"),
    (COUNTED, "' and count(/comment())=2 and '1'='1", "changed"),
    (COUNTED, "' and count(/user)=1 and '1'='1", "changed"),
    ("' or secret/pin='1234' or 'a'='b", "' or secret/pin = concat('12','34') or 'a'='b", "proved"),
    ("' or secret/pin='1234' or 'a'='b", "' or secret/pin='1235' or 'a'='b", "changed"),
    ("' or @level>3 or 'a'='b", "' or @level > (1+2) or 'a'='b", "proved"),
    ("' or @level>3 or 'a'='b", "' or @level>2 or 'a'='b", "changed"),
    ("' or @level>3 or 'a'='b", "' or @level>=3 or 'a'='b", "changed"),
    ("garden", "garden ", "unproved"),
]


@pytest.mark.parametrize(("original", "edited", "meaning"), CONDITIONS)
def test_conditions_come_true_in_documents_of_their_own_words(original: str, edited: str, meaning: str) -> None:
    assert ORACLES["xpath"]([(original, edited)])[0].meaning == meaning


ENDLESS = [
    ("' or //alpha[//*[//beta]='gamma'] or 'a'='b", "proved"),
    ("' or //alpha[//beta='gamma'][//delta] or 'a'='b", "proved"),
    (f"' or delta={'9' * 5000} or 'a'='b", "unproved"),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("text", "meaning"), ENDLESS)
def test_documents_of_their_own_words_take_no_time(text: str, meaning: str) -> None:
    assert ORACLES["xpath"]([(text, text)])[0].meaning == meaning


VALUES = [
    ("*)(userPassword=hunter2", "*)(userPassword=hunter\\32", "proved"),
    ("*)(userPassword=hunter2", "*)(userPassword=hunter3", "changed"),
    ("*)(secret=hunter2", "*)(SECRET=hunter2", "proved"),
    ("*)(secret=hunter2", "*)(secret=hunter3", "changed"),
    ("*)(secret=hunter2", "*)(secrets=hunter2", "changed"),
]


@pytest.mark.parametrize(("original", "edited", "meaning"), VALUES)
def test_a_directory_has_the_values_that_a_filter_asks_for(original: str, edited: str, meaning: str) -> None:
    assert ORACLES["ldap"]([(original, edited)])[0].meaning == meaning
