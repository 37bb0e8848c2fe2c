"""The boundary: the nearest events are taken, and every verdict that flips is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from overproof.checks.base import DISTILLED, FULL, QUANTIZED, Boundary, CheckResult, Sample
from overproof.checks.boundary.compute import boundary, nearest
from overproof.checks.boundary.edits import variants_of
from overproof.checks.stats import tango
from overproof.results.typed_json import NotMeasured

if TYPE_CHECKING:
    from overproof.checks.base import CheckContext

    from .conftest import Make


def near(evidence: CheckContext, flips: dict[str, float], draws: int = 3, moved: float = 0.0) -> CheckContext:
    """The evidence with edits that flip a share of each model's verdicts, and neighbours that flip another."""
    rows = nearest(evidence)
    variants = variants_of(evidence.sample.texts, rows.tolist(), window_characters=40, filler="ok ")
    where = np.array([variant.row for variant in variants], dtype=np.intp)

    def flipped(logits: np.ndarray, share: float, seed: int) -> np.ndarray:
        turned = np.random.default_rng(seed).random(len(logits)) < share
        swapped = logits.copy()
        swapped[turned, 0], swapped[turned, 1:] = logits[turned, 1:].max(axis=1), logits[turned, :1]
        return swapped

    logits = {
        name: flipped(scored.logits[where], flips.get(name, 0.0), len(name)) for name, scored in evidence.models.items()
    }
    own = evidence.models[QUANTIZED].logits[rows]
    neighbours = np.stack([flipped(own, moved, seed) for seed in range(draws)])
    return replace(evidence, boundary=Boundary(rows, variants, logits, neighbours))


def emptied(evidence: CheckContext) -> CheckContext:
    """The same models, asked about nothing."""
    models = {name: replace(scored, logits=scored.logits[:0]) for name, scored in evidence.models.items()}
    return replace(evidence, sample=Sample([], [], [], [], [], []), models=models)


def result(known: CheckResult, key: str) -> Any:
    return next(f for f in known.gates if f.key == key)


def test_the_nearest_are_nearest_for_either_model(healthy: CheckContext) -> None:
    rows = nearest(healthy, 50)
    closest = np.minimum(*(np.abs(healthy.margin_of(healthy.models[m].logits)) for m in (FULL, QUANTIZED)))
    assert len(rows) == 50 and len(set(rows.tolist())) == 50
    assert closest[rows].max() <= np.delete(closest, rows).min()
    assert len(nearest(replace(healthy, benign=()))) == 0


def test_a_student_as_stable_as_its_teacher_passes(healthy: CheckContext) -> None:
    found = boundary(near(healthy, {FULL: 0.1, QUANTIZED: 0.1}))
    assert result(found, "boundary/neighbours").status == "passed"
    assert result(found, "boundary/edits").status == "passed"
    assert found.data.events == 200 and found.data.of == len(healthy.sample)


def test_flips_beyond_the_full_models_fail(healthy: CheckContext) -> None:
    found = boundary(near(healthy, {FULL: 0.05, QUANTIZED: 0.4}, moved=0.3))
    assert result(found, "boundary/edits").status == "failed"
    assert result(found, "boundary/neighbours").status == "failed"
    assert not isinstance(found.data.edits, NotMeasured)
    kinds = {edit.kind: edit for edit in found.data.edits}
    assert sum(edit.n for edit in kinds.values()) == result(found, "boundary/edits").events
    flips = kinds["case"].models[QUANTIZED]
    assert flips.share.low < flips.k / kinds["case"].n < flips.share.high


def test_a_table_of_scores_that_cannot_be_asked_again_leaves_edits_unmeasured(healthy: CheckContext) -> None:
    tried = near(healthy, {QUANTIZED: 0.1})
    assert tried.boundary is not None
    mute = {name: logits for name, logits in tried.boundary.logits.items() if name != FULL}
    found = boundary(replace(tried, boundary=replace(tried.boundary, logits=mute)))
    assert result(found, "boundary/edits").status == "unmeasured"
    assert "full model gives no answer" in result(found, "boundary/edits").message
    assert not isinstance(found.data.edits, NotMeasured) and set(found.data.edits[0].models) == set(mute)


