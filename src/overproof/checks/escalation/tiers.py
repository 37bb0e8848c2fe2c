"""Measure what a bundle of two students trades: share decided at each tier, attacks missed there, cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.tried import passed_on
from overproof.checks.base import FULL, Bools, CheckContext, TwoStudents
from overproof.checks.escalation.result import TierPoint, TierTrade
from overproof.checks.pairs import why_not
from overproof.checks.stats import share_within
from overproof.inference.cascade.policy import Policy, deferrals

TIERS = ("first", "second", "full")
POINTS = 24
SURE = 1 - 2.0**-25  # what float32 rounds to 1


@dataclass(frozen=True)
class _Moved:
    """A point of the curve: the events that the first student decides, and how sure it must be."""

    decided: Bools
    benign: float | None
    attack: float | None


def trade(context: CheckContext, threshold: float) -> TierTrade | None:
    """Move the first student's thresholds, and see what becomes of the events; None in a bundle of one student.

    Parameters
    ----------
    threshold
        The confidence below which an event goes to the full model; 0 where none was found.
    """
    tiers = context.tiers
    if tiers is None:
        return None
    policy = replace(context.policy, confidence=threshold)
    moved, sealed = _moved(tiers)
    points = tuple(_point(context, tiers, policy, at) for at in moved)
    attacks = context.attacks
    missed = _missed(context, tiers, policy, moved[sealed].decided)
    return TierTrade(
        events=len(context.sample),
        attacks=int(attacks.sum()),
        benign=int(context.benign_events.sum()),
        seconds={name: tiers.seconds[name] for name in TIERS if name in tiers.seconds},
        points=points,
        sealed=sealed,
        lost=share_within(missed[attacks], context.units.take(attacks)) if attacks.any() else None,
    )


def _moved(tiers: TwoStudents) -> tuple[list[_Moved], int]:
    """List the points, from where the first decides nothing on, and the place of the sealed one among them.

    Both thresholds move together: their odds are multiplied by one factor, which is 1 where they are sealed.
    """
    tried = tiers.tried
    least = np.where(tried.benign, *(np.nan if value is None else value for value in (tiers.benign, tiers.attack)))
    ahead = _log_odds(tried.confidence) - _log_odds(least)  # NaN where the first decides none of the kind
    may = tried.known & np.isfinite(ahead)
    sealed = tried.decided(tiers.benign, tiers.attack)
    steps: list[float] = []
    if may.any():
        steps = np.unique(np.quantile(ahead[may], np.linspace(0, 1, POINTS), method="nearest")).tolist()
    points = [_Moved(np.zeros(len(may), dtype=bool), None, None)]
    points += [_at(tiers, may, ahead, step) for step in steps if step]
    points.append(_Moved(sealed, tiers.benign, tiers.attack))
    order = sorted(range(len(points)), key=lambda i: (int(points[i].decided.sum()), i))
    return [points[i] for i in order], order.index(len(points) - 1)


def _at(tiers: TwoStudents, may: Bools, ahead: NDArray[np.float64], step: float) -> _Moved:
    """Return the point at which an event must be so far ahead of the sealed thresholds, in log odds."""
    moved = [
        None if value is None else float(1 / (1 + np.exp(-(_log_odds(np.array(value)) + step))))
        for value in (tiers.benign, tiers.attack)
    ]
    return _Moved(may & (ahead >= step), *moved)


def _log_odds(probability: NDArray[Any]) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probability, dtype=np.float64), 1 - SURE, SURE)
    return np.asarray(np.log(p) - np.log1p(-p))


def _point(context: CheckContext, tiers: TwoStudents, policy: Policy, at: _Moved) -> TierPoint:
    by, final = _decided(context, tiers, policy, at.decided)
    missed, n = context.attacks & ~final, max(1, len(final))
    cost = None
    if all(name in tiers.seconds for name in ("first", "second")) and (not by["full"].any() or "full" in tiers.seconds):
        cost = tiers.seconds["first"] + tiers.seconds["second"] * float((~at.decided).mean())
        cost += tiers.seconds.get("full", 0.0) * float(by["full"].mean())
    return TierPoint(
        benign=at.benign,
        attack=at.attack,
        decided={name: float(rows.sum() / n) for name, rows in by.items()},
        missed={name: int((rows & missed).sum()) for name, rows in by.items()},
        flagged=int((context.benign_events & final).sum()),
        seconds=cost,
    )


def _missed(context: CheckContext, tiers: TwoStudents, policy: Policy, decided: Bools) -> Bools:
    return np.asarray(context.attacks & ~_decided(context, tiers, policy, decided)[1])


def _decided(
    context: CheckContext, tiers: TwoStudents, policy: Policy, decided: Bools
) -> tuple[dict[str, Bools], Bools]:
    """Return which events each tier decides, and which are called an attack in the end, shape (n,) each.

    Parameters
    ----------
    decided
        Those that the first student decides, unless the policy sends them on.
    """
    left = np.flatnonzero(~decided)
    together = passed_on(tiers.tried.scores, tiers.second.take(left), left)
    sent = np.zeros(len(decided), dtype=bool)
    sent[deferrals(together, policy).rows] = True
    flagged = context.flags(together.logits)
    if not why_not(context, FULL):
        flagged = np.where(sent, context.detected(FULL), flagged)
    return {"first": decided & ~sent, "second": ~decided & ~sent, "full": sent}, flagged
