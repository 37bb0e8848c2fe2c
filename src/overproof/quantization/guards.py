"""Set guards: the limits of what quantization may cost, and the bounds that decide whether they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.gate_result import MOST
from overproof.checks.stats import Units, events_needed, lower_bound, upper_bound
from overproof.errors import InputError
from overproof.quantization.mean_bound import lower_mean, upper_mean
from overproof.results.divergence import Changes, Detected, Divergence
from overproof.results.precision_search import BROKEN, CONFIDENCE, HELD, UNMEASURED, Finding, Observed

CAP = 100  # limits of nats that an event counts at most: a mean without a greatest value has no bound
AT_THE_LIMIT = "the estimate sits at the limit: more events will hardly decide"
ABOVE = "the estimate lies above the limit, on too few events to call it broken"
NEVER = "no number of events shows that nothing is lost"

Bound = Callable[[float, int, float], float]  # total, number and confidence to a bound of the mean


@dataclass(frozen=True)
class Guards:
    """Limits; None and an empty mapping guard nothing.

    Attributes
    ----------
    max_flips
        Share of events whose label may change.
    max_kl
        Mean KL(float ‖ quantized), in nats.
    max_recall_loss
        Family to the share of its attacks that may be lost: those that the float model detects and the quantized one
        misses.
    """

    max_flips: float | None = None
    max_kl: float | None = None
    max_recall_loss: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = {"max-flips": self.max_flips, **{f"max-recall-loss {k}": v for k, v in self.max_recall_loss.items()}}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise InputError(f"{name} is {share}: expected a share from 0 to 1, or a percentage such as 0.5%")
        if self.max_kl is not None and not 0 <= self.max_kl < math.inf:
            raise InputError(f"max-kl is {self.max_kl}: expected 0 or more")

    def __bool__(self) -> bool:
        return self.max_flips is not None or self.max_kl is not None or bool(self.max_recall_loss)

    def require_families(self, known: Sequence[str]) -> None:
        """Raise InputError if a guarded family has none of the events that decide."""
        for name in self.max_recall_loss:
            if name not in known:
                listed = ", ".join(sorted(known)) or "none: the events have no labels, or no class is benign"
                raise InputError(f"--max-recall-loss {name}: no held-back attack of that family; families are {listed}")

    def observed(self, found: Divergence) -> tuple[Observed, ...]:
        """Return the guarded figures as they are: what a search goes by, and no more than that."""
        figures = []
        if self.max_flips is not None:
            figures.append(Observed("flips", self.max_flips, found.flip_rate, found.events))
        if self.max_kl is not None:
            figures.append(Observed("kl", self.max_kl, found.kl))
        for family, limit in self.max_recall_loss.items():
            detected = found.families.get(family, Detected(0, 0, 0, 0))
            figures.append(Observed(_recall(family), limit, detected.recall_lost, detected.events))
        return tuple(figures)

    def findings(self, found: Changes, units: Units) -> tuple[Finding, ...]:
        """Decide each guard by one-sided bounds with 95 % confidence, in independent units: held, broken, unmeasured.

        The events must have chosen nothing. All guards hold only if each bound does, so that the whole errs no more
        often than each: an intersection-union test (Berger 1982), which needs no correction.

        Parameters
        ----------
        units
            How the events hang together.
        """
        results = []
        if self.max_flips is not None:
            results.append(_share("flips", self.max_flips, found.flipped, units))
        if self.max_kl is not None:
            results.append(_mean_kl(self.max_kl, found.kl, units))
        for family, limit in self.max_recall_loss.items():
            members = found.families == family
            results.append(_share(_recall(family), limit, found.lost[members], units.take(members)))
        return tuple(results)


def needed(limit: float) -> int:
    """Return how many events without a loss show a share of at most `limit`; 1 for the limit 1, which all do."""
    return events_needed(limit, CONFIDENCE) if limit < 1 else 1


def _recall(family: str) -> str:
    return f"recall lost in {family}"


def _share(name: str, limit: float, hit: NDArray[np.bool_], units: Units) -> Finding:
    """Decide the limit of a share by Clopper & Pearson's bound (1934)."""
    finding = Finding(name, limit, float(hit.mean()) if len(hit) else 0.0, UNMEASURED, len(hit))
    return _decided(finding, hit, units, (lower_bound, upper_bound))


def _mean_kl(limit: float, kl: NDArray[np.float64], units: Units) -> Finding:
    """Decide the limit of the mean KL, by a bound of the mean in which an event counts `CAP` limits at most.

    What lies beyond counts in full in the figure itself: one that is above its limit is not held.
    """
    finding = Finding("kl", limit, float(kl.mean()) if len(kl) else 0.0, UNMEASURED, len(kl), nats=True)
    if not limit:  # nothing is small beside it, so there is no cap, and nothing to bound
        return replace(finding, status=BROKEN) if kl.any() else replace(finding, reason=NEVER)
    cap = CAP * limit
    parts = np.minimum(np.where(np.isnan(kl), np.inf, kl) / cap, 1.0)
    found = _decided(replace(finding, cap=cap), parts, units, (lower_mean, upper_mean), scale=cap)
    if found.status == HELD and not found.measured <= limit:
        beyond = int((parts >= 1).sum())
        why = f"{beyond:,} of {len(kl):,} events, beyond {cap:g} nats, put the mean of all above the limit"
        return replace(found, status=UNMEASURED, reason=why)
    return found


def _decided(
    finding: Finding, values: NDArray[Any], units: Units, bounds: tuple[Bound, Bound], scale: float = 1.0
) -> Finding:
    """Decide a limit by a lower and an upper bound of the mean of values in [0, 1].

    Of the ways in which events hang together the widest bounds count; `units` and `needed` are of the way that has the
    highest.
    """
    limit, (lower, upper) = finding.limit / scale, bounds
    if not len(values):
        return replace(finding, units=0, **_unmeasured(limit, 0.0, 0, bounds))
    ways = [(total, n) for n, (total,) in units.sums(values)]
    low = min(lower(total, n, CONFIDENCE) for total, n in ways)
    high, total, n = max((upper(total, n, CONFIDENCE), total, n) for total, n in ways)
    finding = replace(finding, units=n, low=low * scale, high=high * scale)
    if low > limit or (not limit and values.any()):
        return replace(finding, status=BROKEN)
    if high <= limit:
        return replace(finding, status=HELD)
    return replace(finding, **_unmeasured(limit, total / n, n, bounds))


def _unmeasured(limit: float, rate: float, n: int, bounds: tuple[Bound, Bound]) -> dict[str, Any]:
    """Say why a limit is unmeasured, and how many units would show it, were the rate to stay as it is."""
    if not limit:
        return {"reason": NEVER}
    lower, upper = bounds
    most = MOST * max(n, needed(limit))
    if lower(rate * most, most, CONFIDENCE) > limit:
        return {"reason": ABOVE}
    if rate >= limit or upper(rate * most, most, CONFIDENCE) > limit:
        return {"reason": AT_THE_LIMIT}
    short, enough = n, most
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if upper(rate * middle, middle, CONFIDENCE) <= limit else (middle, enough)
    return {"needed": enough, "reason": f"needs {enough:,} independent events"}
