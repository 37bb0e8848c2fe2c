"""Families, the rare ones above all: how each model does in each, and whether the student loses one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
from overproof.checks.formatting import percent_within
from overproof.checks.non_inferiority import excess_p
from overproof.checks.paired_loss import Loss, clusters, loss_finding, loss_of
from overproof.checks.stats import clopper_pearson, holm, mcnemar, wilson

POOLED, FAMILY = "rare/pooled", "rare/family"
RARE_SHARE = 0.01  # of the labelled events: below, a family is rare
NAMED = 5
STEPS = {"distillation": (FULL, DISTILLED), "quantization": (DISTILLED, QUANTIZED), "churn": (DISTILLED, CONTROL)}


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
    """All families of the labelled events by name, benign ones too."""
    asked = {FULL, QUANTIZED} <= set(rates.answering(context))
    full, student = (context.right(model) if asked else None for model in (FULL, QUANTIZED))
    cluster = clusters(context)
    sizes = Counter(name for name in context.families if name is not None)
    found = []
    for name, n in sorted(sizes.items()):
        rows = np.asarray(context.families == name, dtype=bool)
        loss = None if full is None or student is None else loss_of(context, rows, full, student, cluster)
        rare = n < RARE_SHARE * sizes.total()
        found.append(Family(name, rows, n, rare, bool((rows & context.attacks).any()), loss))
    return tuple(found)


def table(context: CheckContext, families: tuple[Family, ...]) -> list[dict[str, Any]]:
    """A row for each family; b are negative flips (Yan et al. 2021).

    McNemar's exact two-sided p-values are corrected for the number of families (Holm).
    """
    right = {model: context.right(model) for model in rates.answering(context)}
    trained = None if context.training is None else context.training.train
    met = None
    if trained is not None:
        met = Counter(f or label for f, label in zip(trained.families, trained.labels, strict=True))
    compared = [family.loss.pairs for family in families if family.loss]
    p = [mcnemar(pairs.full_only, pairs.student_only) for pairs in compared]
    corrected = iter(zip(compared, p, holm(p).tolist(), strict=True))
    rows: list[dict[str, Any]] = []
    for family in families:
        row = {
            "name": family.name,
            "n": family.n,
            "rare": family.rare,
            "trained_on": None if met is None else met[family.name],
            "models": {model: _share(int(of[family.rows].sum()), family.n) for model, of in right.items()},
            **dict.fromkeys(("b", "c", "mcnemar", "holm", "loss")),
            "steps": _steps(right, family.rows),
        }
        if family.loss:
            pairs, own, holms = next(corrected)
            loss = pairs.loss.to_json()
            row |= {"b": pairs.full_only, "c": pairs.student_only, "mcnemar": own, "holm": holms, "loss": loss}
        rows.append(row)
    return rows


def pooled(context: CheckContext, families: tuple[Family, ...], why: str | None) -> tuple[GateResult, ...]:
    """The finding on the attacks of all rare families together; none where there are attacks and no family is rare."""
    rare = [family for family in families if family.rare and family.attacks]
    rows = context.attacks & np.logical_or.reduce([family.rows for family in rare], axis=0, initial=False)
    if not why and not context.attacks.any():
        why = "no event is labelled an attack"
    if why:
        return (unmeasured(POOLED, why, context.gate(POOLED), events=int(rows.sum())),)
    if not rare:
        return ()
    full, student = context.right(FULL), context.right(QUANTIZED)
    loss = loss_of(context, rows, full, student, clusters(context))
    pairs = loss.pairs
    named = ", ".join(f"“{family.name}”" for family in rare[:NAMED]) + (", …" if len(rare) > NAMED else "")
    message = (
        f"of {pairs.n:,} attacks of rare families ({named}) the full model alone gets {pairs.full_only:,} right and "
    )
    message += f"the quantized student alone {pairs.student_only:,}: {percent_within(pairs.loss)} lost, net"
    return (loss_finding(POOLED, message, context, loss),)


def gates(context: CheckContext, families: tuple[Family, ...], why: str | None) -> tuple[GateResult, ...]:
    """One for each attack family. To pass, each must by itself; failing is corrected for the number of families.

    The low end is moved down to the limit where the test that more than the limit is lost does not stand after Holm's
    correction: the interval then proves nothing.
    """
    gate, attacks = context.gate(FAMILY), [family for family in families if family.attacks]
    if why:
        return tuple(unmeasured(f"{FAMILY}:{f.name}", why, gate, events=f.n) for f in attacks)
    compared = [(family, family.loss) for family in attacks if family.loss]
    corrected = holm([excess_p(loss.counts, gate.limit) for _, loss in compared]).tolist()
    found = []
    for (family, loss), p in zip(compared, corrected, strict=True):
        pairs, low = loss.pairs, 1.0 if p <= 1 - CONFIDENCE else gate.limit
        message = f"“{family.name}”: the full model alone gets {pairs.full_only:,} of {pairs.n:,} right, the quantized "
        message += f"student alone {pairs.student_only:,}: {percent_within(pairs.loss)} lost, net"
        found.append(loss_finding(f"{FAMILY}:{family.name}", message, context, loss, low))
    return tuple(found)


def _share(k: int, n: int) -> dict[str, Any]:
    return {"k": k, "n": n, "wilson": wilson(k, n).to_json(), "clopper_pearson": clopper_pearson(k, n).to_json()}


def _steps(right: Mapping[str, Bools], rows: Bools) -> dict[str, list[int]]:
    """For each step that can be told, how many events the model before alone, and the one after alone, gets right."""
    return {
        step: [int((right[a] & ~right[b] & rows).sum()), int((right[b] & ~right[a] & rows).sum())]
        for step, (a, b) in STEPS.items()
        if a in right and b in right
    }
