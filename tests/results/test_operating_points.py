"""The models at the same false-positive rate, in words: somebody wins only where the intervals say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.report.layout import within
from overproof.report.not_measured import NotMeasured
from overproof.results import Comparison, Share
from overproof.results.comparison import at_rates
from overproof.results.comparison.at_rates import Outcome, outcome
from overproof.results.operating_points import (
    RATES,
    Counted,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
    benign_needed,
    threshold_at,
)


def point(missed: int, flagged: int = 5) -> OperatingPoint:
    families = {"sqli": Share(600 - missed, 600), "xss": Share(400, 400)}
    return OperatingPoint(0.4, Counted(flagged, 1000, 900, 0.001, 0.02), Counted(missed, 1000, 900, 0, 0.1), families)


def difference(student_only: int, other_only: int, low: float, high: float) -> Difference:
    apart = PairedDifference(1000, 900, student_only, other_only, (student_only - other_only) / 1000, low, high)
    return Difference(Share(5, 1000), Share(5, 1000), apart, {"sqli": apart})


def points(*against_baseline: Difference | NotMeasured) -> OperatingPoints:
    """Rates with what sets the student apart from the baseline at each; of the full model nothing does."""
    models = {FULL: point(2), DISTILLED: NotMeasured("gone"), QUANTIZED: point(8), BASELINE: point(20)}
    return OperatingPoints(
        tuple(
            RatePoints(rate, models, {BASELINE: found, FULL: difference(6, 0, -0.002, 0.012)})
            for rate, found in zip(RATES, against_baseline, strict=True)
        )
    )


WIN, LOSS = difference(1, 13, -0.03, -0.001), difference(12, 0, 0.001, 0.03)
NEITHER = difference(3, 5, -0.01, 0.002)
TOO_FEW = NotMeasured("300 benign validation events, needs 1,000")


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (WIN, Outcome.STUDENT),
        (LOSS, Outcome.OTHER),
        (NEITHER, Outcome.NEITHER),
        (difference(0, 20, -0.03, 0.0), Outcome.NEITHER),  # by a hair
        (difference(20, 0, 0.0, 0.03), Outcome.NEITHER),
        (TOO_FEW, Outcome.UNMEASURED),
        (None, Outcome.UNMEASURED),
    ],
)
def test_intervals_alone_decide(found: Difference | NotMeasured | None, who: Outcome) -> None:
    assert outcome(found) is who


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            points(WIN, NEITHER, TOO_FEW),
            "distilled + INT8 beats the linear baseline at the same false-positive rate, in attacks missed: "
            "0.80 % against 2.00 % at 0.1 %; no winner at 0.5 %; unmeasured at 1 %.",
        ),
        (
            points(WIN, LOSS, LOSS),
            "The linear baseline beats distilled + INT8 at the same false-positive rate, in attacks missed: "
            "2.00 % against 3.20 % at 0.5 %, 2.00 % against 3.20 % at 1 %; distilled + INT8 wins at 0.1 %; "
            "where the linear baseline wins it is the better choice.",
        ),
        (
            points(TOO_FEW, NEITHER, NEITHER),
            "Neither distilled + INT8 nor the linear baseline wins: at 0.5 % false positives no difference is measured "
            "between distilled + INT8 and the linear baseline: 1.80 % and 2.00 % of attacks missed where both flag as "
            "many benign events (95 % interval of the difference \N{MINUS SIGN}1.00 … 0.20 points).",
        ),
        (
            points(TOO_FEW, TOO_FEW, TOO_FEW),
            "Who wins at the same false-positive rate, distilled + INT8 or the linear baseline, was not measured.",
        ),
    ],
)
def test_the_sentence_that_decides(found: OperatingPoints, sentence: str) -> None:
    assert Comparison((), 0, found).verdict_in_words()[0] == sentence


def test_every_rate_is_told_against_both() -> None:
    assert at_rates.in_words(points(TOO_FEW, LOSS, WIN))[:2] == [
        "At 0.5 % false positives the linear baseline misses fewer attacks than distilled + INT8: 2.00 % against "
        "3.20 % where both flag as many benign events (95 % interval of the difference 0.10 … 3.00 points).",
        "At 1 % false positives distilled + INT8 misses fewer attacks than the linear baseline: 0.80 % against "
        "2.00 % where both flag as many benign events (95 % interval of the difference "
        "\N{MINUS SIGN}3.00 … \N{MINUS SIGN}0.10 points).",
    ]
    assert [line for line in at_rates.in_words(points(WIN, WIN, WIN)) if "the full model" in line] == [
        f"At {rate} % false positives no difference is measured between distilled + INT8 and the full model: "
        "0.80 % and 0.20 % of attacks missed where both flag as many benign events (95 % interval of the difference "
        "\N{MINUS SIGN}0.20 … 1.20 points)."
        for rate in ("0.1", "0.5", "1")
    ]


def test_why_a_difference_is_unmeasured_is_said_once() -> None:
    assert at_rates.footnotes(points(TOO_FEW, TOO_FEW, WIN))[-2:] == [
        "At 0.1 %, 0.5 % and 1 % false positives unmeasured: gone (distilled)",
        "At 0.1 % and 0.5 % false positives unmeasured: 300 benign validation events, needs 1,000 "
        "(distilled + INT8 against the linear baseline)",
    ]


GOLDEN = """\
at the same false-positive rate  missed at 0.5 % [95 %]      achieved [95 %]  missed at 1 % [95 %]      achieved [95 %]
-------------------------------  ----------------------  -------------------  --------------------  -------------------
full                               0.20 % [0.00, 10.00]  0.50 % [0.10, 2.00]  0.20 % [0.00, 10.00]  0.50 % [0.10, 2.00]
distilled                                    unmeasured           unmeasured            unmeasured           unmeasured
distilled + INT8                   0.80 % [0.00, 10.00]  0.50 % [0.10, 2.00]  0.80 % [0.00, 10.00]  0.50 % [0.10, 2.00]
linear baseline                    2.00 % [0.00, 10.00]  0.50 % [0.10, 2.00]  2.00 % [0.00, 10.00]  0.50 % [0.10, 2.00]

