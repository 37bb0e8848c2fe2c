"""Hold what the boundary check measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class MarginHistogram:
    """How far from the decision boundary a model decides, over all events.

    Attributes
    ----------
    edges
        Logits from the boundary, the attack side positive: one more than there are bins.
    counts
        Events in each bin; those beyond the outermost edges are counted in the outermost bins.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Flips:
    """Verdicts near the boundary that change.

    Attributes
    ----------
    n, k
        How many verdicts there are, and how many of them change.
    share
        k / n with its interval.
    """

    n: int
    k: int
    share: Interval


@dataclass(frozen=True)
class NeighbourFlips:
    """Verdicts near the boundary that some neighbouring grid point changes.

    Attributes
    ----------
    draws
        In how many ways activations were rounded to a neighbouring grid point.
    n, k
        How many verdicts there are, and how many of them some draw changes.
    share
        k / n with its interval.
    """

    draws: int
    n: int
    k: int
    share: Interval


@dataclass(frozen=True)
class FlippedByEdit:
    """One model's verdicts that one kind of edit changes.

    Attributes
    ----------
    k
        How many.
    share
        The share of the edited events, with its interval.
    """

    k: int
    share: Interval


@dataclass(frozen=True)
class EditFlips:
    """What one kind of edit does.

    Attributes
    ----------
    kind
        The edit; or what is edited, where the red team edits it (`sql`, `shell`, …).
    proved
        Whether an oracle proves of each edited event that it does what it did.
    n
        Edited events.
    models
        Model to its verdicts that the edit changes.
    """

    kind: str
    proved: bool
    n: int
    models: Mapping[str, FlippedByEdit]


@dataclass(frozen=True)
class Robustness:
    """What the boundary check measured.

    Attributes
    ----------
    events, of
        How many events lie near the boundary, and out of how many.
    margins
        Model to how far from the boundary it decides.
    quantization
        Verdicts near the boundary on which FP32 and INT8 differ.
    edits
        What each kind of edit does near the boundary. Edits are the red team's where an oracle proves some of an
        event; case, percent-encoding, white space and padding, which nobody proves, of the other events.
    neighbours
        Verdicts near the boundary that depend on which of two grid points an activation is rounded to.
    """

    events: int
    of: int
    margins: Mapping[str, MarginHistogram]
    quantization: Flips | NotMeasured
    edits: tuple[EditFlips, ...] | NotMeasured
    neighbours: NeighbourFlips | NotMeasured
