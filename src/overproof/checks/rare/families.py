"""Compare the models in each family, the rare ones above all: does the student lose one?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overproof.checks import rates
from overproof.checks.base import (
    CONFIDENCE,
    CONTROL,
    DISTILLED,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    GateResult,
    unmeasured,
)
from overproof.checks.family_loss import Harm, correction, family_gate
from overproof.checks.formatting import among, change_within
from overproof.checks.paired_loss import Loss, decide_loss, loss_of
from overproof.checks.pairs import Pairs
from overproof.checks.rare.result import FamilyLoss, RightLabels, Step
from overproof.checks.reasons import NO_ATTACKS
from overproof.checks.stats import clopper_pearson, holm, mcnemar, wilson

POOLED, FAMILY = "rare/pooled", "rare/family"
RARE_SHARE = 0.01  # of the labelled events: below, a family is rare
NAMED = 5
STEPS: Mapping[Step, tuple[str, str]] = {
    "distillation": (FULL, DISTILLED),
    "quantization": (DISTILLED, QUANTIZED),
    "churn": (DISTILLED, CONTROL),
}


@dataclass(frozen=True)
class Family:
    """The events of one family.

    Attributes
    ----------
    name, rows
        Its name, and which events, shape (n,).
    n
        How many.
    rare, attacks
        Whether it is rare, and whether any of them is an attack.
    loss
        What the student loses in it; None where the full model cannot be asked.
    """

    name: str
    rows: Bools
    n: int
    rare: bool
    attacks: bool
    loss: Loss | None


def families_of(context: CheckContext) -> tuple[Family, ...]:
    """Find all families of the labelled events by name, benign ones too."""
    asked = {FULL, QUANTIZED} <= set(rates.answering(context))
    full, student = (context.right(model) if asked else None for model in (FULL, QUANTIZED))
    sizes = Counter(name for name in context.families if name is not None)
    found = []
    for name, n in sorted(sizes.items()):
        rows = np.asarray(context.families == name, dtype=bool)
        loss = None if full is None or student is None else loss_of(context, rows, full, student)
        rare = n < RARE_SHARE * sizes.total()
        found.append(Family(name, rows, n, rare, bool((rows & context.attacks).any()), loss))
    return tuple(found)


def table(context: CheckContext, families: tuple[Family, ...]) -> tuple[FamilyLoss, ...]:
    """Make a row for each family; b are negative flips (Yan et al. 2021).

    McNemar's exact two-sided p-values are corrected for the number of families (Holm).
    """
    right = {model: context.right(model) for model in rates.answering(context)}
    trained = None if context.training is None else context.training.train
    met = None
    if trained is not None:
        met = Counter(f or label for f, label in zip(trained.families, trained.labels, strict=True))
    p = {f.name: mcnemar(f.loss.pairs.full_only, f.loss.pairs.student_only) for f in families if f.loss}
    corrected = dict(zip(p, holm(list(p.values())).tolist(), strict=True))
    rows = []
    for family in families:
        pairs = family.loss.pairs if family.loss else None
        row = FamilyLoss(
            name=family.name,
            n=family.n,
            units=context.units.take(family.rows).count,
            rare=family.rare,
            trained_on=None if met is None else met[family.name],
            models={model: _right(int(of[family.rows].sum()), family.n) for model, of in right.items()},
            b=pairs.full_only if pairs else None,
            c=pairs.student_only if pairs else None,
            mcnemar=p.get(family.name),
            holm=corrected.get(family.name),
            loss=pairs.loss if pairs else None,
            steps=_steps(right, family.rows),
        )
        rows.append(row)
    return tuple(rows)


def pooled(context: CheckContext, families: tuple[Family, ...], why: str | None) -> tuple[GateResult, ...]:
    """Decide on the attacks of all rare families together; nothing where there are attacks and no family is rare."""
    rare = [family for family in families if family.rare and family.attacks]
    rows = context.attacks & np.logical_or.reduce([family.rows for family in rare], axis=0, initial=False)
    if not why and not context.attacks.any():
        why = NO_ATTACKS
    if why:
        return (unmeasured(POOLED, why, context.gate(POOLED), events=int(rows.sum())),)
    if not rare:
        return ()
    loss = loss_of(context, rows, context.right(FULL), context.right(QUANTIZED))
    named = ", ".join(f"“{family.name}”" for family in rare[:NAMED]) + (", …" if len(rare) > NAMED else "")
    message = f"{_counted(loss.pairs, 'attacks')} of rare families ({named}) {_right_alone(loss.pairs)}"
    return (decide_loss(POOLED, context, loss, lambda figure: f"{message}: {change_within(figure)}, net"),)


def gates(context: CheckContext, families: tuple[Family, ...], why: str | None) -> tuple[GateResult, ...]:
    """Decide on each attack family. To pass, each must by itself; failing is corrected for the number of families.

    The low end is moved down to the limit where the test that more than the limit is lost does not stand after Holm's
    correction: the interval then proves nothing.
    """
    gate, attacks = context.gate(FAMILY), [family for family in families if family.attacks]
    if why:
        return tuple(unmeasured(f"{FAMILY}:{f.name}", why, gate, events=f.n) for f in attacks)
    compared = [(family, family.loss) for family in attacks if family.loss]
    corrected = holm([loss.excess_p(gate.limit) for _, loss in compared]).tolist()
    found = []
    for (family, loss), p in zip(compared, corrected, strict=True):
        low = min(loss.pairs.loss.low, loss.at_least())
        harm = Harm(low if p <= 1 - CONFIDENCE else min(low, gate.limit), correction("Holm", len(compared)))
        message = f"“{family.name}”: {_counted(loss.pairs, 'events')} {_right_alone(loss.pairs)}"
        found.append(family_gate(f"{FAMILY}:{family.name}", message, context, loss.pairs, harm))
    return tuple(found)


def _counted(pairs: Pairs, what: str) -> str:
    return f"of {among(pairs.n, what, pairs.units.count)}"


def _right_alone(pairs: Pairs) -> str:
    """Say who alone gives how many events their true label; how many both do is no part of it."""
    b, c = pairs.full_only, pairs.student_only
    return f"{b:,} are labelled rightly by the full model alone and {c:,} by the quantized student alone"


def _right(k: int, n: int) -> RightLabels:
    return RightLabels(k, n, wilson(k, n), clopper_pearson(k, n))


def _steps(right: Mapping[str, Bools], rows: Bools) -> dict[Step, tuple[int, int]]:
    """Count for each step the events that the model before alone, and the one after alone, gets right."""
    return {
        step: (int((right[a] & ~right[b] & rows).sum()), int((right[b] & ~right[a] & rows).sum()))
        for step, (a, b) in STEPS.items()
        if a in right and b in right
    }
