"""Report a hardening: how often edited attacks fool the student after each round, and what it lost of clean events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overproof.bundle.manifest import HARDENING, Bundle
from overproof.report import words
from overproof.report.layout import aligned
from overproof.results.metrics import Share
from overproof.results.operating_points import Counted
from overproof.results.stored import read_from
from overproof.results.typed_json import from_json, to_json


@dataclass(frozen=True)
class Round:
    """One round; the first is the student as it was distilled.

    Attributes
    ----------
    taught
        Edited training events that the student learned from, of this round and those before.
    fooled
        Those of this round that fooled the student of the round before.
    evasions
        Validation attacks that edits make benign to the student, of those that the student as it was distilled and the
        teacher detect unedited.
    missed, flagged
        Unedited validation attacks that the student misses, and benign validation events that it flags.
    why
        Why it was taken, or why not.
    alarms
        Benign validation events that edits make attacks to the student, of those that the student as it was distilled
        and the teacher call benign unedited; None where there were none, and in bundles of before they were looked for.
    """

    taught: int
    fooled: int
    evasions: Counted
    missed: Share
    flagged: Share
    why: str
    alarms: Counted | None = None


@dataclass(frozen=True)
class ClosedEdit:
    """An edited attack that fooled the student as it was distilled, and does not fool the one that was taken.

    Attributes
    ----------
    family, text, edited
        The attack's family, its text and the edited one, which does the same.
    before, after
        The probabilities of an attack that the student gave the edited text as it was distilled, and that the one that
        was taken gives it; at a temperature of 1.
    """

    family: str
    text: str
    edited: str
    before: float
    after: float


@dataclass(frozen=True)
class Hardening:
    """All rounds.

    Attributes
    ----------
    taken
        Number of the round whose student was taken; 0 is the student as it was distilled.
    queries, taught_queries
        Edited texts that a student was asked about for each attack, when it was measured and when it was taught.
    families
        Families whose attacks were edited to learn from, besides benign events; empty: all.
    rounds
        From the student as it was distilled on.
    example
        The shortest edited attack that no longer fools; None where there is none, and in a bundle: it is an event.
    """

    taken: int
    queries: int
    taught_queries: int
    families: tuple[str, ...]
    rounds: tuple[Round, ...]
    example: ClosedEdit | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.taken < len(self.rounds):
            raise ValueError(f"taken is round {self.taken}, of {len(self.rounds)}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it back."""
        found: dict[str, Any] = to_json(self)
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hardening:
        """Read what `to_json` gave; ValueError if it is something else."""
        return from_json(cls, data)

    @classmethod
    def of(cls, bundle: Bundle) -> Hardening:
        """Read the hardening that an open bundle holds; BundleError where it cannot be read."""
        return read_from(bundle, HARDENING, cls.from_json)

    def render(self) -> str:
        """Write it as plain text."""
        return "\n".join([self._heading(), aligned(self._table()), *self._sentences()]) + "\n"

    def _heading(self) -> str:
        families = f" of {', '.join(self.families)}" if self.families else ""
        alarms = any(one.alarms for one in self.rounds)
        return (
            f"Hardening: taught by edited training attacks{families}{' and benign events' if alarms else ''}, "
            f"{self.taught_queries} queries each; measured on validation events with edits of another seed, "
            f"{self.queries} queries each. Fooled: the student gets it wrong, the teacher does not."
        )

    def _table(self) -> list[list[str]]:
        edited = ["attacks edited, missed [95 %]", "benign edited, flagged [95 %]"]
        lines = [["round", "taught", "that fooled it", *edited, "attacks missed", "benign flagged"]]
        for number, one in enumerate(self.rounds):
            taught = ["", ""] if number == 0 else [words.count(one.taught), words.count(one.fooled)]
            alarms = "" if one.alarms is None else words.interval(one.alarms)
            clean = [words.figure(one.missed.rate), words.figure(one.flagged.rate)]
            lines.append([str(number), *taught, words.interval(one.evasions), alarms, *clean])
        return lines

    def _sentences(self) -> list[str]:
        sentences = [f"round {number}: {one.why}" for number, one in enumerate(self.rounds)]
        if (one := self.example) is not None:
            which = f"{words.short(one.edited)}, edited from {words.short(one.text)} ({one.family})"
            sentences.append(
                f"For example: {which}, was {one.before:.0%} an attack to the student as it was distilled, "
                f"and is {one.after:.0%} to the one that was taken"
            )
        return sentences
