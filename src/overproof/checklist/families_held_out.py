"""Families that are new to the models: because training never met them, or because it was made to do without."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.checklist import rates
from overproof.checklist.interface import (
    CONFIDENCE,
    FULL,
    QUANTIZED,
    Bools,
    Evidence,
    Finding,
    HeldOut,
    Training,
    unmeasured,
)
from overproof.checklist.own_data import NO_TRAINING
from overproof.checklist.pairs import groups_at, loss_decided, mostly, paired, share, why_not
from overproof.checklist.phrases import percent_within
from overproof.checklist.spread import too_few_groups

NOVEL, FAMILY = "held-out/novel", "held-out/family"
NONE_NEW = "no family of these events is new to the student; --hold-out FAMILY trains without one"
NAMED = 5


def novel(evidence: Evidence) -> tuple[tuple[Finding, ...], Any]:
    """Attacks of families that the training events do not have, pooled.

    Returns
    -------
    tuple
        The finding, and its part of the data. No finding where there is no such attack but families were held out
        of training: those have findings of their own.
    """
    gate = evidence.gate(NOVEL)
    why = why_not(evidence, FULL, QUANTIZED)
    rows = np.zeros(len(evidence.sample), dtype=bool)
    if not why and evidence.training is None:
        why = NO_TRAINING
    elif not why and evidence.training is not None:
        known = _met(evidence.training)
        rows = evidence.attacks & np.array([name not in known for name in evidence.families], dtype=bool)
        why = None if rows.any() else NONE_NEW
    if why:
        spared = why == NONE_NEW and evidence.held_out
        return () if spared else (unmeasured(NOVEL, why, gate, events=int(rows.sum())),), {"unmeasured": why}
    return _pooled(evidence, rows)


def _met(training: Training) -> set[str]:
    """Families and labels of the training events; an event without family has its label for one."""
    return {name for names in (training.train.families, training.train.labels) for name in names if name is not None}


def _pooled(evidence: Evidence, rows: Bools) -> tuple[tuple[Finding, ...], dict[str, Any]]:
    names, groups = sorted({str(name) for name in evidence.families[rows]}), groups_at(evidence, rows)
    full, student = (evidence.caught(model)[rows] for model in (FULL, QUANTIZED))
    pairs, grouped = paired(full, student, groups, evidence.seed), mostly(groups)
    listed = ", ".join(f"“{name}”" for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    said = f"of {pairs.n:,} attacks of {len(names)} families that training never met ({listed}) the quantized student "
    said += f"misses {pairs.full_only:,} that the full model catches, and catches {pairs.student_only:,} that it "
    said += f"misses: {percent_within(pairs.loss)} lost, net"
    few = too_few_groups(groups) if grouped else None
    finding = (
        unmeasured(NOVEL, few, evidence.gate(NOVEL), events=pairs.n)
        if few
        else loss_decided(NOVEL, said, evidence, pairs, grouped)
    )
    models = {m: share(int(evidence.caught(m)[rows].sum()), pairs.n) for m in rates.answering(evidence)}
    return (finding,), {"families": names, "n": pairs.n, "models": models, "loss": pairs.loss.to_json()}


def families_held_out(evidence: Evidence) -> tuple[tuple[Finding, ...], list[dict[str, Any]]]:
    """Families that all models were trained without, and then shown.

    Several families are tested, so a low end holds for all of them together (Bonferroni): none fails by chance because
    they are many. To pass, each must pass by itself.
    """
    return (
        tuple(_finding(evidence, held, len(evidence.held_out)) for held in evidence.held_out),
        [_entry(evidence, held) for held in evidence.held_out],
    )


def _finding(evidence: Evidence, held: HeldOut, tests: int) -> Finding:
    key, n = f"{FAMILY}:{held.family}", len(held.rows)
    why = None if n else f"no event of the family “{held.family}”"
    for model in (FULL, QUANTIZED):
        if why is None and model not in held.caught:
            why = held.absent.get(model, f"no {model} model was trained without the family “{held.family}”")
    groups = [evidence.sample.groups[row] for row in held.rows.tolist()]
    grouped = mostly(groups)
    if why is None and grouped:
        why = too_few_groups(groups)
    if why:
        return unmeasured(key, why, evidence.gate(key), events=n)
    full, student = held.caught[FULL], held.caught[QUANTIZED]
    pairs = paired(full, student, groups, evidence.seed)
    together = paired(full, student, groups, evidence.seed, 1 - (1 - CONFIDENCE) / tests)
    said = f"trained without “{held.family}” and shown {n:,} such attacks, the quantized student misses "
    said += f"{pairs.full_only:,} that the full model catches, and catches {pairs.student_only:,} that it misses: "
    said += f"{percent_within(pairs.loss)} lost, net"
    return loss_decided(key, said, evidence, pairs, grouped, together.loss.low)


def _entry(evidence: Evidence, held: HeldOut) -> dict[str, Any]:
    n = len(held.rows)
    return {
        "family": held.family,
        "n": n,
        "without": {model: share(int(caught.sum()), n) for model, caught in held.caught.items()},
        "with": {model: share(int(evidence.caught(model)[held.rows].sum()), n) for model in rates.answering(evidence)},
        "false_positives": {model: share(k, of) for model, (k, of) in held.false_positives.items()},
        "absent": dict(held.absent),
    }
