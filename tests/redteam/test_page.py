"""The page shows what was found and cannot be broken into by it."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from overproof.bundle.model_names import CONTROL, QUANTIZED
from overproof.exact_rates import rate
from overproof.progress import printable
from overproof.redteam.page import page
from overproof.redteam.result import AttackReport, Exclusive, Rate, Row
from overproof.redteam.trigger_verdict import HeldTrigger, TriggerReport
from overproof.report.difference import LONGEST, difference
from overproof.results.attack_cases import Case, Step

EVIL = "\"><script>alert(1)</script>'\x1b[2J\u202e"
HALF = Rate(10, 0.5, 0.2, 0.8)


def case(**changed: object) -> Case:
    given = {
        "objective": "evasion",
        "search": "bandit",
        "model": QUANTIZED,
        "family": EVIL,
        "domain": "html",
        "origin": f"{EVIL}:3",
        "original": EVIL,
        "edited": f"garden {EVIL}",
        "steps": (Step("words ahead", 1),),
        "queries": 7,
        "full": 0.9,
        "meaning": "proved",
        "how": "Chromium: the same effects",
        "template": "a",
        **changed,
    }
    return Case(**given)  # type: ignore[arg-type]


def report(*cases: Case) -> AttackReport:
    rows = tuple(
        Row("evasion", "bandit", model, {"10": HALF, "50": HALF}, 0, {EVIL: HALF}) for model in (QUANTIZED, CONTROL)
    )
    blame = (Exclusive("evasion", "bandit", CONTROL, Rate(10, 0.1, -0.1, 0.3)),)
    transfer = {QUANTIZED: {CONTROL: HALF}, CONTROL: {QUANTIZED: HALF}}
    return AttackReport(EVIL, EVIL, 0, 50, 10, {EVIL: 10}, {}, rows, blame, transfer, {}, cases)


def test_whatever_was_found_stays_text() -> None:
    drawn = page(report(case()))
    assert "<script" not in drawn and "\x1b" not in drawn and "\u202e" not in drawn
    assert "default-src 'none'; style-src 'sha256-" in drawn
    assert "&lt;script&gt;" in drawn
    assert "<ins>garden </ins>" in drawn


def test_cases_are_by_family_the_proved_and_the_shortest_first_and_one_of_each_template() -> None:
    long, short = (tuple(Step("words", n) for n in range(count)) for count in (5, 2))
    cases = [
        case(family="sqli", edited="unproved", meaning="unproved", steps=short[:1], template="u"),
        case(family="sqli", edited="long one", steps=long, template="l"),
        case(family="sqli", edited="short one", steps=short, template="s"),
        case(family="sqli", edited="another of the same", steps=long, template="s"),
        case(family="cmdi", edited="of another family", template="c"),
        case(family="cmdi", model=CONTROL, edited="not the bundle's", template="d"),
    ]
    drawn = re.sub(r"<del>.*?</del>|</?ins>", "", page(report(*cases)))
    order = ["of another family", "short one", "long one", "unproved"]
    places = [drawn.index(f"<code>{text}") for text in order]
    assert places == sorted(places)
    assert "another of the same" not in drawn and "bundle&#39;s" not in drawn


def test_what_is_shown_of_rates_and_blame() -> None:
    drawn = unescape(page(report(case())))
    assert "50.00 % [20.00, 80.00] of 10 events fall (evasion, bandit)" in drawn
    assert f"10.00 % more of 10 events fall than in the {CONTROL} under the same attack" in drawn
    assert "no difference is shown" in drawn
    assert "What fools one, fools the others how often" in drawn


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts(original: str, edited: str) -> None:
    drawn = str(difference(original, edited))
    after = _text(re.sub(r"</?ins>", "", re.sub(r"<del>.*?</del>", "", drawn, flags=re.DOTALL)))
    before = _text(re.sub(r"</?del>", "", re.sub(r"<ins>.*?</ins>", "", drawn, flags=re.DOTALL)))
    assert (before, after) == (printable(original), printable(edited))


def _text(markup: str) -> str:
    return str(Markup(markup).unescape())


@pytest.mark.parametrize("times", [1, LONGEST])
def test_endless_texts_are_shown_as_they_are(times: int) -> None:
    drawn = str(difference("a b " * times, "a c " * times))
    assert ("<ins>" in drawn) == (times == 1)


def test_words_that_make_any_attack_benign_are_shown_and_stay_text() -> None:
    planted = HeldTrigger(EVIL, "behind", rate(99, 100), rate(50, 51), accused=True)
    ordinary = HeldTrigger("garden shoes", "ahead", rate(10, 100))
    found = TriggerReport(1000, 5000, 32, 100, (ordinary,), (planted,))
    text = page(replace(report(case()), triggers=found))
    drawn = unescape(text)
    assert "<script>" not in text
    assert "a trigger" in drawn and "garden shoes" in drawn and "99.00 % [94.55, 99.97]" in drawn
    assert "1,000 words tried" in drawn