recall at 0.5 % false positives              full  distilled + INT8   linear baseline  INT8 - baseline, points [95 %]
-------------------------------  ----------------  ----------------  ----------------  ------------------------------
sqli                             99.7 % (598/600)  98.7 % (592/600)  96.7 % (580/600)              0.20 [-0.20, 1.00]

"""


def test_the_tables_as_they_are_printed() -> None:
    with within(1000):
        text = Comparison((), 100, OperatingPoints(points(WIN, NEITHER, NEITHER).at[1:])).render()
    start = text.index("at the same false-positive rate  missed")
    assert text[start : text.index("Measured on")].replace("\N{MINUS SIGN}", "-") == GOLDEN
    assert "At 0.5 % false positives every model detects all of: xss." in text
    assert "At 0.5 % and 1 % false positives unmeasured: gone (distilled)" in text


def test_markdown_has_the_same_tables() -> None:
    lines = Comparison((), 100, points(WIN, NEITHER, NEITHER)).to_markdown().splitlines()
    row = next(line for line in lines if line.startswith("| distilled + INT8 |"))
    assert row == "| distilled + INT8 " + "| 0.80 % [0.00, 10.00] | 0.50 % [0.10, 2.00] " * 3 + "|"


def test_json_there_and_back() -> None:
    there = Comparison((), 100, points(WIN, TOO_FEW, NEITHER))
    assert Comparison.from_json(json.loads(json.dumps(there.to_json()))) == there


def test_a_figure_is_found_by_model_and_rate() -> None:
    there = Comparison((), 100, points(WIN, TOO_FEW, WIN))
    assert there.missed_at(BASELINE, 0.005) == Counted(20, 1000, 900, 0, 0.1)
    assert [there.missed_at(*place) for place in ((DISTILLED, 0.005), (BASELINE, 0.02), ("other", 0.01))] == [None] * 3
    assert Comparison((), 100).missed_at(BASELINE, 0.005) is None


def test_a_threshold_needs_to_see_the_rate_once() -> None:
    for rate in RATES:
        n = benign_needed(rate)
        assert threshold_at(_numbers(n - 1), rate) is None
        assert threshold_at(_numbers(n), rate) == n - 2  # one of n lies above
    assert [benign_needed(rate) for rate in RATES] == [1000, 200, 100]


def _numbers(n: int) -> Any:
    import numpy as np

    return np.arange(n, dtype=np.float64)


@pytest.mark.parametrize("bad", [(-1, 4, 4), (5, 4, 4), (0, 0, 0), (1, 4, 5)])
def test_counts_that_cannot_be(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="events"):
        Counted(*bad, 0.1, 0.5)


def test_the_sentence_that_decides_is_not_said_twice() -> None:
    first, *others = Comparison((), 100, points(TOO_FEW, NEITHER, NEITHER)).verdict_in_words()
    assert "at 0.5 %" in first
    assert any("1 %" in line for line in others)
    assert not any(first.endswith(line.removeprefix("At ")) for line in others)
