"""Edits of script injections are total, repeatable, and leave alone what they must."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.html import MUTATORS
from overproof.redteam.mutate.html_scan import Code, scan
from overproof.redteam.mutate.javascript import tokens

PIECES = st.sampled_from(
    """<script> </script> <img src=x onerror= onerror=" onclick=' " ' > < / alert(1) alert('x') prompt`1` ; // /* */
    <!-- --> javascript: href= title="a" &#97; &Tab; = ( ) { } [ ] . , + - \\ 0x1 12 a.b if else while for(;;) function
    <svg/onload= <style> <textarea> </title> \x00 document.cookie class export `${""".split()
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(PIECES, max_size=14).map(" ".join),
    st.lists(PIECES, max_size=14).map("".join),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "L"]), max_size=10),
)


@pytest.mark.parametrize("name", sorted(MUTATORS))
def test_every_edit_is_total_and_repeatable(total_and_repeatable: Any, name: str) -> None:
    total_and_repeatable(MUTATORS[name], TEXTS)


@given(TEXTS)
def test_tokens_are_the_script(text: str) -> None:
    found = tokens(text, "script")
    assert not found or "".join(text[start:end] for _, start, end in found) == text


@given(TEXTS)
def test_what_is_found_lies_in_the_text_in_order(text: str) -> None:
    found = scan(text)
    places = [
        place
        for tag in found.tags
        for place in (tag.start, tag.name_end, *(p for a in tag.attributes for p in (a.start, a.name_end, a.end)))
    ]
    assert places == sorted(places)
    assert all(0 <= code.start < code.end <= len(text) for code in found.codes)


def outcomes(name: str, text: str, seeds: int = 1500) -> set[str]:
    """What an edit makes of a text, whatever the seed."""
    made = (MUTATORS[name](text, Random(seed)) for seed in range(seeds))
    return {edited for edited in made if edited is not None}


@pytest.mark.parametrize(
    ("name", "text", "edited"),
    [
        ("tag in another case", "<svg/onload=alert(1)>", "<SvG/onload=alert(1)>"),
        ("attribute in another case", "<b on=1>", "<b oN=1>"),
        ("white space between attributes", "<p a=1 on=2>", "<p\fa=1 on=2>"),
        ("white space between attributes", "><p a=1 on=2>", "><p/a=1 on=2>"),
        ("white space round an equals sign", "<p a=1>", "<p a=\n1>"),
        ("other quotes round a value", "<p a=1>", "<p a='1'>"),
        ("other quotes round a value", "><p a='1'>", "><p a=1>"),
        ("attributes in another order", "<p a=1 b=2>", "<p b=2 a=1>"),
        ("character reference in a value", "<p onclick=a>", "<p onclick=&#x61;>"),
        ("line break in a scheme", "javascript:alert(1)", "java\tscript:alert(1)"),
        ("line break in a scheme", "<a href=javascript:a>", "<a href=java&Tab;script:a>"),
        ("characters before a scheme", "javascript:alert(1)", "\x01javascript:alert(1)"),
        ("white space in a script", "';alert(1)//", "';alert (1)//"),
        ("empty statement", "';alert(1)//", "';;alert(1)//"),
        ("escape in a string", "<script>a('x')</script>", "<script>a('\\x78')</script>"),
        ("other quotes round a string", "<script>a('x')</script>", "<script>a(`x`)</script>"),
        ("string in two halves", "<script>a('xy')</script>", "<script>a(('x'+'y'))</script>"),
        ("escape in a name", "';alert(1)//", "';\\u0061lert(1)//"),
        ("number spelled otherwise", "';alert(10)//", "';alert(0xa)//"),
        ("function reached another way", "';alert(1)//", "';window.alert(1)//"),
        ("function reached another way", "';alert(1)//", "';alert?.(1)//"),
        ("function reached another way", "';alert(1)//", "';self['alert'](1)//"),
        ("property in brackets", "javascript:a(document.cookie)", "javascript:a(document['cookie'])"),
    ],
)
def test_what_an_edit_makes(name: str, text: str, edited: str) -> None:
    assert edited in outcomes(name, text)


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("inert attribute of words", "<img src=x>", r'<img title="[a-z ]+" src=x>'),
        ("inert attribute of words", "<svg/onload=a>", r"<svg class='[a-z ]+'/onload=a>"),
        ("inert markup before the first tag", '"><svg onload=a>', r'"><!--[a-z ]+--><svg onload=a>'),
        ("inert markup before the first tag", "<img src=x>", r"<em>[a-z ]+</em><img src=x>"),
        ("scheme in another case", "javascript:alert(1)", r"J[Aa]v[Aa][A-Za-z]+:alert\(1\)"),
        ("words behind", "<script>a</script>", r"<script>a</script> [a-z ]+"),
        ("words ahead", "';a(1)//", r"[a-z ]+';a\(1\)//"),
        ("comment in a script", "';a(1)//", r"';a/\*[a-z ]+\*/\(1\)//"),
        ("comment in a script", "<p onclick=a(1)>", r"<p onclick=a/\*[a-z_-]+\*/\(1\)>"),
        ("statement of words", "<script>a</script>", r"<script>'[a-z ]+';a</script>"),
        ("statement of words", "<p onclick=a>", r"<p onclick=void/[a-z_-]+/;a>"),
        ("words in the last comment", "';a(1)//", r"';a\(1\)//[a-z ]+"),
    ],
)
def test_where_words_are_put(name: str, text: str, pattern: str) -> None:

    assert any(re.fullmatch(pattern, edited) for edited in outcomes(name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("escape in a string", "<script>a({'x':1})</script>"),  # a key, as good as any, but so are names
        ("other quotes round a string", "<script>'use strict'</script>"),
        ("escape in a name", "';if//"),
        ("function reached another way", "<script>function alert(){}</script>"),
        ("function reached another way", "<script>alert=a;alert(1)</script>"),
        ("words behind", "<img src=x onerror='a"),  # its value has no end
        ("words behind", "<textarea>"),
        ("words ahead", "javascript:alert(1)"),
        ("inert attribute of words", "<img src=x onerror=alert(this.outerHTML)>"),
        ("statement of words", "<script>alert('</script>"),
        ("comment in a script", "<p onclick=a&#40;1)>"),
        ("line break in a scheme", "<img src=x onerror=javascript:alert(1)>"),  # there it is a label
        ("other quotes round a value", '<b id="x"><script>alert(1)</script>'),  # in an attribute, it breaks out of it
        ("inert attribute of words", "shoes"),
    ],
)
def test_where_an_edit_has_no_place(name: str, text: str) -> None:
    assert outcomes(name, text, seeds=50) == set()


def test_nothing_is_put_where_it_would_end_the_value() -> None:
    for text, forbidden in [
        ("<p onclick=alert(1)>", " \t\n\"'"),
        ('<p onclick="alert(1)">', '"'),
        ("javascript:a(1)", '"\n'),
    ]:
        (code,) = scan(text).codes
        assert isinstance(code, Code)
        start, rest = text[: code.start], text[code.end :]
        for name in ("comment in a script", "white space in a script", "statement of words", "property in brackets"):
            for edited in outcomes(name, text, seeds=200):
                assert edited.startswith(start) and edited.endswith(rest)
                assert not set(edited[len(start) : len(edited) - len(rest)]) & set(forbidden)
