"""Own data: the full model that is compared with is the teacher that the bundle was made by, or is said not to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from overproof.checks.base import FULL, AskedAgain, CheckContext, Gate, GateResult
from overproof.checks.gates import gates_with
from overproof.checks.own_data.compute import own_data
from overproof.checks.own_data.full_model import KEY

Make = Callable[..., CheckContext]
VALIDATION = 900  # events that the made-up evidence holds
PURPOSE = "write full-model = { limit = 1 } under [own-data] in the gate file"


def gate_of(context: CheckContext) -> GateResult:
    return next(gate for gate in own_data(context).gates if gate.key == KEY)


def asked(
    context: CheckContext, *, otherwise: int = 0, asked: int = 500, same: bool | None = None, limit: float = 0.01
) -> CheckContext:
    """The full model was asked again about some validation events, and labels some of these otherwise."""
    said = context.models[FULL].validation
    assert said is not None
    rows = np.random.default_rng(0).permutation(len(said))[:asked]
    logits = said[rows].copy()
    logits[:otherwise] = np.roll(logits[:otherwise], 1, axis=1)
    gates = {**context.gates, KEY: Gate(limit)}
    return replace(context, teacher_again=AskedAgain(rows, logits), same_teacher=same, gates=gates)


@pytest.mark.parametrize("same", [None, False, True])
def test_a_full_model_that_answers_as_the_teacher_did_is_the_teacher(healthy: CheckContext, same: bool | None) -> None:
    found = gate_of(asked(healthy, same=same))
    assert (found.status, found.value, found.low, found.events, found.units) == ("passed", 0, 0, 500, 500)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 500))
    assert found.message.startswith("of 500 validation events the full model labels 0 otherwise than the bundle's")


@pytest.mark.parametrize(("otherwise", "status"), [(4, "unmeasured"), (25, "failed"), (500, "failed")])
def test_one_that_answers_otherwise_is_another(healthy: CheckContext, otherwise: int, status: str) -> None:
    found = gate_of(asked(healthy, otherwise=otherwise))
    assert (found.status, found.value, found.closed) == (status, otherwise / 500, True)
    assert (PURPOSE in found.message) == (status == "failed")


def test_too_few_answers_are_no_proof_unless_the_fingerprints_are_the_same(healthy: CheckContext) -> None:
    few = gate_of(asked(healthy, asked=200))
    assert (few.status, few.needed) == ("unmeasured", 368)
    assert "needs 368" in few.message
    assert gate_of(asked(healthy, asked=200, same=True)).status == "passed"
    assert gate_of(asked(healthy, asked=200, same=False)).status == "unmeasured"
    found = gate_of(asked(healthy, otherwise=100, same=True))
    assert found.status == "failed" and "though it has the teacher's fingerprint" in found.message


def test_copies_of_a_validation_event_are_one_answer(healthy: CheckContext) -> None:
    assert healthy.training is not None
    copies = replace(healthy.training.validation, texts=[f"sqli {i % 5}" for i in range(VALIDATION)])
    context = replace(healthy, training=replace(healthy.training, validation=copies))
    found = gate_of(asked(context))
    assert (found.status, found.events, found.units) == ("unmeasured", 500, 1)


def test_without_answers_the_fingerprints_decide(healthy: CheckContext) -> None:
    assert gate_of(replace(healthy, same_teacher=True)).status == "passed"
    other = gate_of(replace(healthy, same_teacher=False))
    assert other.status == "failed" and "another fingerprint" in other.message and PURPOSE in other.message


def test_where_nothing_tells_it_is_not_passed(make: Make, healthy: CheckContext) -> None:
    unknown = gate_of(replace(healthy, same_teacher=None))
    assert (unknown.status, unknown.closed) == ("unmeasured", True)
    assert "nothing tells whether the full model is the bundle's teacher" in unknown.message
    absent = gate_of(make(without=(FULL,)))
    assert (absent.status, absent.closed) == ("unmeasured", True)
    none = replace(healthy, same_teacher=None, teacher_again=AskedAgain(np.arange(0), np.zeros((0, 4), np.float32)))
    assert gate_of(none).status == "unmeasured"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answers_that_are_no_numbers_prove_nothing(healthy: CheckContext, bad: float) -> None:
    context = asked(healthy)
    assert context.teacher_again is not None
    context.teacher_again.logits[3, 1] = bad
    found = gate_of(context)
    assert found.status == "unmeasured" and "NaN or infinity" in found.message


def test_on_purpose_another_full_model_may_be_compared_with(healthy: CheckContext) -> None:
    assert gates_with(0.005)[KEY] == Gate(0.01, True)
    counted = gate_of(asked(healthy, otherwise=500, limit=1.0))
    assert (counted.status, counted.value) == ("passed", 1)
    allowed = {**healthy.gates, KEY: Gate(1.0)}
    for same in (False, None):
        found = gate_of(replace(healthy, same_teacher=same, gates=allowed))
        assert (found.status, found.waived, found.closed) == ("unmeasured", True, False), "nothing is passed by it"
        assert "not compared with the bundle's teacher" in found.message and PURPOSE not in found.message
