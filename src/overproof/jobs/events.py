"""Write what `triage` would judge as a table: to be labelled, by whom it may be, and learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from overproof.errors import InputError
from overproof.events.labelling.match import WINDOW
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns, Rejects, read_events
from overproof.events.tables import FORMS, LABELLED_BY, SOURCE, form_of, table_batch, writable
from overproof.files import atomic_file, only_writer, regular_target, results
from overproof.jobs.label_events import ByTeacher, Labeller, LeftEmpty, by_alerts
from overproof.progress import NOTEBOOK, Console

STREAM = "-"
NO_LABEL = "no label"
MOST_NAMES, LONGEST_NAME, OTHERS = 1000, 200, "(others)"  # what the input chose is counted in bounded memory


@dataclass(frozen=True)
class LabelConfig:
    """Who labels the events.

    Attributes
    ----------
    alerts
        A Zeek notice.log or a Suricata eve.json; None is none.
    names
        Only alerts of these names count (`*` and `?` stand for any characters); empty: all.
    others
        The label of what no alert is about; None leaves it empty.
    window
        Seconds around an alert in which the events of its flow or host are its events.
    teacher
        Specifications of a teacher, as `compress --teacher` takes them; empty: none.
    benign
        Labels of the teacher's that are benign.
    """

    alerts: Path | None = None
    names: tuple[str, ...] = ()
    others: str | None = None
    window: float = WINDOW
    teacher: tuple[str, ...] = ()
    benign: tuple[str, ...] = DEFAULT_BENIGN

    def __post_init__(self) -> None:
        if self.alerts is not None and self.teacher:
            raise InputError("--label-from and --teacher: expected one of them")
        if self.alerts is None and (self.others is not None or self.names):
            raise InputError("--others and --alert: expected --label-from with them")

    def labeller(self, console: Console) -> Labeller:
        """Open whoever labels; InputError where that cannot be."""
        if self.alerts is not None:
            return by_alerts(self.alerts, self.names, self.others, self.window, console)
        return ByTeacher(self.teacher, self.benign) if self.teacher else LeftEmpty()


@dataclass(frozen=True)
class EventsWritten:
    """What was written.

    Attributes
    ----------
    out
        Where it is; `-` is standard output.
    events
        How many.
    sources, labels, labelled_by
        How many of each: what the records were, their labels, and whose those are.
    rejected
        Reason to number of records that could not become events.
    remarks
        What a reader of the labels must know.
    """

    out: str
    events: int
    sources: Mapping[str, int]
    labels: Mapping[str, int]
    labelled_by: Mapping[str, int]
    rejected: Mapping[str, int]
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "out": self.out,
            "events": self.events,
            "sources": dict(self.sources),
            "labels": dict(self.labels),
            "labelled_by": dict(self.labelled_by),
            "rejected": dict(self.rejected),
            "remarks": list(self.remarks),
        }

    def render(self) -> str:
        """Return text for people."""
        lines = [
            f"{self.events:,} events to {self.out}",
            f"  sources    {_counted(self.sources)}",
            f"  labels     {_counted(self.labels)}",
        ]
        if self.labelled_by:
            lines.append(f"  labelled   {_counted(self.labelled_by)}")
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in list(self.rejected.items())[:10])
        lines.append(f"  rejected   {sum(self.rejected.values()):,}{f': {reasons}' if reasons else ''}")
        return "\n".join([*lines, *(f"  {remark}" for remark in self.remarks)])


def write_events(
    sources: str | Path | Sequence[str | Path],
    *,
    out: Path | str,
    to: str | None = None,
    columns: Columns | None = None,
    format: str = "auto",
    label: LabelConfig | None = None,
    rejects: Path | None = None,
    console: Console = NOTEBOOK,
) -> EventsWritten:
    """Write the events of files as a table with the same texts that `triage` judges, and a column for their labels.

    Memory does not grow with the input, but for the alerts that label it. A file is written aside and gets its name
    when all of it is there. `load_events` reads it back.

    Parameters
    ----------
    sources, columns, format
        What is read, and how; see `read_events`.
    out
        The file to write; `-` is standard output.
    to
        `csv`, `jsonl` or `parquet`; None goes by the name of `out`, else csv.
    label
        Who labels the events; None leaves the column empty, but for labels that a table has itself.
    rejects
        File for what cannot become an event, or cannot be held by the form, each with its reason.

    Raises
    ------
    InputError
        Events, alerts, a teacher or an output that cannot be used.
    MissingExtra
        A package that a teacher, or a format, needs is not installed.
    """
    paths = [sources] if isinstance(sources, str | Path) else sources
    form = FORMS[form_of(to, str(out))]
    if str(out) == STREAM and form.extension == ".parquet":
        raise InputError("--to parquet: no stream; expected a file to write, or csv or jsonl")
    labeller = (label or LabelConfig()).labeller(console)
    tally = {name: Counter[str]() for name in (SOURCE, "label", LABELLED_BY)}
    events = 0
    with Rejects(rejects) as skipped, _opened(out) as file:
        writer = form.open(file, labeller.schema)
        with console.progress("events", 0) as advance:
            for batch in read_events(paths, columns=columns, format=format, on_skip=skipped):
                kept = labeller(writable(table_batch(batch), form, skipped))
                writer.write(kept)
                events += kept.num_rows
                for name, counter in tally.items():
                    _count(counter, kept.column(name).to_pylist())
                advance(batch.num_rows)
        writer.close()
    if tally["label"].total() < events:
        tally["label"][NO_LABEL] = events - tally["label"].total()
    of, labels, by = (dict(counter.most_common()) for counter in tally.values())
    return EventsWritten(str(out), events, of, labels, by, skipped.summary(), tuple(labeller.remarks()))


@contextmanager
def _opened(out: Path | str) -> Iterator[BinaryIO]:
    """Open the output: aside, and renamed when the block ends well, where it is a file."""
    if str(out) == STREAM:
        yield results().buffer
        return
    path = Path(out)
    target = regular_target(out)
    with ExitStack() as held:
        if target is not None:
            held.enter_context(only_writer(target))
        yield held.enter_context(atomic_file(path))


def _count(counter: Counter[str], names: Sequence[str | None]) -> None:
    for name, count in Counter(name for name in names if name is not None).items():
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        counter[name if name in counter or len(counter) < MOST_NAMES else OTHERS] += count


def _counted(counts: Mapping[str, int], most: int = 12) -> str:
    shown = [f"{count:,} {name}" for name, count in list(counts.items())[:most]]
    rest = sum(list(counts.values())[most:])
    return ", ".join([*shown, *([f"{rest:,} others"] if rest else [])]) or "none"
