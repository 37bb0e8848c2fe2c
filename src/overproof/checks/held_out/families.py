"""Families that are new to the models: because training never met them, or because it was made to do without."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.checks import rates
from overproof.checks.base import (
    CONFIDENCE,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    GateResult,
    HeldOut,
    Training,
    unmeasured,
)
from overproof.checks.formatting import percent_within
from overproof.checks.interval_width import too_few_groups
from overproof.checks.pairs import groups_at, loss_decided, mostly, paired, share, why_not
from overproof.checks.reasons import NO_TRAINING

NOVEL, FAMILY = "held-out/novel", "held-out/family"
NONE_NEW = "no family of these events is new to the student; --hold-out FAMILY trains without one"
NAMED = 5


def novel(context: CheckContext) -> tuple[tuple[GateResult, ...], Any]:
    """Attacks of families that the training events do not have, pooled.

    Returns
    -------
    tuple
        The finding, and its part of the data. No finding where there is no such attack but families were held out
        of training: those have findings of their own.
    """
    gate = context.gate(NOVEL)
    why = why_not(context, FULL, QUANTIZED)
    rows = np.zeros(len(context.sample), dtype=bool)
    if not why and context.training is None:
        why = NO_TRAINING
    elif not why and context.training is not None:
        known = _met(context.training)
        rows = context.attacks & np.array([name not in known for name in context.families], dtype=bool)
        why = None if rows.any() else NONE_NEW
    if why:
        spared = why == NONE_NEW and context.held_out
        return () if spared else (unmeasured(NOVEL, why, gate, events=int(rows.sum())),), {"unmeasured": why}
    return _pooled(context, rows)


def _met(training: Training) -> set[str]:
    """Families and labels of the training events; an event without family has its label for one."""
    return {name for names in (training.train.families, training.train.labels) for name in names if name is not None}


def _pooled(context: CheckContext, rows: Bools) -> tuple[tuple[GateResult, ...], dict[str, Any]]:
    names, groups = sorted({str(name) for name in context.families[rows]}), groups_at(context, rows)
    full, student = (context.detected(model)[rows] for model in (FULL, QUANTIZED))
    pairs, grouped = paired(full, student, groups, context.seed), mostly(groups)
    listed = ", ".join(f"“{name}”" for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    message = (
        f"of {pairs.n:,} attacks of {len(names)} families that training never met ({listed}) the quantized student "
    )
    message += f"misses {pairs.full_only:,} that the full model catches, and catches {pairs.student_only:,} that it "
    message += f"misses: {percent_within(pairs.loss)} lost, net"
    few = too_few_groups(groups) if grouped else None
    result = (
        unmeasured(NOVEL, few, context.gate(NOVEL), events=pairs.n)
        if few
        else loss_decided(NOVEL, message, context, pairs, grouped)
    )
    models = {m: share(int(context.detected(m)[rows].sum()), pairs.n) for m in rates.answering(context)}
    return (result,), {"families": names, "n": pairs.n, "models": models, "loss": pairs.loss.to_json()}


def families_held_out(context: CheckContext) -> tuple[tuple[GateResult, ...], list[dict[str, Any]]]:
    """Families that all models were trained without, and then shown.

    Several families are tested, so a low end holds for all of them together (Bonferroni): none fails by chance because
    they are many. To pass, each must pass by itself.
    """
    return (
        tuple(_finding(context, held, len(context.held_out)) for held in context.held_out),
        [_entry(context, held) for held in context.held_out],
    )


def _finding(context: CheckContext, held: HeldOut, tests: int) -> GateResult:
    key, n = f"{FAMILY}:{held.family}", len(held.rows)
    why = None if n else f"no event of the family “{held.family}”"
    for model in (FULL, QUANTIZED):
        if why is None and model not in held.detected:
            why = held.absent.get(model, f"no {model} model was trained without the family “{held.family}”")
    groups = [context.sample.groups[row] for row in held.rows.tolist()]
    grouped = mostly(groups)
    if why is None and grouped:
        why = too_few_groups(groups)
    if why:
        return unmeasured(key, why, context.gate(key), events=n)
    full, student = held.detected[FULL], held.detected[QUANTIZED]
    pairs = paired(full, student, groups, context.seed)
    together = paired(full, student, groups, context.seed, 1 - (1 - CONFIDENCE) / tests)
    message = f"trained without “{held.family}” and shown {n:,} such attacks, the quantized student misses "
    message += f"{pairs.full_only:,} that the full model catches, and catches {pairs.student_only:,} that it misses: "
    message += f"{percent_within(pairs.loss)} lost, net"
    return loss_decided(key, message, context, pairs, grouped, together.loss.low)


def _entry(context: CheckContext, held: HeldOut) -> dict[str, Any]:
    n = len(held.rows)
    return {
        "family": held.family,
        "n": n,
        "without": {model: share(int(detected.sum()), n) for model, detected in held.detected.items()},
        "with": {model: share(int(context.detected(model)[held.rows].sum()), n) for model in rates.answering(context)},
        "false_positives": {model: share(k, of) for model, (k, of) in held.false_positives.items()},
        "absent": dict(held.absent),
    }
