"""Sum up what a triage run did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.inference.cascade import Promise, PromiseStatus, Unverified
from overproof.inference.exceptions.silencer import Outcome
from overproof.inference.sinks import VerdictBatch, severity
from overproof.inference.sinks.verdict_batch import Verdict
from overproof.progress import one_line

ANOTHER_SOURCE = 0.25  # share of events out of distribution above which the source is not the training events'
NO_LABEL = "no label"  # of scores that are no numbers
MOST_FOREIGN = 5  # of them are named
MOST_NAMES, LONGEST = 1000, 200  # of families and sources that are counted by name, and characters of each
OTHERS = "(others)"
COUNTED = (
    "label",
    "status",
    "decided_by",
    "source",
    "family",
    "severity",
    "tier",
    "alerts",
    "campaigns",
    "ood",
    "excepted",
    "left",
)


@dataclass
class Tally:
    """Counts while the run goes on; its JSON is kept in the journal."""

    events: int = 0
    written: int = 0
    overflow: int = 0
    escalated: int = 0
    out_of_distribution: int = 0
    stood_in: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})

    def add(self, batch: VerdictBatch, severities: NDArray[np.int8]) -> None:
        """Count all verdicts of a batch, also those that are not written."""
        verdicts = batch.verdicts
        settled, scores = verdicts.settled, verdicts.scores
        labels = [*(name or NO_LABEL for name in scores.classes), NO_LABEL]
        self.events += len(settled.status)
        self.overflow += int(scores.overflow.sum())
        self.escalated += len(verdicts.rows)
        self.stood_in += len(settled.stood_in)
        self.counts["label"].update(labels[best] for best in verdicts.best.tolist())
        self.counts["status"].update(settled.status)
        self.counts["decided_by"].update(settled.decided_by)
        _count(self.counts["source"], batch.sources)
        _count(self.counts["family"], batch.events.column("family").drop_null().to_pylist())
        self.counts["severity"].update(severity.NAMES[grave] for grave in severities.tolist())
        if scores.tier is not None:
            decided = zip(settled.decided_by, scores.tier.tolist(), strict=True)
            self.counts["tier"].update(str(tier) for by, tier in decided if by == "student")

    def foreign(self, sources: Sequence[str], unlike: NDArray[np.bool_]) -> None:
        """Count the events that are unlike the training events, in all and by source."""
        self.out_of_distribution += int(unlike.sum())
        _count(self.counts["ood"], [source for source, out in zip(sources, unlike.tolist(), strict=True) if out])

    def excepts(self, outcome: Outcome) -> None:
        """Count alerts that a rule silences, by rule, and those that rules are about and leave, by reason."""
        _count(self.counts["excepted"], list(outcome.silenced.values()))
        _count(self.counts["left"], list(outcome.left.values()))

    def explain(self, explained: int, others: int) -> None:
        """Count alerts that were explained, and those that were too many for it."""
        self.counts["alerts"].update({"explained": explained, "not explained": others})

    def campaign(self, findings: Iterable[Verdict]) -> None:
        """Count findings that stand for campaigns, and the alerts behind them."""
        counts = [found["campaign"]["count"] for found in findings if "campaign" in found]
        self.counts["campaigns"].update({"findings": len(counts), "alerts": sum(counts)})

    def promised(self, promise: Promise | None) -> PromiseStatus | None:
        """Return what is left of a promise after these events; None where there was none."""
        if promise is None:
            return None
        return PromiseStatus(promise, self.events, Unverified.of(self.counts["status"], self.stood_in))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        counts = {name: dict(counter.most_common()) for name, counter in self.counts.items()}
        return {
            "events": self.events,
            "written": self.written,
            "overflow": self.overflow,
            "escalated": self.escalated,
            "out_of_distribution": self.out_of_distribution,
            "stood_in": self.stood_in,
            **counts,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        """Read what `to_json` wrote."""
        names = ("events", "written", "overflow", "escalated", "out_of_distribution", "stood_in")
        tally = cls(*(data[name] for name in names))
        for name, counter in tally.counts.items():
            counter.update(data.get(name, {}))  # a run that an older version broke off counted no tiers
        return tally


@dataclass(frozen=True)
class Summary:
    """What a triage run did.

    Attributes
    ----------
    tally
        Counts of verdicts; of a run that was taken up again, those before the break included.
    rejected
        Reason to number of records that could not become events.
    groups
        Groups of similar alerts; None if they were not grouped.
    resumed
        Events that an earlier, broken-off run had judged already.
    seconds
        Wall-clock time of this run.
    basis
        Where the policy's thresholds come from.
    promise
        What a check promised of the cascade; None: nothing was promised.
    models
        What verdicts call the student and the full model.
    out
        Where the verdicts are.
    min_severity
        Verdicts below it were counted, not written.
    """

    tally: Tally
    rejected: Mapping[str, int]
    groups: int | None
    resumed: int
    seconds: float
    basis: str
    promise: Promise | None
    models: Mapping[str, str | None]
    out: str
    min_severity: int = severity.INFORMATIONAL

    @property
    def promised(self) -> PromiseStatus | None:
        """What is left of the promise after this run; None where there was none."""
        return self.tally.promised(self.promise)

    @property
    def events_per_second(self) -> float:
        """Of those judged in this run."""
        return (self.tally.events - self.resumed) / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            **self.tally.to_json(),
            "rejected": dict(self.rejected),
            "groups": self.groups,
            "resumed": self.resumed,
            "seconds": self.seconds,
            "events_per_second": self.events_per_second,
            "basis": self.basis,
            "promise": None if self.promised is None else self.promised.to_json(),
            "models": dict(self.models),
            "out": self.out,
        }

    def render(self) -> str:
        """Return text for people."""
        tally, counts = self.tally, self.tally.counts
        taken_up = f", {self.resumed:,} of them before the break" if self.resumed else ""
        lines = [
            f"{tally.events:,} events in {self.seconds:.1f} s ({self.events_per_second:,.0f} a second){taken_up}",
            f"  labels     {_counted(counts['label'])}",
            f"  severity   {_counted(counts['severity'])}",
            f"  sources    {_counted(counts['source'])}",
        ]
        if counts["family"]:
            lines.append(f"  families   {_counted(counts['family'])}")
        escalated = f"{tally.escalated:,} ({_percent(tally.escalated, tally.events)})"
        lines += [
            f"  decided    {_counted(counts['decided_by'])}{_tiers(counts['tier'])}; thresholds: {self.basis}",
            f"  escalated  {escalated}, {_others(counts['status'])}{_stand_ins(tally.stood_in)}",
            f"  promise    {self.promised.message if self.promised else 'none: no check stands behind these verdicts'}",
            f"  OOD        {tally.out_of_distribution:,} unlike the training events{_advice(tally)}",
            *(f"             {line}" for line in _foreign(counts)),
            f"  overflow   {tally.overflow:,} longer than was judged",
            f"  rejected   {sum(self.rejected.values()):,}{_reasons(self.rejected)}",
        ]
        if counts["alerts"].total():
            lines.append(f"  explained  {_explained(counts['alerts'])}")
        if counts["excepted"].total():
            silenced = ", ".join(f"{count:,} by {one_line(rule)}" for rule, count in counts["excepted"].most_common())
            lines.append(f"  excepted   {counts['excepted'].total():,} alerts: {silenced}")
        for why, count in counts["left"].most_common():
            lines.append(f"             {count:,} that rules are about stay alerts: {one_line(why)}")
        if counts["campaigns"].total():
            campaigns = counts["campaigns"]
            lines.append(f"  campaigns  {campaigns['findings']:,}, of {campaigns['alerts']:,} alerts")
        if self.groups is not None:
            lines.append(f"  groups     {self.groups:,} of similar alerts")
        lines.append(f"  written    {tally.written:,} verdicts to {self.out}{self._left_out()}")
        return "\n".join(lines)

    def _left_out(self) -> str:
        below = [name for number, name in severity.NAMES.items() if number < self.min_severity]
        count = sum(self.tally.counts["severity"][name] for name in below)
        if not count:
            return ""
        return f"; {count:,} below {severity.NAMES[self.min_severity]} left out (--min-severity {below[0]} shows them)"


def _count(counter: Counter[str], names: list[str]) -> None:
    """Count names that the input chose in bounded memory: cut at `LONGEST`, and those beyond `MOST_NAMES` together."""
    for name, count in Counter(names).items():
        name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        counter[name if name in counter or len(counter) < MOST_NAMES else OTHERS] += count


def _counted(counter: Counter[str], most: int = 12) -> str:
    shown = [f"{count:,} {name}" for name, count in counter.most_common(most)]
    rest = sum(counter.values()) - sum(count for _, count in counter.most_common(most))
    return ", ".join([*shown, *([f"{rest:,} others"] if rest else [])]) or "none"


def _tiers(counter: Counter[str]) -> str:
    """Say how many of the events that the student decided each of two students did."""
    if not counter:
        return ""
    return f" ({counter['1']:,} of the student's by the first of its two, {counter['2']:,} by the second)"


def _explained(alerts: Counter[str]) -> str:
    others = alerts["not explained"]
    return f"{alerts['explained']:,} alerts" + (f"; {others:,} more with --explain" if others else "")


def _others(status: Counter[str]) -> str:
    return ", ".join(f"{status[name]:,} {name}" for name in ("deferred", "held", "abstained"))


def _stand_ins(count: int) -> str:
    return f", {count:,} decided by the student in place of the full model, which was down" if count else ""


def _advice(tally: Tally) -> str:
    if tally.out_of_distribution <= ANOTHER_SOURCE * tally.events:
        return ""
    share = _percent(tally.out_of_distribution, tally.events)
    return f" ({share}): this bundle was not made for such events; train on events from your own sources"


def _foreign(counts: Mapping[str, Counter[str]]) -> list[str]:
    """Name the sources of which a large part is unlike the training events."""
    found = [(ood, source, counts["source"][source]) for source, ood in counts["ood"].most_common()]
    return [
        f"{100 * ood / events:.0f} % of {events:,} {source} events are out of distribution"
        for ood, source, events in found
        if ood > ANOTHER_SOURCE * events
    ][:MOST_FOREIGN]


def _percent(part: int, total: int) -> str:
    return f"{100 * part / total:.2f} %" if total else "0 %"


def _reasons(rejected: Mapping[str, int]) -> str:
    shown = [f"{reason} ({count:,})" for reason, count in list(rejected.items())[:10]]
    return ": " + "; ".join(shown) if shown else ""