def test_the_edits_of_one_event_are_not_taken_for_independent(healthy: CheckContext) -> None:
    """Every edit of some events flips, and none of the others: the interval is as wide as that of the events."""
    tried = near(healthy, {})
    assert tried.boundary is not None
    kept, rows = tried.boundary, np.array([variant.row for variant in tried.boundary.variants])
    turned = np.isin(rows, kept.rows[::24])
    logits = kept.logits[QUANTIZED].copy()
    logits[np.ix_(turned, healthy.benign_classes)] += 2 * healthy.margin_of(logits[turned])[:, None]
    found = boundary(replace(tried, boundary=replace(kept, logits={**kept.logits, QUANTIZED: logits})))
    edits = result(found, "boundary/edits")
    of_variants = tango(round(edits.value * len(rows)), 0, len(rows))
    assert edits.status == "unmeasured" and edits.needed > edits.events == len(rows)
    assert edits.high - edits.low > 1.5 * (of_variants.high - of_variants.low)


def test_edits_that_are_proved_decide_with_the_others_and_are_counted_apart(healthy: CheckContext) -> None:
    tried = near(healthy, {})
    assert tried.boundary is not None
    kept = tried.boundary
    turned = np.array([variant.kind == "case" for variant in kept.variants])
    variants = tuple(replace(v, kind="sql", proved=True) if v.kind == "case" else v for v in kept.variants)
    logits = kept.logits[QUANTIZED].copy()
    logits[np.ix_(turned, healthy.benign_classes)] += 2 * healthy.margin_of(logits[turned])[:, None]
    given = replace(kept, variants=variants, logits={**kept.logits, QUANTIZED: logits})
    found = boundary(replace(tried, boundary=given))
    assert not isinstance(found.data.edits, NotMeasured)
    proved = [(row.kind, row.n, row.models[QUANTIZED].k, row.models[FULL].k) for row in found.data.edits if row.proved]
    n = int(turned.sum())
    assert proved == [("sql", n, n, 0)]
    assert all(row.models[QUANTIZED].k == 0 for row in found.data.edits if not row.proved)
    gate = result(found, "boundary/edits")
    assert gate.value == pytest.approx(n / len(variants)) and gate.status == "failed"
    assert f"({n} of them proved to keep what the event does) flip" in gate.message


def test_margins_are_counted_over_all_events(healthy: CheckContext) -> None:
    for margins in boundary(healthy).data.margins.values():
        assert len(margins.edges) == 21 and sum(margins.counts) == len(healthy.sample)


def test_quantization_is_counted_at_the_boundary_alone(make: Make) -> None:
    evidence = near(make({QUANTIZED: {"sqli": 0.03}}), {})
    rows = evidence.boundary.rows  # type: ignore[union-attr]
    k = (evidence.detected(QUANTIZED) != evidence.detected(DISTILLED))[rows].sum()
    found = boundary(evidence)
    assert not isinstance(found.data.quantization, NotMeasured) and found.data.quantization.k == k
    assert result(found, "boundary/quantization").value == pytest.approx(k / len(rows))


def test_what_cannot_be_told_says_why(make: Make, healthy: CheckContext) -> None:
    tried = near(healthy, {})
    silent = replace(tried.boundary, neighbours=None, why_not="no activation is rounded", logits={})  # type: ignore[type-var]
    bad = np.full_like(healthy.models[FULL].logits, np.nan)
    nan = replace(healthy.models[QUANTIZED], logits=bad)
    assert tried.boundary is not None and tried.boundary.neighbours is not None
    none = replace(tried.boundary, neighbours=tried.boundary.neighbours[:0])
    wild = replace(tried.boundary, neighbours=np.full_like(tried.boundary.neighbours, np.nan), logits={})
    for evidence, told in (
        (near(make(counts={"benign": 3, "sqli": 2}), {}), "needs 10"),
        (replace(tried, models={**tried.models, QUANTIZED: nan}), "hold NaN or infinity"),
        (replace(tried, boundary=none), "were not tried"),
        (replace(tried, boundary=wild), "at neighbouring grid points hold NaN"),
        (near(emptied(healthy), {}), "no events near"),
        (healthy, "no events near"),
        (replace(tried, boundary=silent), "no activation is rounded"),
        (near(make(without=(FULL, DISTILLED)), {}), "no full was given"),
        (make(counts={"benign": 30}), "no events near"),
        (replace(healthy, benign=()), "no events near"),
    ):
        found = boundary(evidence)
        json.dumps(found.to_json(), allow_nan=False)
        assert any(told in f.message for f in found.gates if f.status == "unmeasured"), told
