"""Hold what the escalation check measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class RiskCurve:
    """Selective risk against coverage.

    Attributes
    ----------
    coverage
        Shares of the events that the student decides itself, at most 200 points.
    risk
        The share of wrong labels among those events, at each point.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclass(frozen=True)
class RiskCurves:
    """Selective risk of the quantized student (Geifman & El-Yaniv 2017), and its bounds.

    Attributes
    ----------
    quantized
        By the student's own confidence.
    oracle
        If wrong verdicts were given up first.
    random
        If events were given up at random.
    """

    quantized: RiskCurve
    oracle: RiskCurve
    random: RiskCurve


@dataclass(frozen=True)
class BudgetRow:
    """What becomes of the attacks when a share of the events goes to the full model.

    Attributes
    ----------
    budget, escalated
        The share that may be escalated, and how many events that is.
    missed, attacks
        Attacks that the cascade misses, of how many.
    oracle, random
        The same if the events were chosen by an oracle, or at random (on average).
    useful, waste
        Share of the escalated events of which the student's label was wrong, or right; None without labels.
    """

    budget: float
    escalated: int
    missed: int
    attacks: int
    oracle: int
    random: float
    useful: float | None
    waste: float | None


@dataclass(frozen=True)
class LostAttacks:
    """Attacks that the full model detects and the cascade misses.

    Attributes
    ----------
    k, n
        How many are missed, of how many that the full model detects.
    share
        k / n with its interval; None where n is 0.
    """

    k: int
    n: int
    share: Interval | None


@dataclass(frozen=True)
class FlaggedBenign:
    """Benign events that cascade and full model flag differently.

    Attributes
    ----------
    n
        All benign events.
    student_only, full_only
        Flagged by the cascade alone, and by the full model alone.
    loss
        (student_only - full_only) / n, with its interval.
    """

    n: int
    student_only: int
    full_only: int
    loss: Interval


@dataclass(frozen=True)
class EscalationThreshold:
    """The confidence below which an event goes to the full model, and what it promises.

    Attributes
    ----------
    value
        The threshold; 0 where nothing is escalated, and nothing need be.
    limit, confidence
        What is promised: at most this share of the attacks that the full model detects is lost, with this confidence.
    chosen_on, verified_on
        Attacks that the full model detects, on either half of the events.
    escalated
        Share of the verifying half that is escalated; None where that half is empty.
    missed
        Attacks of the verifying half that are lost.
    flagged
        Of all benign events, those that the cascade flags otherwise than the full model; None without any.
    """

    value: float
    limit: float
    confidence: float
    chosen_on: int
    verified_on: int
    escalated: Interval | None
    missed: LostAttacks
    flagged: FlaggedBenign | None


@dataclass(frozen=True)
class Escalation:
    """What the escalation check measured.

    Attributes
    ----------
    curves
        Selective risk against coverage.
    augrc
        Model to the area under its generalized risk-coverage curve (Traub et al. 2024); `oracle` and `random` are those
        of the quantized student's error rate. Empty where labels do not say what is wrong.
    budgets
        What a budget of escalations is worth.
    threshold
        The threshold and what it promises.
    warning
        That the promise does not hold under attack or after drift.
    """

    curves: RiskCurves | NotMeasured
    augrc: Mapping[str, float]
    budgets: tuple[BudgetRow, ...] | NotMeasured
    threshold: EscalationThreshold | NotMeasured
    warning: str
