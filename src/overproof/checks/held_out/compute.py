"""Check 5, held-out threats: what the student misses that the full model catches, and on what no one was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from overproof.checks import rates
from overproof.checks.base import (
    DISTILLED,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    CheckResult,
    GateResult,
    decided,
    unmeasured,
)
from overproof.checks.formatting import percent_within
from overproof.checks.held_out.families import families_held_out, novel
from overproof.checks.held_out.waterfall import waterfall
from overproof.checks.interval_width import too_few_groups
from overproof.checks.listed_event import listed_event
from overproof.checks.pairs import groups_at, loss_decided, mostly, needed_for_share, paired, why_not
from overproof.checks.stats import clopper_pearson, holm
from overproof.results.typed_json import to_json

KEY = "held-out"
MISSES, FALSE_POSITIVES, ALONE = f"{KEY}/misses", f"{KEY}/false-positives", f"{KEY}/quantized-alone"
NO_ATTACKS, NO_BENIGN = "no event is labelled an attack", "no event is labelled benign"
SHOWN = 50

Part = tuple[GateResult, Any]  # a finding and its part of the data


def held_out(context: CheckContext) -> CheckResult[Any]:
    """Compare full model and quantized student attack by attack, and both on families that are new to them.

    Where most events have a group, the events of one are not independent: the interval of a net loss is then the
    wider, at either end, of Tango's and of a bootstrap over groups (see `pairs.paired`).
    """
    misses, attacks = _misses(context)
    false, benign = _false_positives(context)
    unknown, novelty = novel(context)
    families, kept_apart = families_held_out(context)
    return CheckResult(
        key=KEY,
        title="Held-out threats",
        question="What does the student miss that the full model catches, and what of attacks that are new to both?",
        gates=(misses, false, _quantized_alone(context), *unknown, *families),
        data={
            "attacks": attacks,
            "benign": benign,
            "families": _families(context),
            "held_out": kept_apart,
            "novel": novelty,
            **_missed(context, "missed_by_quantized_alone", FULL, DISTILLED),
            **_missed(context, "missed_by_student", FULL),
            "cost": waterfall(context),
        },
    )


def _misses(context: CheckContext) -> Part:
    return _two_by_two(
        context,
        MISSES,
        context.attacks,
        why_not(context, FULL, QUANTIZED) or (None if context.attacks.any() else NO_ATTACKS),
        "of {n:,} attacks the quantized student misses {b:,} that the full model catches, and catches {c:,} that it "
        "misses: {loss} lost, net",
        detected=True,
    )


def _false_positives(context: CheckContext) -> Part:
    return _two_by_two(
        context,
        FALSE_POSITIVES,
        context.benign_events,
        why_not(context, FULL, QUANTIZED) or (None if context.benign_events.any() else NO_BENIGN),
        "of {n:,} benign events the quantized student flags {b:,} that the full model leaves alone, and leaves alone "
        "{c:,} that it flags: {loss} gained, net",
        detected=False,
    )


def _two_by_two(context: CheckContext, key: str, rows: Bools, why: str | None, message: str, *, detected: bool) -> Part:
    """Attacks caught (or benign events not caught) by either model, with the finding on the net loss."""
    n = int(rows.sum())
    if why:
        return unmeasured(key, why, context.gate(key), events=n), {"unmeasured": why}
    groups = groups_at(context, rows)
    full, student = ((context.detected(model) == detected)[rows] for model in (FULL, QUANTIZED))
    pairs = paired(full, student, groups, context.seed)
    grouped = mostly(groups)
    few = too_few_groups(groups) if grouped else None
    if few:
        return unmeasured(key, few, context.gate(key), events=n), to_json(pairs.result())
    words = message.format(n=n, b=pairs.full_only, c=pairs.student_only, loss=percent_within(pairs.loss))
    return loss_decided(key, words, context, pairs, grouped), to_json(pairs.result())


def _quantized_alone(context: CheckContext) -> GateResult:
    gate, n = context.gate(ALONE), int(context.attacks.sum())
    why = why_not(context, FULL, DISTILLED, QUANTIZED) or (None if n else NO_ATTACKS)
    if why:
        return unmeasured(ALONE, why, gate, events=n)
    k = len(_lost(context, FULL, DISTILLED))
    figure = clopper_pearson(k, n)
    message = f"of {n:,} attacks {k:,} are caught by full model and FP32 student and missed after quantization: "
    message += percent_within(figure)
    more = needed_for_share(k, n, gate.limit)
    return decided(ALONE, message, gate, (figure.value, figure.low, figure.high), events=n, needed=more)


def _families(context: CheckContext) -> list[dict[str, Any]]:
    """Attacks caught in each family, the largest first, with exact two-sided McNemar tests and Holm's correction."""
    if why_not(context, FULL, QUANTIZED) or not context.attacks.any():
        return []
    names = context.families[context.attacks].astype(str)
    full, student = (context.detected(model)[context.attacks] for model in (FULL, QUANTIZED))
    table: list[dict[str, Any]] = []
    for name in np.unique(names).tolist():
        rows = names == name
        table.append({"name": name, **to_json(paired(full[rows], student[rows]).result())})
    for row, p in zip(table, holm([row["mcnemar"] for row in table]).tolist(), strict=True):
        row["holm"] = p
    return sorted(table, key=lambda row: (-row["n"], row["name"]))


def _lost(context: CheckContext, *models: str) -> list[int]:
    """Rows of the attacks that all these models catch and the quantized student misses.

    Those that the full model is surest of, compared with the student, come first.
    """
    rows = context.attacks & ~context.detected(QUANTIZED)
    for model in models:
        rows &= context.detected(model)
    found = np.flatnonzero(rows)
    gap = (context.attack(FULL) - context.attack(QUANTIZED))[found]
    ordered: list[int] = found[np.argsort(-gap, kind="stable")].tolist()
    return ordered


def _missed(context: CheckContext, name: str, *models: str) -> dict[str, Any]:
    why = why_not(context, *models, QUANTIZED)
    if why:
        return {name: {"unmeasured": why}, f"{name}_total": None}
    rows: Sequence[int] = _lost(context, *models)
    told = replace(context, models={model: context.models[model] for model in rates.answering(context)})
    return {name: [to_json(listed_event(told, row)) for row in rows[:SHOWN]], f"{name}_total": len(rows)}
