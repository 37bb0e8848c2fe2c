"""Test families that are new to the models: training never met them, or was made to do without."""

from __future__ import annotations

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
from overproof.checks.family_loss import Harm, correction, family_gate
from overproof.checks.formatting import among
from overproof.checks.held_out.result import HeldOutFamily, NovelFamilies
from overproof.checks.pairs import loss_gate, paired, share, why_not
from overproof.checks.reasons import NO_TRAINING
from overproof.checks.stats import difference_within
from overproof.results.typed_json import NotMeasured

NOVEL, FAMILY = "held-out/novel", "held-out/family"
NONE_NEW = "no family of these events is new to the student; --hold-out FAMILY trains without one"
NAMED = 5


def novel(context: CheckContext) -> tuple[tuple[GateResult, ...], NovelFamilies | NotMeasured]:
    """Compare the models on attacks of families that the training events do not have, pooled.

    Returns
    -------
    tuple
        The gate's result, and its part of the data. No result where there is no such attack but families were held
        out of training: those have results of their own.
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
        return () if spared else (unmeasured(NOVEL, why, gate, events=int(rows.sum())),), NotMeasured(why)
    return _pooled(context, rows)


def _met(training: Training) -> set[str]:
    """List families and labels of the training events; an event without family has its label for one."""
    return {name for names in (training.train.families, training.train.labels) for name in names if name is not None}


def _pooled(context: CheckContext, rows: Bools) -> tuple[tuple[GateResult, ...], NovelFamilies]:
    names = sorted({str(name) for name in context.families[rows]})
    full, student = (context.detected(model)[rows] for model in (FULL, QUANTIZED))
    pairs = paired(full, student, context.units.take(rows))
    listed = ", ".join(f"“{name}”" for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    attacks = among(pairs.n, "attacks", pairs.units.count)
    message = f"of {attacks} of {len(names)} families that training never met ({listed}) "
    message += f"the quantized student misses {pairs.full_only:,} that the full model detects, and detects "
    message += f"{pairs.student_only:,} that it misses"
    models = {m: share(int(context.detected(m)[rows].sum()), pairs.n) for m in rates.answering(context)}
    return (loss_gate(NOVEL, message, context, pairs),), NovelFamilies(tuple(names), pairs.n, models, pairs.loss)


def families_held_out(context: CheckContext) -> tuple[tuple[GateResult, ...], tuple[HeldOutFamily, ...]]:
    """Compare the models on families that all were trained without, and then met.

    To pass, each must by itself, by what the student loses of it: what it gains elsewhere in the family makes up for
    nothing. Failing takes a net loss, and holds for all families together (Bonferroni): none fails by chance.
    """
    return (
        tuple(_gate(context, held, len(context.held_out)) for held in context.held_out),
        tuple(_entry(context, held) for held in context.held_out),
    )


def _gate(context: CheckContext, held: HeldOut, tests: int) -> GateResult:
    key, n = f"{FAMILY}:{held.family}", len(held.rows)
    why = None if n else f"no event of the family “{held.family}”"
    for model in (FULL, QUANTIZED):
        if why is None and model not in held.detected:
            why = held.absent.get(model, f"no {model} model was trained without the family “{held.family}”")
    if why:
        return unmeasured(key, why, context.gate(key), events=n)
    units = context.units.take(held.rows)
    pairs = paired(held.detected[FULL], held.detected[QUANTIZED], units)
    net = difference_within(pairs.lost, units, 1 - (1 - CONFIDENCE) / tests)
    attacks = (
        f"trained without “{held.family}” and shown {among(n, 'such attacks', units.count)}, the quantized student"
    )
    message = f"{attacks} misses {pairs.full_only:,} that the full model detects, and detects {pairs.student_only:,} "
    return family_gate(key, f"{message}that it misses", context, pairs, Harm(net.low, correction("Bonferroni", tests)))


def _entry(context: CheckContext, held: HeldOut) -> HeldOutFamily:
    n = len(held.rows)
    detected = {model: context.detected(model)[held.rows] for model in rates.answering(context)}
    return HeldOutFamily(
        family=held.family,
        n=n,
        trained_without={model: share(int(found.sum()), n) for model, found in held.detected.items()},
        trained_with={model: share(int(found.sum()), n) for model, found in detected.items()},
        false_positives={model: share(k, of) for model, (k, of) in held.false_positives.items()},
        absent=dict(held.absent),
    )
