"""Define what a search found."""

from __future__ import annotations

from collections import Counter
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
        Cosine of the two embeddings, at most 1.
    text, label, family, origin
        The event as it was first read; label and family are None where nobody gave them.
    count
        How often it came.
    """

    similarity: float
    text: str
    label: str | None
    family: str | None
    origin: str
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "similarity": round(self.similarity, 6),
            "label": self.label,
            "family": self.family,
            "origin": self.origin,
            "count": self.count,
            "text": self.text,
        }


@dataclass(frozen=True)
class Found:
    """The neighbours of one event, nearest first."""

    text: str
    neighbours: tuple[Neighbour, ...]

    @property
    def families(self) -> dict[str, int]:
        """Count how many of the neighbours are of which family, most first; those of none are left out."""
        named = (neighbour.family or neighbour.label for neighbour in self.neighbours)
        return dict(Counter(name for name in named if name).most_common())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "text": self.text,
            "families": self.families,
            "neighbours": [neighbour.to_json() for neighbour in self.neighbours],
        }

    def render(self) -> str:
        """Return a line for the event and one for each neighbour, cut to fit; nothing in them can steer a terminal."""
        families = ", ".join(f"{count} {name}" for name, count in self.families.items()) or "no families known"
        lines = [_line(self.text), f"  nearest {len(self.neighbours)}: {printable(families)}"]
        for near in self.neighbours:
            name = near.family or near.label or "-"
            often = f" ({near.count:,} times)" if near.count > 1 else ""
            lines.append(f"  {near.similarity:.3f}  {_line(name)}  {_line(near.origin)}{often}  {_line(near.text)}")
        return "\n".join(fitted(line, line_width()).rstrip() for line in lines)


def _line(text: str) -> str:
    """Put a text on one line, shortened."""
    shown = printable(text[: SHOWN + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(text) <= SHOWN else f"{shown[:SHOWN]}…"
