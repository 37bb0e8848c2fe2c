"""Compute check 5, held-out threats: what the student misses that the full model detects, and what is new to both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from overproof.checks import rates
from overproof.checks.base import (
    DISTILLED,
    FULL,
    QUANTIZED,
    CheckContext,
    CheckResult,
    GateResult,
    decided,
    unmeasured,
)
from overproof.checks.formatting import among, change_within, percent_within
from overproof.checks.held_out.families import families_held_out, novel
from overproof.checks.held_out.result import FamilyPairs, HeldOutThreats
from overproof.checks.held_out.waterfall import waterfall
from overproof.checks.listed_event import ListedEvent, listed_event
from overproof.checks.pairs import PairedLoss, loss_measured, paired, share_measured, why_not
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN
from overproof.checks.stats import holm
from overproof.results.typed_json import NotMeasured

KEY = "held-out"
ALONE = f"{KEY}/quantized-alone"
SHOWN = 50


@dataclass(frozen=True)
class _Events:
    """The events of one kind, and what is asked of them.

    Attributes
    ----------
    key
        Of the gate.
    attacks
        Whether they are the attacks, which a model handles well if it detects them, or the benign events.
    none
        Why nothing can be measured if there are none.
    message
        The message of the gate, with places for the counts.
    more, fewer
        What a loss is, and what a gain.
    """

    key: str
    attacks: bool
    none: str
    message: str
    more: str = "lost"
    fewer: str = "gained"


MISSES = _Events(
    f"{KEY}/misses",
    True,
    NO_ATTACKS,
    "of {events} the quantized student misses {b:,} that the full model detects, and detects {c:,} that it misses",
)
FALSE_POSITIVES = _Events(
    f"{KEY}/false-positives",
    False,
    NO_BENIGN,
    "of {events} the quantized student flags {b:,} that the full model leaves alone, and leaves alone {c:,} that it "
    "flags",
    more="more flagged",
    fewer="fewer flagged",
)


def held_out(context: CheckContext) -> CheckResult[HeldOutThreats]:
    """Compare full model and quantized student attack by attack, and both on families that are new to them.

    Copies and events of one group count once: the interval of a net loss is the widest of Tango's by plain events and
    by each way in which they hang together (see `stats.units`).
    """
    misses, attacks = _two_by_two(context, MISSES)
    false_positives, benign = _two_by_two(context, FALSE_POSITIVES)
    novel_gates, novel_families = novel(context)
    family_gates, held_out_families = families_held_out(context)
    alone, student = _missed(context, FULL, DISTILLED), _missed(context, FULL)
    return CheckResult(
        key=KEY,
        title="Held-out threats",
        question="What does the student miss that the full model detects, and what of attacks that are new to both?",
        gates=(misses, false_positives, _quantized_alone(context), *novel_gates, *family_gates),
        data=HeldOutThreats(
            attacks=attacks,
            benign=benign,
            families=_families(context),
            held_out=held_out_families,
            novel=novel_families,
            missed_by_quantized_alone=alone if isinstance(alone, NotMeasured) else _listed(context, alone),
            missed_by_quantized_alone_total=None if isinstance(alone, NotMeasured) else len(alone),
            missed_by_student=student if isinstance(student, NotMeasured) else _listed(context, student),
            missed_by_student_total=None if isinstance(student, NotMeasured) else len(student),
            cost=waterfall(context),
        ),
    )


def _two_by_two(context: CheckContext, events: _Events) -> tuple[GateResult, PairedLoss | NotMeasured]:
    """Count the events that either model handles well, and decide on the net loss."""
    rows = context.attacks if events.attacks else context.benign_events
    n = int(rows.sum())
    why = why_not(context, FULL, QUANTIZED) or (None if n else events.none)
    if why:
        return unmeasured(events.key, why, context.gate(events.key), events=n), NotMeasured(why)
    full, student = ((context.detected(model) == events.attacks)[rows] for model in (FULL, QUANTIZED))
    pairs = paired(full, student, context.units.take(rows))
    counted = among(n, "attacks" if events.attacks else "benign events", pairs.units.count)
    message = events.message.format(events=counted, b=pairs.full_only, c=pairs.student_only)
    change = change_within(pairs.loss, events.more, events.fewer)
    gate = context.gate(events.key)
    return decided(events.key, f"{message}: {change}, net", gate, loss_measured(pairs, gate.limit)), pairs.result()


def _quantized_alone(context: CheckContext) -> GateResult:
    gate, n = context.gate(ALONE), int(context.attacks.sum())
    why = why_not(context, FULL, DISTILLED, QUANTIZED) or (None if n else NO_ATTACKS)
    if why:
        return unmeasured(ALONE, why, gate, events=n)
    lost, units = np.zeros(len(context.sample), dtype=bool), context.units.take(context.attacks)
    lost[_lost(context, FULL, DISTILLED)] = True
    measured = share_measured(lost[context.attacks], units, gate.limit)
    message = f"of {among(n, 'attacks', units.count)} {int(lost.sum()):,} are detected by full model and FP32 student "
    message += f"and missed after quantization: {percent_within(measured.figure)}"
    return decided(ALONE, message, gate, measured)


def _families(context: CheckContext) -> tuple[FamilyPairs, ...]:
    """Compare each family, the largest first, with exact two-sided McNemar tests and Holm's correction."""
    if why_not(context, FULL, QUANTIZED) or not context.attacks.any():
        return ()
    names = context.families[context.attacks].astype(str)
    full, student = (context.detected(model)[context.attacks] for model in (FULL, QUANTIZED))
    units = context.units.take(context.attacks)
    compared: dict[str, PairedLoss] = {}
    for name in np.unique(names).tolist():
        rows = names == name
        compared[name] = paired(full[rows], student[rows], units.take(rows)).result()
    corrected = holm([pairs.mcnemar for pairs in compared.values()]).tolist()
    table = [
        FamilyPairs(name, **vars(pairs), holm=p) for (name, pairs), p in zip(compared.items(), corrected, strict=True)
    ]
    return tuple(sorted(table, key=lambda row: (-row.n, row.name)))


def _lost(context: CheckContext, *models: str) -> list[int]:
    """List the rows of the attacks that all these models detect and the quantized student misses.

    Those that the full model is surest of, compared with the student, come first.
    """
    rows = context.attacks & ~context.detected(QUANTIZED)
    for model in models:
        rows &= context.detected(model)
    found = np.flatnonzero(rows)
    gap = (context.attack(FULL) - context.attack(QUANTIZED))[found]
    ordered: list[int] = found[np.argsort(-gap, kind="stable")].tolist()
    return ordered


def _missed(context: CheckContext, *models: str) -> list[int] | NotMeasured:
    why = why_not(context, *models, QUANTIZED)
    return NotMeasured(why) if why else _lost(context, *models)


def _listed(context: CheckContext, rows: list[int]) -> tuple[ListedEvent, ...]:
    answering = replace(context, models={model: context.models[model] for model in rates.answering(context)})
    return tuple(listed_event(answering, row) for row in rows[:SHOWN])
