"""Report a ladder of students: size, speed and loss of each, and which one was taken, all on validation events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overproof.bundle.manifest import LADDER, Bundle
from overproof.bundle.model_names import FULL
from overproof.report import words
from overproof.report.layout import aligned
from overproof.report.not_measured import NotMeasured
from overproof.results.comparison.at_rates import UNMEASURED, rate_in_words
from overproof.results.metrics import Share
from overproof.results.operating_points import FAMILY_RATE, Counted, PairedDifference
from overproof.results.stored import read_from
from overproof.results.typed_json import from_json, to_json

RATE = FAMILY_RATE  # the false-positive rate that decides


@dataclass(frozen=True)
class Missed:
    """What one student misses at one false-positive rate.

    Attributes
    ----------
    rate
        The share of benign validation events that is allowed to be flagged.
    full, student
        Attacks that the full model misses behind its threshold, and the student behind its own.
    more
        How many more the student misses, where both flag as many benign events.
    """

    rate: float
    full: Counted | NotMeasured
    student: Counted | NotMeasured
    more: PairedDifference | NotMeasured


@dataclass(frozen=True)
class Rung:
    """One student of the ladder, quantized.

    Attributes
    ----------
    preset
        Of its sizes.
    parameters, bytes
        Size; bytes of what is learned.
    p50_ms, events_per_second
        Time for one event, and speed in batches, one thread.
    at
        What it misses, a false-positive rate after the other.
    wrong, full_wrong
        Labelled events of which the student, and the full model, take an attack for benign or the other way round.
    exceeded
        The guards that it exceeds.
    why
        Why it was taken, or why not.
    """

    preset: str
    parameters: int
    bytes: int
    p50_ms: float
    events_per_second: float
    at: tuple[Missed, ...]
    wrong: Share
    full_wrong: Share
    exceeded: tuple[str, ...]
    why: str = ""

    @property
    def lost(self) -> PairedDifference | NotMeasured:
        """What it misses at the rate that decides."""
        return next(missed.more for missed in self.at if missed.rate == RATE)

    @property
    def estimate(self) -> float | None:
        """The share that it loses, of attacks at the rate that decides or else of verdicts; None where none is known.

        No interval goes with it.
        """
        if not isinstance(self.lost, NotMeasured):
            return self.lost.value
        if self.wrong.rate is None or self.full_wrong.rate is None:
            return None
        return self.wrong.rate - self.full_wrong.rate


@dataclass(frozen=True)
class Ladder:
    """All students of one ladder, from the smallest to the largest.

    Attributes
    ----------
    taken
        Preset of the one that was taken.
    events
        Validation events that this was decided on.
    margin
        How many more attacks than the full model a student may miss, as a share.
    guarded
        Whether there are guards.
    rungs
        The students.
    """

    taken: str
    events: int
    margin: float
    guarded: bool
    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        if self.taken not in [rung.preset for rung in self.rungs]:
            raise ValueError(f"taken is {self.taken}, which is none of the students")
        if len({tuple(missed.rate for missed in rung.at) for rung in self.rungs}) > 1:
            raise ValueError("the students are at different false-positive rates")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it back."""
        found: dict[str, Any] = to_json(self)
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ladder:
        """Read what `to_json` gave; ValueError if it is something else."""
        return from_json(cls, data)

    @classmethod
    def of(cls, bundle: Bundle) -> Ladder:
        """Read the ladder that an open bundle holds; BundleError where it cannot be read."""
        return read_from(bundle, LADDER, cls.from_json)

    def render(self) -> str:
        """Write it as plain text."""
        return "\n".join([self._heading(), aligned(self._table()), *self._sentences()]) + "\n"

    def _heading(self) -> str:
        guards = "holds the guards and " if self.guarded else ""
        return (
            f"The ladder: to be taken is the smallest student that {guards}misses at most {words.percent(self.margin)} "
            f"more of the attacks than the full model at {rate_in_words(RATE)} false positives, on {self.events:,} "
            "validation events. Test events decided nothing of it."
        )

    def _table(self) -> list[list[str]]:
        head = ["", "bytes", "p50", "events/s"]
        for missed in self.rungs[0].at:
            head += [f"missed at {rate_in_words(missed.rate)}", "more than full [95 %]"]
        full = [cell for missed in self.rungs[0].at for cell in (_share(missed.full), "")]
        lines = [[*head, "guards"], [FULL, "", "", "", *full, ""]]
        for rung in self.rungs:
            figures = [words.size(rung.bytes), words.milliseconds(rung.p50_ms), words.count(rung.events_per_second)]
            at = [cell for missed in rung.at for cell in (_share(missed.student), _more(missed.more))]
            guards = "exceeded" if rung.exceeded else "held" if self.guarded else "none"
            lines.append([rung.preset, *figures, *at, guards])
        return lines

    def _sentences(self) -> list[str]:
        gaps: dict[str, list[str]] = {}
        for missed in (missed for rung in self.rungs for missed in rung.at):
            for found in (missed.full, missed.student, missed.more):
                if isinstance(found, NotMeasured):
                    gaps.setdefault(found.unmeasured, []).append(rate_in_words(missed.rate))
        lines = [f"{UNMEASURED} at {' and '.join(dict.fromkeys(rates))}: {why}" for why, rates in gaps.items()]
        return lines + [f"{rung.preset}: {rung.why}" for rung in self.rungs]


def _share(found: Counted | NotMeasured) -> str:
    return UNMEASURED if isinstance(found, NotMeasured) else words.percent(found.value)


def _more(found: PairedDifference | NotMeasured) -> str:
    return UNMEASURED if isinstance(found, NotMeasured) else words.interval(found)
