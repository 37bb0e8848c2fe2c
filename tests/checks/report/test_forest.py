"""The families as one forest plot, and the models that no other beats."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from overproof.checks.rare.result import FamilyLoss, Rare
from overproof.checks.report import CheckReport, page
from overproof.checks.report.forest import SHOWN, forest
from overproof.checks.report.trade import beaten_by, tradeoff
from overproof.checks.stats import Interval
from overproof.results import Metrics, Row, Share

from .made import comparison


def with_families(report: CheckReport, families: tuple[FamilyLoss, ...]) -> CheckReport:
    checks = [
        replace(check, data=replace(check.data, families=families)) if isinstance(check.data, Rare) else check
        for check in report.checks
    ]
    return replace(report, checks=tuple(checks))


def family(name: str, loss: Interval | None) -> FamilyLoss:
    return FamilyLoss(name, 40, 30, True, None, {}, 5, 2, None, None, loss, {})


def test_the_most_lost_comes_first_and_what_is_unknown_not_at_all(everything: CheckReport) -> None:
    rows = (
        family("gained", Interval(-0.1, -0.2, 0.0)),
        family("lost", Interval(0.3, 0.1, 0.5)),
        family("unknown", None),
        family("surer", Interval(0.05, 0.04, 0.06)),
        family("wider", Interval(0.05, 0.0, 0.4)),
    )
    html = forest(with_families(everything, rows))
    assert re.findall(r"<title>Net loss in (\w+)</title>", html) == ["lost", "wider", "surer", "gained"]
    assert "30.00 % [10.00, 50.00] of 40 events (30 of them independent)" in html, "the picture is told in words"
    assert html.count("5 : 2") == 4 and "more than the limit of 5.00 %" in html and 'class="limit"' in html


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (-0.45, 0.48, ["\N{MINUS SIGN}40 %", "\N{MINUS SIGN}20 %", "0 %", "20 %", "40 %"]),
        (-0.12, 0.62, ["0 %", "20 %", "40 %", "60 %"]),
        (-0.9, 0.09, ["\N{MINUS SIGN}80 %", "\N{MINUS SIGN}60 %", "\N{MINUS SIGN}40 %", "\N{MINUS SIGN}20 %", "0 %"]),
        (-0.23, 0.28, ["\N{MINUS SIGN}20 %", "0 %", "20 %"]),
        (-0.0011, 0.0099, ["0 %", "0.5 %"]),
        (0.0, 0.0, ["0 %", "0.2 %", "0.4 %", "0.6 %", "0.8 %", "1 %"]),
    ],
)
def test_the_axis_has_values_at_any_range(everything: CheckReport, low: float, high: float, values: list[str]) -> None:
    html = forest(with_families(everything, (family("one", Interval((low + high) / 2, low, high)),)))
    heads = html[: html.index("<title>")].rpartition("</svg>")[0]
    assert re.findall(r">([^<>]* %)</text>", heads) == values


def test_many_families_are_folded(everything: CheckReport) -> None:
    rows = tuple(family(f"f{i}", Interval(0.5 - i / 100, 0, 0.6)) for i in range(SHOWN + 3))
    shown, _, folded = forest(with_families(everything, rows)).partition("<details>")
    assert shown.count("<title>") == SHOWN and folded.count("<title>") == 3
    assert "3 more, of which less was lost" in folded


def test_no_family_was_compared(nothing: CheckReport) -> None:
    html = page(nothing)
    part = html[html.index('id="families"') : html.index('id="uses"')]
    assert "no family has labelled events that both models judged" in part and "<table" not in part


def row(name: str, size: int | None, p50: float | None, missed: int) -> Row:
    metrics = Metrics(9, Share(8, 9), 0.9, 0.9, {}, Share(missed, 100), Share(1, 100), None)
    return Row(name, None, size, p50, None, None, metrics)


@pytest.mark.parametrize(
    ("rows", "beaten"),
    [
        ([row("small", 10, 1, 5), row("large", 20, 2, 5)], {"large": "small"}),
        ([row("small", 10, 1, 6), row("large", 20, 2, 5)], {}),
        ([row("same", 10, 1, 5), row("twin", 10, 1, 5)], {}),
        ([row("timed", 10, 1, 5), row("untimed", 20, None, 9)], {}),
        ([row("sized", 10, 1, 5), row("unsized", None, 2, 9)], {}),
        ([row("a", 10, 1, 5), replace(row("unjudged", 20, 2, 9), metrics=None)], {}),
    ],
    ids=["worse in two", "better in one", "the same", "not timed", "no size", "no labels"],
)
def test_who_is_beaten_in_size_time_and_misses(rows: list[Row], beaten: dict[str, str]) -> None:
    assert beaten_by(rows) == beaten


def test_who_is_beaten_is_hollow_and_named() -> None:
    drawn = tradeoff([row("full", 20, 2, 5), row("linear baseline", 10, 1, 5)])
    assert drawn.count("hollow") == 1 and "95.00 % detected, beaten by linear baseline" in drawn
    assert "hollow" not in tradeoff(comparison().rows[:1])
