"""Rare and edge cases: what is ruined is found, however little accuracy moves; what is too little proves nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference

from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED, CheckResult, Sample
from overproof.checks.rare.compute import rare
from overproof.checks.rare.result import FamilyLoss, HardBenign, Rare
from overproof.results.typed_json import to_json

if TYPE_CHECKING:
    from overproof.checks.base import CheckContext

    from .conftest import Make

LARGE = {"benign": 5000, "sqli": 4000, "xss": 2000, "ssti": 15}


def emptied(evidence: CheckContext) -> CheckContext:
    """The same models, asked about nothing."""
    models = {name: replace(scored, logits=scored.logits[:0]) for name, scored in evidence.models.items()}
    return replace(evidence, sample=Sample([], [], [], [], [], []), models=models)


def status(known: CheckResult, key: str) -> str:
    """Of a gate."""
    return next(result.status for result in known.gates if result.key == key)


def row(known: CheckResult[Rare], name: str) -> FamilyLoss:
    """Of the table of families."""
    return next(row for row in known.data.families if row.name == name)


def test_a_healthy_student_passes(healthy: CheckContext) -> None:
    found = rare(healthy)
    assert status(found, "rare/family:sqli") == status(found, "rare/family:xss") == "passed"
    assert status(found, "rare/slices") == status(found, "rare/hard-benign") == "passed"
    assert found.data.tested > 5
    assert row(found, "ssti").trained_on == 100
    assert not [f for f in found.gates if f.key == "rare/pooled"]  # no family is rare here


@pytest.mark.parametrize("counts", [None, LARGE])
def test_a_ruined_family_fails_though_accuracy_hardly_moves(make: Make, counts: dict[str, int] | None) -> None:
    evidence = make({QUANTIZED: {"ssti": 1.0}}, counts=counts)
    found = rare(evidence)
    assert status(found, "rare/family:ssti") == "failed"
    assert status(found, "rare/family:sqli") == "passed"
    assert found.status == "failed"
    if counts is LARGE:
        assert evidence.right(FULL).mean() - evidence.right(QUANTIZED).mean() < 0.002
        assert row(found, "ssti").rare and status(found, "rare/pooled") == "failed"


def test_few_events_prove_nothing_and_say_how_many_would(make: Make) -> None:
    found = rare(make(counts=LARGE))
    (result,) = [f for f in found.gates if f.key == "rare/family:ssti"]
    assert result.status == "unmeasured" and result.needed is not None and result.needed > 15
    assert result.message.startswith("unmeasured: 15 events, needs ")


def test_a_lost_slice_is_named_while_every_family_passes(make: Make) -> None:
    """A tenth of the benign events and of the largest family, long and from one source: no family loses 5 %."""
    evidence = make(counts={"benign": 4000, "sqli": 3000, "xss": 900}, training=False)
    n = len(evidence.sample)
    source = ["proxy" if i % 5 else "gateway" for i in range(n)]
    texts = [text + " and more" * 9 if i % 4 == 0 else text for i, text in enumerate(evidence.sample.texts)]
    hidden = np.array([i % 20 == 0 for i in range(n)]) & np.isin(evidence.families.astype(str), ("benign", "sqli"))
    hidden &= np.arange(n) % 3 > 0
    logits = evidence.models[QUANTIZED].logits.copy()
    logits[hidden] = [0, 0, 0, 9]
    models = {**evidence.models, QUANTIZED: replace(evidence.models[QUANTIZED], logits=logits)}
    changed = replace(evidence, models=models, sample=replace(evidence.sample, texts=texts, fields={"source": source}))
    found = rare(changed)
    assert {f.key for f in found.gates if f.status == "failed"} == {"rare/slices"}
    assert status(found, "rare/family:sqli") == status(found, "rare/family:xss") == "passed"
    (result,) = [f for f in found.gates if f.key == "rare/slices"]
    worst = found.data.slices[0]
    assert set(worst.by.split(" and ")) == {"length", "source"} and "gateway" in worst.name
    assert worst.name in result.message and 0.05 < result.low < worst.loss.low


def test_what_the_search_could_have_seen_is_said(healthy: CheckContext) -> None:
    (result,) = [f for f in rare(healthy).gates if f.key == "rare/slices"]
    assert result.value == result.low == result.high == 0
    assert "slices tested together none is shown to lose over 5.00 %" in result.message
    lost = int(result.message.partition("of 50 events, ")[2].split()[0])
    assert 5 < lost < 25 and result.message.endswith("lost would have shown it")


def test_one_lost_session_is_no_lost_family(make: Make) -> None:
    """60 attacks in 12 sessions, of which three are lost, show less than 60 by themselves would."""
    counts = {"benign": 4000, "sqli": 3000, "ssti": 60}
    evidence = make(counts=counts, training=False)
    rows = np.flatnonzero(evidence.families == "ssti")
    logits = evidence.models[FULL].logits.copy()
    logits[rows[:15]] = [9, 0, 0, 0]
    models = {**evidence.models, QUANTIZED: replace(evidence.models[QUANTIZED], logits=logits)}
    alone = replace(evidence, models=models)
    groups = [f"session {(i - rows[0]) // 5}" if i in rows else f"own {i}" for i in range(len(evidence.sample))]
    together = replace(alone, sample=replace(evidence.sample, groups=groups))
    few = [f"session {(i - rows[0]) // 15}" if i in rows else f"own {i}" for i in range(len(evidence.sample))]
    for changed, expected in ((alone, "failed"), (together, "unmeasured")):
        found = rare(changed)
        assert status(found, "rare/pooled") == status(found, "rare/family:ssti") == expected
    found = rare(replace(alone, sample=replace(evidence.sample, groups=few)))
    pooled = next(f for f in found.gates if f.key == "rare/pooled")
    assert pooled.status == "unmeasured" and pooled.units == 4 and "(4 of them independent)" in pooled.message


def test_many_small_families_are_not_accused_by_chance(make: Make) -> None:
    """Each of 40 families loses the limit exactly: without a correction one would fail nearly every time."""
    accused = 0
    for seed in range(20):
        evidence = make(counts={"benign": 400, "sqli": 2400}, training=False, seed=seed)
        random = np.random.default_rng(seed)
        families = ["benign"] * 400 + [f"family-{i % 40}" for i in range(2400)]
        logits = evidence.models[FULL].logits.copy()
        lost = np.flatnonzero(evidence.attacks & (random.random(2800) < 0.05))
        logits[lost] = [9, 0, 0, 0]
        models = {FULL: evidence.models[FULL], QUANTIZED: replace(evidence.models[QUANTIZED], logits=logits)}
        changed = replace(evidence, models=models, sample=replace(evidence.sample, families=families))
        accused += any(f.status == "failed" and "family:" in f.key for f in rare(changed).gates)
    assert accused <= 4  # 5 % of 20 are 1


def test_steps_and_p_values_are_those_of_the_pairs(make: Make) -> None:
    evidence = make({DISTILLED: {"sqli": 0.02}, QUANTIZED: {"sqli": 0.03}, CONTROL: {"sqli": 0.01}})
    found = row(rare(evidence), "sqli")
    right = {name: evidence.right(name)[evidence.families == "sqli"] for name in evidence.models}
    b, c = (right[FULL] & ~right[QUANTIZED]).sum(), (right[QUANTIZED] & ~right[FULL]).sum()
    assert (found.b, found.c) == (b, c) and b > c
    assert found.mcnemar == pytest.approx(reference([[0, b], [c, 0]], exact=True).pvalue)
    assert found.holm is not None and found.mcnemar is not None and found.holm >= found.mcnemar
    assert found.steps["distillation"][0] == (right[FULL] & ~right[DISTILLED]).sum() > 0
    assert found.steps["churn"][1] == (right[CONTROL] & ~right[DISTILLED]).sum() > 0
    share = found.models[BASELINE]
    assert share.k == right[BASELINE].sum() and share.wilson.low < share.k / share.n


def test_hard_benign_events_are_the_full_models_hardest_or_those_marked(make: Make, healthy: CheckContext) -> None:
    evidence = make({QUANTIZED: {"benign": 0.1}})
    assert status(rare(evidence), "rare/hard-benign") == "failed"
    families = ["approved (hard benign)" if i < 120 else None for i in range(len(healthy.sample))]
    marked = rare(replace(healthy, sample=replace(healthy.sample, families=families)))
    hard = marked.data.hard_benign
    assert isinstance(hard, HardBenign) and hard.n == 120 and "marked" in hard.how


def test_the_exemplars_are_where_the_models_part(make: Make) -> None:
    found = rare(make({QUANTIZED: {"ssti": 1.0}})).data.exemplars
    assert found and all(event.verdicts[FULL] != event.verdicts[QUANTIZED] for event in found[:50])
    assert set(to_json(found[0])) == {"origin", "text", "label", "family", "verdicts", "attack"}


def test_odd_events_are_unmeasured_with_a_reason(make: Make, healthy: CheckContext) -> None:
    n = len(healthy.sample)
    nothing = replace(healthy.sample, labels=[None] * n)
    unknown = replace(healthy.sample, labels=["odd"] * n)
    nan = replace(healthy.models[QUANTIZED], logits=np.full_like(healthy.models[FULL].logits, np.nan))
    for evidence in (
        emptied(healthy),
        replace(healthy, models={**healthy.models, QUANTIZED: nan}),
        replace(healthy, sample=replace(healthy.sample, labels=[None, "odd"] * (n // 2), times=["x", None] * (n // 2))),
        make(without=(FULL,)),
        make(counts={"benign": 300}),
        make(counts={"sqli": 300}),
        make(counts={"benign": 1, "sqli": 1}),
        replace(healthy, sample=nothing),
        replace(healthy, sample=unknown),
        replace(healthy, benign=()),
    ):
        found = rare(evidence)
        json.dumps(found.to_json(), allow_nan=False)
        assert all(f.status == "unmeasured" for f in found.gates if f.key == "rare/pooled")
        assert all(f.message.startswith("unmeasured: ") for f in found.gates if f.status == "unmeasured")


@pytest.mark.timeout(60)  # takes about a second; a loop over all pairs of events would take hours
def test_it_does_not_take_long(make: Make) -> None:
    evidence = make(counts={"benign": 5000, "sqli": 4000, "xss": 2000, "ssti": 100})
    random = np.random.default_rng(0)
    fields = {name: [f"{name}-{v}" for v in random.integers(0, 8, len(evidence.sample))] for name in ("a", "b", "c")}
    evidence = replace(evidence, sample=replace(evidence.sample, fields=fields))
    assert rare(evidence).data.tested > 200
