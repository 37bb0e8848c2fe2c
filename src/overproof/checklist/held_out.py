"""Check 5, held-out threats: what the student misses that the full model catches, and on what no one was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from overproof.checklist import rates
from overproof.checklist.families_held_out import families_held_out, novel
from overproof.checklist.interface import (
    DISTILLED,
    FULL,
    QUANTIZED,
    Bools,
    Evidence,
    Finding,
    Known,
    decided,
    unmeasured,
)
from overproof.checklist.pairs import groups_at, loss_decided, mostly, needed_for_share, paired, why_not
from overproof.checklist.phrases import percent_within
from overproof.checklist.shown import event_json
from overproof.checklist.spread import too_few_groups
from overproof.checklist.stats import clopper_pearson, holm
from overproof.checklist.waterfall import waterfall

KEY = "held-out"
MISSES, FALSE_POSITIVES, ALONE = f"{KEY}/misses", f"{KEY}/false-positives", f"{KEY}/quantized-alone"
NO_ATTACKS, NO_BENIGN = "no event is labelled an attack", "no event is labelled benign"
SHOWN = 50

Part = tuple[Finding, Any]  # a finding and its part of the data


def held_out(evidence: Evidence) -> Known:
    """Compare full model and quantized student attack by attack, and both on families that are new to them.

    Where most events have a group, the events of one are not independent: the interval of a net loss is then the
    wider, at either end, of Tango's and of a bootstrap over groups (see `pairs.paired`).
    """
    misses, attacks = _misses(evidence)
    false, benign = _false_positives(evidence)
    unknown, novelty = novel(evidence)
    families, kept_apart = families_held_out(evidence)
    return Known(
        key=KEY,
        title="Held-out threats",
        question="What does the student miss that the full model catches, and what of attacks that are new to both?",
        findings=(misses, false, _quantized_alone(evidence), *unknown, *families),
        data={
            "attacks": attacks,
            "benign": benign,
            "families": _families(evidence),
            "held_out": kept_apart,
            "novel": novelty,
            **_missed(evidence, "missed_by_quantized_alone", FULL, DISTILLED),
            **_missed(evidence, "missed_by_student", FULL),
            "cost": waterfall(evidence),
        },
    )


def _misses(evidence: Evidence) -> Part:
    return _two_by_two(
        evidence,
        MISSES,
        evidence.attacks,
        why_not(evidence, FULL, QUANTIZED) or (None if evidence.attacks.any() else NO_ATTACKS),
        "of {n:,} attacks the quantized student misses {b:,} that the full model catches, and catches {c:,} that it "
        "misses: {loss} lost, net",
        caught=True,
    )


def _false_positives(evidence: Evidence) -> Part:
    return _two_by_two(
        evidence,
        FALSE_POSITIVES,
        evidence.calm,
        why_not(evidence, FULL, QUANTIZED) or (None if evidence.calm.any() else NO_BENIGN),
        "of {n:,} benign events the quantized student flags {b:,} that the full model leaves alone, and leaves alone "
        "{c:,} that it flags: {loss} gained, net",
        caught=False,
    )


def _two_by_two(evidence: Evidence, key: str, rows: Bools, why: str | None, said: str, *, caught: bool) -> Part:
    """Attacks caught (or benign events not caught) by either model, with the finding on the net loss."""
    n = int(rows.sum())
    if why:
        return unmeasured(key, why, evidence.gate(key), events=n), {"unmeasured": why}
    groups = groups_at(evidence, rows)
    full, student = ((evidence.caught(model) == caught)[rows] for model in (FULL, QUANTIZED))
    pairs = paired(full, student, groups, evidence.seed)
    grouped = mostly(groups)
    few = too_few_groups(groups) if grouped else None
    if few:
        return unmeasured(key, few, evidence.gate(key), events=n), pairs.to_json()
    words = said.format(n=n, b=pairs.full_only, c=pairs.student_only, loss=percent_within(pairs.loss))
    return loss_decided(key, words, evidence, pairs, grouped), pairs.to_json()


def _quantized_alone(evidence: Evidence) -> Finding:
    gate, n = evidence.gate(ALONE), int(evidence.attacks.sum())
    why = why_not(evidence, FULL, DISTILLED, QUANTIZED) or (None if n else NO_ATTACKS)
    if why:
        return unmeasured(ALONE, why, gate, events=n)
    k = len(_lost(evidence, FULL, DISTILLED))
    figure = clopper_pearson(k, n)
    said = f"of {n:,} attacks {k:,} are caught by full model and FP32 student and missed after quantization: "
    said += percent_within(figure)
    more = needed_for_share(k, n, gate.limit)
    return decided(ALONE, said, gate, (figure.value, figure.low, figure.high), events=n, needed=more)


def _families(evidence: Evidence) -> list[dict[str, Any]]:
    """Attacks caught in each family, the largest first, with exact two-sided McNemar tests and Holm's correction."""
    if why_not(evidence, FULL, QUANTIZED) or not evidence.attacks.any():
        return []
    names = evidence.families[evidence.attacks].astype(str)
    full, student = (evidence.caught(model)[evidence.attacks] for model in (FULL, QUANTIZED))
    table: list[dict[str, Any]] = []
    for name in np.unique(names).tolist():
        rows = names == name
        table.append({"name": name, **paired(full[rows], student[rows]).to_json()})
    for row, p in zip(table, holm([row["mcnemar"] for row in table]).tolist(), strict=True):
        row["holm"] = p
    return sorted(table, key=lambda row: (-row["n"], row["name"]))


def _lost(evidence: Evidence, *models: str) -> list[int]:
    """Rows of the attacks that all these models catch and the quantized student misses.

    Those that the full model is surest of, compared with the student, come first.
    """
    rows = evidence.attacks & ~evidence.caught(QUANTIZED)
    for model in models:
        rows &= evidence.caught(model)
    found = np.flatnonzero(rows)
    gap = (evidence.attack(FULL) - evidence.attack(QUANTIZED))[found]
    ordered: list[int] = found[np.argsort(-gap, kind="stable")].tolist()
    return ordered


def _missed(evidence: Evidence, name: str, *models: str) -> dict[str, Any]:
    why = why_not(evidence, *models, QUANTIZED)
    if why:
        return {name: {"unmeasured": why}, f"{name}_total": None}
    rows: Sequence[int] = _lost(evidence, *models)
    told = replace(evidence, models={model: evidence.models[model] for model in rates.answering(evidence)})
    return {name: [event_json(told, row) for row in rows[:SHOWN]], f"{name}_total": len(rows)}
