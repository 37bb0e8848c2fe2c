"""Report whether a model changes when it is quantized, beyond what rounding explains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from overproof.progress import one_line
from overproof.report.words import short
from overproof.results.typed_json import to_json

EVENTS, EDITS, WORDS = "events as they are", "events that are edited", "events with words put into them"


@dataclass(frozen=True)
class ChangedText:
    """A text whose verdict changes: the log-odds, in nats, that it is an attack, before and after quantization."""

    text: str
    before: float
    after: float


@dataclass(frozen=True)
class AuditPart:
    """One way to look for changed verdicts.

    Attributes
    ----------
    what
        `events as they are`, `events that are edited` or `events with words put into them`.
    tried
        Texts, or candidate words, that were tried.
    events, changed
        Events that it is decided on, and those whose verdict changes, both models being sure.
    low, high
        The exact 95 % interval of that share.
    shown
        Whether the share is shown to be larger than rounding explains.
    words
        What was put into the events; None where nothing was.
    examples
        Some of those that change, the largest change first.
    """

    what: str
    tried: int
    events: int
    changed: int
    low: float
    high: float
    shown: bool
    words: str | None = None
    examples: tuple[ChangedText, ...] = ()

    def sentence(self) -> str:
        """Say it in words."""
        put = "" if self.words is None else f" ({short(self.words)!r})"
        share = f"{self.changed:,} of {self.events:,} change, at most {self.high:.2%}"
        return f"{self.what}{put}: {share}" + (f", at least {self.low:.2%}" if self.shown else "")


@dataclass(frozen=True)
class Audit:
    """A differential search between a float model and its quantized self.

    Attributes
    ----------
    sure
        Log-odds in nats: a verdict changes where the float model is surer than this of one, and the quantized of the
        other. Twice as far apart is not what rounding does.
    rounding
        By how much the log-odds of nineteen events of twenty move at most.
    explained
        Share of events for which a few such changes are no accusation.
    parts
        What was looked at.
    left_out
        What was not, and why; None where everything was.
    """

    sure: float
    rounding: float
    explained: float
    parts: tuple[AuditPart, ...]
    left_out: str | None = None

    @property
    def passed(self) -> bool:
        """True if nothing is shown to change."""
        return not any(part.shown for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        found: dict[str, Any] = to_json(self)
        return found

    def render(self) -> str:
        """Write it as plain text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        tried = {what: sum(p.tried for p in self.parts if p.what == what) for what in (EVENTS, EDITS, WORDS)}
        looked = f"{tried[EVENTS]:,} events, {tried[EDITS]:,} edited texts, {tried[WORDS]:,} words tried"
        if self.passed:
            yield f"Audit: nothing found that changes when quantized: {looked}."
        else:
            yield f"Audit: CHANGES WHEN QUANTIZED, beyond what rounding explains: {looked}."
        yield (
            f"  A verdict changes where both models are sure of it by {self.sure:.1f} nats; rounding moves most events "
            f"by {self.rounding:.2g}."
        )
        if self.left_out is not None:
            yield f"  Not looked at: {self.left_out}."
        for part in self.parts:
            yield f"  {'FOUND ' if part.shown else ''}{one_line(part.sentence())}"
            for one in part.examples[:3] if part.shown else ():
                yield f"    {short(one.text)}: {one.before:+.1f} before, {one.after:+.1f} after"
