"""What gates say: one interval a figure, signs in words, and no number of events that is there already."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from overproof.checks import CHECKS
from overproof.checks.base import (
    DISTILLED,
    FULL,
    QUANTIZED,
    UNMEASURED,
    CheckContext,
    Gate,
    GateResult,
    HeldOut,
    Measured,
    decided,
)
from overproof.checks.formatting import among, change_within, percent, percent_within
from overproof.checks.gate_result import AT_THE_LIMIT
from overproof.checks.report import gate_words
from overproof.checks.stats import Interval

Make = Callable[..., CheckContext]


@pytest.fixture(scope="module", params=["healthy", "lossy", "better", "few", "grouped"])
def results(request: pytest.FixtureRequest, make: Make) -> list[GateResult]:
    """Every gate of every check, on several students."""
    wrong = {
        "lossy": {FULL: {"sqli": 0.01}, DISTILLED: {"sqli": 0.02}, QUANTIZED: {"sqli": 0.05, "ssti": 0.4}},
        "better": {FULL: {"*": 0.08}, DISTILLED: {"*": 0.03}, QUANTIZED: {"*": 0.02}},
    }
    counts = {"benign": 150, "sqli": 80, "xss": 60, "ssti": 30} if request.param == "few" else None
    context = make(wrong.get(request.param), counts=counts)
    if request.param == "grouped":
        groups = [f"host {i // 7}" for i in range(len(context.sample))]
        context = replace(context, sample=replace(context.sample, groups=groups))
    families = tuple(held(context, family, n) for family, n in (("xss", 3), ("ssti", 9)))
    return [gate for check in CHECKS for gate in check.compute(replace(context, held_out=families)).gates]


def held(context: CheckContext, family: str, misses: int) -> HeldOut:
    rows = np.flatnonzero(context.families == family)
    student, full = np.arange(len(rows)) >= misses, np.ones(len(rows), dtype=bool)
    return HeldOut(family, rows, {FULL: full, QUANTIZED: student})


def with_interval(results: list[GateResult]) -> Iterator[GateResult]:
    return (gate for gate in results if gate.low is not None and gate.low != gate.high)


def test_the_message_shows_the_interval_that_decides(results: list[GateResult]) -> None:
    shown = list(with_interval(results))
    assert shown
    for gate in shown:
        found = gate_words.measured(gate)
        assert found is not None
        for end in (found.value, found.low, found.high):
            assert percent(abs(end)) in gate.message or f"{end:.3f}" in gate.message, gate
        # the guarantee is one-sided: its two ends hold alone, and not both at once
        assert len(re.findall("95 % (?:interval|confidence)", gate.message)) == 1, gate
        assert ("corrected by" in gate.message) == bool(gate.correction), gate


def test_signs_are_words(results: list[GateResult]) -> None:
    for gate in results:
        assert not re.search(r"(?<![\de])[-\N{MINUS SIGN}]\d", gate.message), gate.message


def test_needed_is_more_than_there_is_and_within_reach(results: list[GateResult]) -> None:
    for gate in results:
        there = gate.events if gate.units is None else gate.units
        if gate.needed is not None and there is not None:
            assert there < gate.needed <= 100 * max(there, 1), gate
        if gate.status == UNMEASURED and gate.value is not None:
            assert (gate.needed is None) == (AT_THE_LIMIT in gate.message), gate


def test_nothing_reads_as_accuracy_that_is_a_count_of_one_model_alone(results: list[GateResult]) -> None:
    for gate in results:
        assert not re.search(r"alone gets \S+ of", gate.message), gate.message


def test_changes_are_written_with_their_sign_in_words() -> None:
    fewer = Interval(-0.0549, -0.07, -0.04)
    assert change_within(fewer, "more", "fewer") == "5.49 % fewer (95 % interval 7.00 % to 4.00 % fewer)"
    across = Interval(0.002, -0.001, 0.005)
    assert change_within(across) == "0.20 % lost (95 % interval 0.10 % gained to 0.50 % lost)"
    corrected = change_within(across, correction="Holm for 3 families")
    assert corrected.endswith("(95 % interval, corrected by Holm for 3 families: 0.10 % gained to 0.50 % lost)")
    assert percent_within(Interval(0.1, 0.05, 0.2)) == "10.0 % (95 % interval 5.00 % to 20.0 %)"


def test_independent_ones_are_counted_beside_all() -> None:
    assert among(1200, "attacks", 1200) == "1,200 attacks"
    assert among(1200, "attacks", 20) == "1,200 attacks (20 of them independent)"


def test_what_no_number_decides_has_none() -> None:
    figure = Interval(0.05, 0.04, 0.06)
    for needed in (None, 503_720, 54):
        result = decided("rare/pooled", "it", Gate(0.05), Measured(figure, 80, needed, 80))
        assert result.needed is None and AT_THE_LIMIT in result.message and "needs" not in result.message
    result = decided("rare/pooled", "it", Gate(0.05), Measured(figure, 80, None, 20))
    assert result.message == f"unmeasured: 80 events, 20 of them independent; counted once each, {AT_THE_LIMIT}: it"
    result = decided("rare/pooled", "it", Gate(0.05), Measured(figure, 80, 400, 20))
    assert result.message == "unmeasured: 80 events, 20 of them independent, needs 400: it"
    assert gate_words.support(result) == "80 (20 independent), needs 400"
