"""Hold what the own-data check measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class Split:
    """How the events are kept apart from those that the student was trained and validated on.

    Attributes
    ----------
    marks, groups
        Distinct near-duplicates and groups among these events; `groups` is None without a group column.
    events
        All of them.
    of_group, alike
        Those whose group the training or validation events have too; those of which that, or near-duplicates, are
        among them.
    recurring, validation, validation_units
        Validation events that recur so by chance, of how many with the same share of attacks, and how many of these are
        independent.
    leaked
        Share of the events that is leaked: as counted where nothing recurs by chance, else the least that is shown.
    unseen
        The smallest leak that would have been shown; None where they are counted.
    """

    marks: int
    groups: int | None
    events: int
    of_group: int
    alike: int
    recurring: int
    validation: int
    validation_units: int
    leaked: float
    unseen: float | None


@dataclass(frozen=True)
class Deciles:
    """The 10th, 50th and 90th percentile of a field's values.

    Attributes
    ----------
    p10, p50, p90
        The percentiles.
    """

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class NumericDrift:
    """How far a field of numbers lies from the training events.

    Attributes
    ----------
    field, kind
        Its name, and that its values are numbers.
    distance
        Kolmogorov-Smirnov distance, between 0 and 1.
    p, p_holm
        Its p-value for as many events as are independent, by itself and corrected for the number of fields (Holm).
    train, events
        Its values among the training events and among these.
    """

    field: str
    kind: Literal["numeric"]
    distance: float
    p: float
    train: Deciles
    events: Deciles
    p_holm: float


@dataclass(frozen=True)
class CategoricalDrift:
    """How far a field of categories lies from the training events.

    Attributes
    ----------
    field, kind
        Its name, and that its values are categories.
    distance
        Total variation, between 0 and 1.
    p, p_holm
        P-value of the chi-square test for as many events as are independent, by itself and corrected for the number of
        fields (Holm).
    train, events
        The five commonest values over both sides to their shares among the training events and among these.
    """

    field: str
    kind: Literal["categorical"]
    distance: float
    p: float
    train: Mapping[str, float]
    events: Mapping[str, float]
    p_holm: float


FieldDrift = NumericDrift | CategoricalDrift


@dataclass(frozen=True)
class ScoreDrift:
    """The student's attack probability on validation events with the same share of attacks, and on these.

    Attributes
    ----------
    edges
        Ends of ten bins, 11 numbers.
    validation, events
        Share of either side's events in each bin.
    distance, p
        Kolmogorov-Smirnov distance of the two, and its p-value for as many events as are independent.
    benign, attacks
        The distance among those alone; None with fewer than 50 on either side.
    """

    edges: tuple[float, ...]
    validation: tuple[float, ...]
    events: tuple[float, ...]
    distance: Interval
    p: float
    benign: float | None
    attacks: float | None


@dataclass(frozen=True)
class ClassFigures:
    """How a model does on one class.

    Attributes
    ----------
    precision, recall, f1
        Each None where there is nothing to divide by.
    """

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True)
class ClassRates:
    """How the models do on one class.

    Attributes
    ----------
    name, n
        The class, and how many events are of it.
    models
        Model to its figures.
    """

    name: str
    n: int
    models: Mapping[str, ClassFigures]


@dataclass(frozen=True)
class FamilyFigures:
    """How a model does on one family.

    Attributes
    ----------
    recall
        Share of its events with the right label; None where the models know no label of them.
    """

    recall: Interval | None


@dataclass(frozen=True)
class FamilyRates:
    """How the models do on one family.

    Attributes
    ----------
    name, n
        The family, and how many events are of it.
    models
        Model to its figures.
    """

    name: str
    n: int
    models: Mapping[str, FamilyFigures]


@dataclass(frozen=True)
class RateFigures:
    """What a model detects at one false-positive rate.

    Attributes
    ----------
    tpr
        Share of the attacks that it detects; None without attacks, or where the rate cannot be seen.
    threshold
        Attack probability above which it flags an event; None where the rate cannot be seen.
    """

    tpr: Interval | None
    threshold: float | None


@dataclass(frozen=True)
class RecallAtRate:
    """What the models detect at one false-positive rate.

    Attributes
    ----------
    fpr
        The rate.
    supported, needs
        Whether there are enough independent benign events to see it once, and how many that takes.
    models
        Model to its figures.
    """

    fpr: float
    supported: bool
    needs: int
    models: Mapping[str, RateFigures]


@dataclass(frozen=True)
class Alerts:
    """The alerts of the quantized student in a day.

    Attributes
    ----------
    events_per_day, prevalence
        The user's volume, and the share of it that is attacks.
    false_alerts, true_alerts
        Alerts a day on benign events, and on attacks.
    precision
        Share of the alerts that is true; None where an end of it would have no alerts.
    """

    events_per_day: float
    prevalence: float
    false_alerts: Interval
    true_alerts: Interval
    precision: Interval | None


@dataclass(frozen=True)
class OwnData:
    """What the own-data check measured.

    Attributes
    ----------
    split
        How the events are kept apart from the training events.
    published
        Why the events look public or simulated; None if they do not.
    drift
        A row for each field, the furthest from the training events first.
    scores
        The student's attack probability, on validation events and on these.
    classes, families
        Precision, recall and F1 of each class, and recall of each family, the largest first.
    tpr
        What is detected at fixed false-positive rates.
    smallest_fpr
        The smallest false-positive rate that these benign events can show; None without any.
    alerts
        What the quantized student would report in a day.
    """

    split: Split | NotMeasured
    published: str | None
    drift: tuple[FieldDrift, ...] | NotMeasured
    scores: ScoreDrift | NotMeasured
    classes: tuple[ClassRates, ...]
    families: tuple[FamilyRates, ...]
    tpr: tuple[RecallAtRate, ...]
    smallest_fpr: float | None
    alerts: Alerts | NotMeasured
