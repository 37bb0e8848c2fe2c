"""Hold what the escalation check measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured

Order = Literal["by time", "at random"]
BY_TIME: Order = "by time"
AT_RANDOM: Order = "at random"


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

    def __post_init__(self) -> None:
        if not 0 < len(self.coverage) == len(self.risk):
            raise ValueError("coverage and risk: expected as many of one as of the other")


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
        k / n with its interval, in which copies and events of one group count once; None where n is 0.
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
        (student_only - full_only) / n, with its interval, in which copies and events of one group count once.
    """

    n: int
    student_only: int
    full_only: int
    loss: Interval


@dataclass(frozen=True)
class Replay:
    """What became of the verifying events when they ran through policy and budget, in batches as triage reads them.

    Attributes
    ----------
    events
        How many there were.
    order
        In which they ran: by their times where all have one, in a random order otherwise.
    budget
        Share of the events that may be escalated.
    escalated, deferred
        Kind of reason (`doubt`, `ood`, `other`) to how many events went to the full model for it, and to how many
        should have and were over the budget.
    attacks, lost
        Attacks that the full model detects, and those of them that the student called benign without being overruled.
    lost_deferred
        Those of the lost that were deferred.
    benign, flagged
        Benign events, and those of them that were called an attack in the end.
    """

    events: int
    order: Order
    budget: float
    escalated: Mapping[str, int]
    deferred: Mapping[str, int]
    attacks: int
    lost: int
    lost_deferred: int
    benign: int
    flagged: int


@dataclass(frozen=True)
class SentShare:
    """The share of the events that the policy sends to the full model, measured on the verifying half.

    Attributes
    ----------
    share
        With its interval, in which copies and events of one group count once.
    prevalence
        For which share of attacks: the one that was said of the field (`--prevalence`), or that of the labelled among
        these events; None where no event has a label.
    weighted
        Whether attacks and benign events were weighted to that prevalence.
    """

    share: Interval
    prevalence: float | None
    weighted: bool


@dataclass(frozen=True)
class EscalationThreshold:
    """The confidence below which an event goes to the full model, and what it promises.

    Attributes
    ----------
    value
        The threshold, from 0 to 1; 0 where no event is escalated for its confidence, and none need be.
    limit, confidence
        What is promised: at most this share of the attacks that the full model detects is lost, with this confidence.
    policy
        What else the policy sends to the full model, in words.
    chosen_on, chosen_units
        Attacks that the full model detects in the half of the events that chose the threshold, and how many of them
        are independent: copies, and events of one group, count once.
    verified_on, verified_units
        The same of the other half.
    escalated
        Share of the events that the policy sends on; None where the verifying half is empty.
    missed
        Attacks of the verifying half that are lost where whatever the policy sends on is decided by the full model.
    flagged
        Of all benign events, those that the cascade flags otherwise than the full model; None without any.
    replay
        The verifying half with the budget; None where that half is empty.

    Raises
    ------
    ValueError
        A threshold, limit or confidence that is no number from 0 to 1.
    """

    value: float
    limit: float
    confidence: float
    policy: str
    chosen_on: int
    chosen_units: int
    verified_on: int
    verified_units: int
    escalated: SentShare | None
    missed: LostAttacks
    flagged: FlaggedBenign | None
    replay: Replay | None

    def __post_init__(self) -> None:
        for name, number in (("value", self.value), ("limit", self.limit), ("confidence", self.confidence)):
            if not 0 <= number <= 1:  # neither is NaN
                raise ValueError(f"{name} {number}: expected a number from 0 to 1")


@dataclass(frozen=True)
class TierPoint:
    """The three tiers at one pair of thresholds of the first student.

    Attributes
    ----------
    benign, attack
        How sure the first must be to decide an event as benign, and as an attack; None where it decides none.
    decided
        Tier (`first`, `second`, `full`) to the share of the events that it decides. `full` is what the policy sends on;
        without a full model nobody decides those events, and the students' answers to them count.
    missed
        Tier to the attacks among those events that it calls benign.
    flagged
        Benign events that are called an attack in the end.
    seconds
        What an event costs on average; None where that was not measured of every tier.
    """

    benign: float | None
    attack: float | None
    decided: Mapping[str, float]
    missed: Mapping[str, int]
    flagged: int
    seconds: float | None


@dataclass(frozen=True)
class TierTrade:
    """What is traded where the first student decides more, or less: share decided, attacks missed, cost.

    Attributes
    ----------
    events, attacks, benign
        How many there are of each.
    seconds
        Tier to what an event costs there, where it was measured, in seconds.
    points
        From where the first student decides nothing on; its two thresholds move together, by the same odds.
    sealed
        Index of the thresholds that the bundle seals, which are deployed.
    lost
        The share of the attacks that is missed at those, with its interval, in which copies and events of one group
        count once; None without attacks.
    """

    events: int
    attacks: int
    benign: int
    seconds: Mapping[str, float]
    points: tuple[TierPoint, ...]
    sealed: int
    lost: Interval | None

    def __post_init__(self) -> None:
        if not 0 <= self.sealed < len(self.points):
            raise ValueError(f"point {self.sealed} sealed of {len(self.points)}")


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
    tiers
        What is traded between the tiers of a bundle of two students; None in a bundle of one.
    """

    curves: RiskCurves | NotMeasured
    augrc: Mapping[str, float]
    budgets: tuple[BudgetRow, ...] | NotMeasured
    threshold: EscalationThreshold | NotMeasured
    warning: str
    tiers: TierTrade | None = None
