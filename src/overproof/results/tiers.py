"""Report what the first of two students may decide, and what was counted to say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Side:
    """What the first student may decide as benign, or as an attack.

    Attributes
    ----------
    threshold
        The least calibrated probability of its label at which it decides; None where it decides no such event.
    limit, confidence
        At most this share of the events at stake is decided wrongly, with this confidence.
    events, units
        Validation events at stake, and how many of them are independent: attacks that the second student detects,
        where the first calls them benign; benign events that the second leaves alone, where the first flags them.
    wrong
        Those of them that the first student decides at the threshold, and so gets wrong.
    decided
        All validation events that it decides this way.
    needed
        Independent events at stake with which anything could have been shown; None where there were as many.
    """

    threshold: float | None
    limit: float
    confidence: float
    events: int
    units: int
    wrong: int
    decided: int
    needed: int | None = None


@dataclass(frozen=True)
class JoinedTiers:
    """Two students in one bundle.

    Attributes
    ----------
    bundle, bundle_bytes
        Where it is, and its size.
    events
        Validation events that the thresholds were chosen on.
    benign, attack
        What the first student decides either way.
    ood_share
        The share of the validation events that it finds too far from what it was taught.
    least
        The confidence below which it decides nothing in any case: those are for the full model, once the second was
        asked.
    seconds
        What an event costs in a batch, of `first` and `second`, on the machine that joined them.
    """

    bundle: Path
    bundle_bytes: int
    events: int
    benign: Side
    attack: Side
    ood_share: float
    least: float
    seconds: Mapping[str, float]

    @property
    def decided(self) -> float:
        """The share of the validation events that the first student decides."""
        return (self.benign.decided + self.attack.decided) / self.events

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**asdict(self), "bundle": str(self.bundle)}

    def render(self) -> str:
        """Write it as plain text."""
        return "\n".join([*self.sentences(), f"Bundle: {self.bundle} ({self.bundle_bytes:,} bytes)"])

    def sentences(self) -> list[str]:
        """Say what the first student decides, and what was shown of it."""
        return [
            f"The first student decides {self.decided:.1%} of {self.events:,} validation events, the second the rest.",
            _sentence(self.benign, "as benign", "attacks that the second detects"),
            _sentence(self.attack, "as attacks", "benign events that the second leaves alone"),
            f"An event takes it {1e6 * self.seconds['first']:,.3g} µs, and the second "
            f"{1e6 * self.seconds['second']:,.3g} µs.",
            f"It decides none of the {self.ood_share:.1%} of events that lie farthest from what it was taught, and "
            f"none below a confidence of {self.least:.6g}, which the full model may be asked about.",
        ]


def chosen(found: JoinedTiers) -> Mapping[str, Any]:
    """Return how the thresholds were chosen, as the manifest keeps it."""
    return {
        "events": found.events,
        "ood_share": found.ood_share,
        "least": found.least,
        "seconds": dict(found.seconds),
        **{name: asdict(side) for name, side in (("benign", found.benign), ("attack", found.attack))},
    }


def _sentence(side: Side, how: str, at_stake: str) -> str:
    of = f"{side.events:,} {at_stake} ({side.units:,} of them independent)"
    shown = f"at most {100 * side.limit:.3g} % with {side.confidence:.0%} confidence"
    if side.threshold is not None:
        return (
            f"It decides {side.decided:,} {how}, from a confidence of {side.threshold:.6g} on; of {of} it gets "
            f"{side.wrong:,} wrong: {shown}."
        )
    if side.needed is not None:
        return f"It decides nothing {how}: {of} cannot show {shown}, which needs {side.needed:,} independent ones."
    return f"It decides nothing {how}: where it is surest, too many of {of} go wrong to show {shown}."
