"""Define what a search found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overproof.progress import printable
from overproof.report.layout import line_width
from overproof.screen import fitted

SHOWN = 100  # characters of a text in a line


@dataclass(frozen=True)
class Neighbour:
    """One indexed event near the one that was asked about.

    Attributes
    ----------
    similarity
        Cosine of where the two lie, at most 1.
    text, label, family, origin
        The event as it was first read; label and family are None where nobody gave them.
    count
        How often it came.
    kind
        Of record: a name in `events.templates.kinds`.
    """

    similarity: float
    text: str
    label: str | None
    family: str | None
    origin: str
    count: int
    kind: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "similarity": round(self.similarity, 6),
            "label": self.label,
            "family": self.family,
            "origin": self.origin,
            "count": self.count,
            "kind": self.kind,
            "text": self.text,
        }


@dataclass(frozen=True)
class Found:
    """The neighbours of one event, nearest first.

    Attributes
    ----------
    kind
        Of record, which the text is.
    known
        How many events of each kind are known.
    spelling
        Cosine of spellings with the known event of its kind that is spelled most alike; None where none is known.
    threshold
        The spelling from which on something is close; None where it is unmeasured.
    all_kinds
        Whether events of every kind were compared.
    """

    text: str
    neighbours: tuple[Neighbour, ...]
    kind: str
    known: Mapping[str, int]
    spelling: float | None
    threshold: float | None = None
    all_kinds: bool = False

    @property
    def compared(self) -> int:
        """Return how many known events were compared."""
        return sum(self.known.values()) if self.all_kinds else self.known.get(self.kind, 0)

    @property
    def close(self) -> bool | None:
        """Tell whether a known event of the kind is spelled like this; None where that is unmeasured."""
        if not self.neighbours:
            return False
        return None if self.threshold is None or self.spelling is None else self.spelling >= self.threshold

    @property
    def near(self) -> tuple[Neighbour, ...]:
        """The neighbours; none where nothing is close."""
        return () if self.close is False else self.neighbours

    @property
    def families(self) -> dict[str, int]:
        """Count how many of those that are near are of which family, most first; those of none are left out."""
        named = (neighbour.family or neighbour.label for neighbour in self.near)
        return dict(Counter(name for name in named if name).most_common())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "text": self.text,
            "kind": self.kind,
            "compared": self.compared,
            "close": self.close,
            "spelling": None if self.spelling is None else round(self.spelling, 6),
            "threshold": None if self.threshold is None else round(self.threshold, 6),
            "families": self.families,
            "neighbours": [neighbour.to_json() for neighbour in self.neighbours],
        }

    def render(self) -> str:
        """Return lines for the event, for what is found and for each that is near; none can steer a terminal."""
        lines = [_line(self.text), f"  {self._summary()}"]
        for near in self.near:
            name = near.family or near.label or "-"
            often = f" ({near.count:,} times)" if near.count > 1 else ""
            lines.append(f"  {near.similarity:.3f}  {_line(name)}  {_line(near.origin)}{often}  {_line(near.text)}")
        return "\n".join(fitted(line, line_width()).rstrip() for line in lines)

    def _summary(self) -> str:
        if not self.neighbours:
            others = ", ".join(f"{count:,} {kind}" for kind, count in self.known.items())
            return f"nothing to compare with: no known event is of kind {self.kind} ({others}; --all-kinds)"
        of = "" if self.all_kinds else f" of kind {self.kind}"
        if self.close is False:
            known = f"{self.known[self.kind]:,} known of kind {self.kind}"
            return f"nothing close: of {known} none is spelled like it, {self.spelling:.3f} < {self.threshold:.3f}"
        families = ", ".join(f"{count} {name}" for name, count in self.families.items()) or "no families known"
        return f"nearest {len(self.near)}{of}: {printable(families)}"


def _line(text: str) -> str:
    """Put a text on one line, shortened."""
    shown = printable(text[: SHOWN + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(text) <= SHOWN else f"{shown[:SHOWN]}…"
