"""The benchmark of floods: in which order events come, and what is counted of a replay."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import Policy, Rate
from overproof.jobs.check_flood import Flood

CALM, HOSTILE = 70, 130


@pytest.fixture(scope="module")
def bench(root: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root / "bench"))
        yield importlib.import_module("flooding")


def test_every_order_has_every_event_once_and_the_flood_where_it_says(bench: ModuleType) -> None:
    for arranged in bench.ORDERS.values():
        assert sorted(arranged(30, 90).tolist()) == list(range(120))
        assert arranged(30, 0).tolist() == list(range(30))
    assert (bench.ORDERS["first"](30, 90)[:90] >= 30).all() and (bench.ORDERS["last"](30, 90)[30:] >= 30).all()
    among = np.cumsum(bench.ORDERS["evenly"](30, 90) >= 30)
    assert np.abs(among - 0.75 * np.arange(1, 121)).max() <= 2


@pytest.fixture
def counts(bench: ModuleType, student: OnnxScorer) -> Any:
    """Calm attacks of which some, ten at least, are passed on, and hostile events that all are."""
    scores = student.score([f"id={n} select {'x' * (n % 37)}" for n in range(CALM + HOSTILE)])
    sure = scores.confidence(1.0)
    order = np.argsort(-sure, kind="stable")
    full = np.tile(np.array([[0.2, 0.7, 0.1]], dtype=np.float32), (len(order), 1))
    policy = Policy(confidence=float(np.sort(sure)[-(CALM - 10)]))
    flood = Flood(student, policy, 0.05, scores.take(order), full, CALM, 0)
    everything, innocent = np.ones(CALM, dtype=bool), np.array([True, False, False])
    return bench.Counts(flood, flood.judged(np.arange(CALM), Rate(share=1.0)), everything, everything, innocent)


def test_what_a_flood_defers_is_counted_and_no_verdict_changes(bench: ModuleType, counts: Any) -> None:
    quiet = counts.of(np.arange(CALM))
    passed_on = quiet["passed_on"]
    assert quiet["events"] == CALM and 10 <= passed_on < CALM and quiet["asked"] == quiet["calm_asked"]
    for arranged in bench.ORDERS.values():
        found = counts.of(arranged(CALM, HOSTILE))
        assert (found["events"], found["passed_on"]) == (CALM + HOSTILE, passed_on + HOSTILE)
        assert found["asked"] <= 0.05 * found["events"] and (found["over"], found["changed"]) == (0, 0)
        assert found["calm_asked"] + found["calm_deferred"] == passed_on
        assert found["missed_for_want"] <= found["calm_deferred"]
        # all are attacks that the full model sees: what is missed besides is what the student decides, flood or not
        assert found["missed"] - found["missed_for_want"] == quiet["missed"] - quiet["missed_for_want"]
