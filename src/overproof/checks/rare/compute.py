"""Compute check 3, rare and edge cases: where compression loses first, and accuracy does not show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from overproof.checks.base import (
    CONFIDENCE,
    FAILED,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    CheckResult,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.formatting import among, change_within, p_value, percent
from overproof.checks.listed_event import ListedEvent, listed_event
from overproof.checks.non_inferiority import Counts, least_loss
from overproof.checks.paired_loss import decide_loss, loss_of
from overproof.checks.pairs import why_not
from overproof.checks.rare import families
from overproof.checks.rare.result import HardBenign, Rare
from overproof.checks.rare.slices import LEAST, Lossy, Verdicts, losing, slices_of
from overproof.checks.reasons import NO_BENIGN
from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured

KEY = "rare"
SLICES, HARD_BENIGN = f"{KEY}/slices", f"{KEY}/hard-benign"
HARDEST = 0.1  # of the benign events, by the full model's attack probability
MARK = re.compile(r"hard[ _-]?benign", re.IGNORECASE)
SHOWN_SLICES, EXEMPLARS = 20, 50
APART = 0.01  # attack probabilities less apart are not worth a look
OF = 50  # the size of slice whose visible loss the message names


def rare(context: CheckContext) -> CheckResult[Rare]:
    """Compare the quantized student with the full model, family by family and slice by slice, on true labels.

    Copies and events of one group count once: see `stats.units`.
    """
    why = why_not(context, FULL, QUANTIZED)
    names = families.families_of(context)
    worst = [] if why else _slices(context)
    hard, hard_data = _hard_benign(context, why)
    return CheckResult(
        key=KEY,
        title="Rare and edge cases",
        question="Which families, slices and hard benign events does the student lose that the full model gets right?",
        gates=(
            *families.pooled(context, names, why),
            _slices_gate(context, why, worst),
            hard,
            *families.gates(context, names, why),
        ),
        data=Rare(
            families=families.table(context, names),
            slices=tuple(part.result() for part in worst[:SHOWN_SLICES]),
            tested=len(worst),
            hard_benign=hard_data,
            exemplars=() if why else _exemplars(context),
        ),
    )


def _slices(context: CheckContext) -> list[Lossy]:
    verdicts = Verdicts(context.right(FULL), context.right(QUANTIZED), context.labelled, context.units)
    return losing(slices_of(context.sample, context.labelled), verdicts, context.gate(SLICES).limit)


def _slices_gate(context: CheckContext, why: str | None, found: Sequence[Lossy]) -> GateResult:
    """Search for harm: it fails where a slice is shown to lose more than the limit, all slices taken together.

    Its figure is the lower limit of the worst slice's loss at Bonferroni's confidence, which Holm's first step is. That
    it passes means that none is shown to lose, and the message says how large a loss would have been.
    """
    gate, n = context.gate(SLICES), int(context.labelled.sum())
    if why or not found:
        return unmeasured(SLICES, why or f"{n:,} labelled events make no slice of {LEAST} or more", gate, events=n)
    worst, confidence = found[0], 1 - (1 - CONFIDENCE) / len(found)
    bound = min(least_loss(counts, confidence) for counts in worst.counts)
    words = (
        f"is shown to lose over {percent(gate.limit)}: in the worst, {worst.by} “{worst.name}”, "
        f"{worst.b:,} of {among(worst.n, 'events', worst.units)} are labelled rightly by the full model alone and "
        f"{worst.c:,} by the student alone, at least {percent(bound)} lost ({p_value(worst.p_holm)} after Holm's "
        f"correction for {len(found):,} slices)"
    )
    tested = f"of {len(found):,} slices tested together"
    measured = Measured(Interval(bound, bound, bound), n, units=context.units.take(context.labelled).count)
    measured = replace(measured, correction=f"Holm for {len(found):,} slices")
    result = decided(SLICES, f"{tested} none {words}", gate, measured)
    if result.status == FAILED:
        return decided(SLICES, f"{tested} one or more {words}", gate, measured)
    seen = next((b for b in range(1, OF + 1) if least_loss(Counts(OF, b, 0), confidence) > gate.limit), None)
    much = f"of {OF} events none would" if seen is None else f"of {OF} events, {seen} lost would"
    return decided(SLICES, f"{tested} none {words}; {much} have shown it", gate, measured)


def _hard_benign(context: CheckContext, why: str | None) -> tuple[GateResult, HardBenign | NotMeasured]:
    gate = context.gate(HARD_BENIGN)
    if not why and not context.benign_events.any():
        why = NO_BENIGN
    if why:
        return unmeasured(HARD_BENIGN, why, gate), NotMeasured(why)
    rows, how = _hardest(context)
    loss = loss_of(context, rows, ~context.detected(FULL), ~context.detected(QUANTIZED))
    pairs = loss.pairs
    message = (
        f"of {among(pairs.n, 'hard benign events', pairs.units.count)} ({how}) the quantized student alone flags "
        f"{pairs.full_only:,} and the full model alone {pairs.student_only:,}"
    )
    data = HardBenign(pairs.n, pairs.full_only, pairs.student_only, pairs.loss, how)

    def described(figure: Interval) -> str:
        return f"{message}: {change_within(figure, 'more flagged', 'fewer flagged')}, net"

    return decide_loss(HARD_BENIGN, context, loss, described), data


def _hardest(context: CheckContext) -> tuple[Bools, str]:
    """Choose the hard benign events, shape (n,), and say how."""
    marked = context.benign_events & np.array([bool(MARK.search(str(name))) for name in context.families], dtype=bool)
    if marked.any():
        return marked, "of families marked so"
    benign = np.flatnonzero(context.benign_events)
    count = max(1, round(HARDEST * len(benign)))
    marked[benign[np.argsort(-context.attack(FULL)[benign], kind="stable")[:count]]] = True
    return marked, f"the {percent(HARDEST)} of the benign ones that the full model finds most like attacks"


def _exemplars(context: CheckContext) -> tuple[ListedEvent, ...]:
    """List compression-identified exemplars (Hooker et al. 2019, 2020): where full model and student differ most.

    Events that they label otherwise come first, then by the distance of their attack probabilities.
    """
    apart = np.abs(context.attack(FULL) - context.attack(QUANTIZED))
    other = context.labels(FULL) != context.labels(QUANTIZED)
    order = np.argsort(-(apart + other), kind="stable")[:EXEMPLARS]
    return tuple(listed_event(context, int(row)) for row in order if apart[row] + other[row] > APART)
