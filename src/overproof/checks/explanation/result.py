"""Hold what the check of explanations measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overproof.checks.stats import Interval
from overproof.inference.explanation import Span
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class Faithfulness:
    """What the spans that explain alerts carry of one model's verdict.

    Attributes
    ----------
    n, units
        Alerts, and how many of them are independent.
    k
        Those of which the attack score falls more without the first span than without a random one of its length.
    share
        k / n with its interval.
    cleared, cleared_random
        Shares of the alerts that are none without the first span, and without the random one.
    """

    n: int
    units: int
    k: int
    share: Interval
    cleared: Interval
    cleared_random: Interval


@dataclass(frozen=True)
class MarkedEvent:
    """An alert, and what explains it.

    Attributes
    ----------
    origin, text, label, family
        Where it stands, the event as it was judged (perhaps an attack; show it as text only), and what is known of it.
    spans
        What explains it, in the order in which it was found.
    """

    origin: str
    text: str
    label: str | None
    family: str | None
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Alerts:
    """The alerts that were explained.

    Attributes
    ----------
    flagged, explained
        Events that the quantized student flags, and how many of them were explained, drawn at random.
    without_span
        Explained ones in which no span carries anything: they count as not faithful.
    whole
        Explained ones whose span is the whole event: no other span is as long, so they are not compared.
    models
        Model to what the spans carry of its verdict: the quantized student, of whose verdicts they are, and the full
        model on those of the alerts that it flags too, where it can be asked.
    examples
        Some of them, one of each family first.
    """

    flagged: int
    explained: int
    without_span: int
    whole: int
    models: Mapping[str, Faithfulness]
    examples: tuple[MarkedEvent, ...]


@dataclass(frozen=True)
class Explanations:
    """What the check of explanations measured.

    Attributes
    ----------
    alerts
        The alerts that were explained.
    """

    alerts: Alerts | NotMeasured
