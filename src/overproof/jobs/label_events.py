"""Label events by alerts or by a teacher, and say of each whose label it is. A label of their own stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.labelling import Alerts, read_alerts
from overproof.events.labelling.match import is_alert
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Rejects
from overproof.events.tables import COLUMNS, LABELLED_BY
from overproof.progress import Console

MALICIOUS = "malicious"  # the label of what an alert is about
NO_ALERT = "no alert"  # whose label that is of what no alert is about
SOFT = "p_"  # before each class of a teacher, in the names of its columns: `--teacher columns:p_`

Given = tuple[str | None, str | None, str | None]  # label, family, and whose they are


class Labeller(Protocol):
    """Labels batches that have the columns of `tables.COLUMNS`.

    Attributes
    ----------
    schema
        The columns of what it returns.
    """

    @property
    def schema(self) -> pa.Schema:
        """The columns of what it returns."""
        ...

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with labels."""
        ...

    def remarks(self) -> list[str]:
        """Say at the end what a reader of the labels must know."""
        ...


class LeftEmpty:
    """Labels nothing."""

    schema = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch as it is."""
        return batch

    def remarks(self) -> list[str]:
        """Say nothing."""
        return []


@dataclass(frozen=True)
class ByAlerts:
    """Labels what an alert is about `malicious`, by the family that the alert names.

    Attributes
    ----------
    alerts
        The alerts.
    others
        The label of what no alert is about; None leaves it empty.
    """

    alerts: Alerts
    others: str | None = None
    schema: pa.Schema = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with labels; the alerts themselves, whose texts are the answer, have none."""
        found, itself = self.alerts.of(batch), is_alert(batch)
        others: Given = (self.others, None, None if self.others is None else NO_ALERT)
        given: list[Given] = [(None, None, None) if own else others for own in itself]
        for row, one in enumerate(found):
            if one is not None:
                given[row] = (MALICIOUS, one.name, one.by)
        return filled(batch, *map(list, zip(*given, strict=True))) if given else batch

    def remarks(self) -> list[str]:
        """Name the alerts that no event belonged to: another clock or another capture shows by that."""
        missing = sorted(self.alerts.names - self.alerts.met)
        if not missing:
            return []
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5:,} more" if len(missing) > 5 else "")
        return [f"of {len(self.alerts.names):,} names of alerts, {len(missing):,} met no event: {shown}"]


def by_alerts(path: Path, names: Sequence[str], others: str | None, window: float, console: Console) -> ByAlerts:
    """Read alerts, of those names (`*` and `?` stand for any characters), or all.

    Raises
    ------
    InputError
        See `read_alerts`; also if no alert has such a name, or the window is negative.
    """
    if not 0 <= window < float("inf"):
        raise InputError(f"--label-window {window}: expected a number of seconds, 0 or more")
    with Rejects() as skipped:
        alerts = read_alerts(path, skipped)
    if skipped.total:
        console.say(f"{path}: of the alerts {skipped}")
    patterns = [name.replace("[", "[[]") for name in names]  # which stands for itself
    kept = [one for one in alerts if not names or any(fnmatchcase(one.name, pattern) for pattern in patterns)]
    if not kept:
        raise InputError(f"--alert {names[0]}: no alert in {path} has such a name, the first is {alerts[0].name!r}")
    console.say(f"{len(kept):,} alerts to label by")
    return ByAlerts(Alerts(kept, window), others)


class ByTeacher:
    """Labels events as a teacher judges them, and keeps its probabilities in columns `p_CLASS`.

    Parameters
    ----------
    specs
        Specifications, as `compress --teacher` takes them.
    benign
        Labels that are benign.

    Raises
    ------
    InputError, MissingExtra
        See `load_teacher`; also of soft labels that were computed elsewhere.
    """

    def __init__(self, specs: Sequence[str], benign: Sequence[str] = DEFAULT_BENIGN) -> None:
        from overproof.distillation.teachers import load_teacher

        self._teacher = load_teacher(specs)
        if not self._teacher.labels_new_events:
            raise InputError(f"{self._teacher.card.name}: soft labels that were computed elsewhere; expected a model")
        self._benign = [name in benign for name in self._teacher.classes]
        self.schema = pa.schema([*COLUMNS, *(pa.field(SOFT + name, pa.float32()) for name in self._teacher.classes)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with labels and the probabilities that they are from."""
        from overproof.bundle.scores import labels_of, softmax

        teacher, rows = self._teacher, batch.num_rows
        probabilities = softmax(teacher.logits(pa.Table.from_batches([batch])))
        labels = [teacher.classes[best] for best in labels_of(probabilities, self._benign).tolist()]
        done = filled(batch, labels, [None] * rows, [f"teacher {teacher.card.name}"] * rows)
        soft = [pa.array(column, pa.float32()) for column in probabilities.T]
        return pa.RecordBatch.from_arrays([*done.columns, *soft], schema=self.schema)

    def remarks(self) -> list[str]:
        """Say whose labels they are."""
        return [f"the labels are those of {self._teacher.card.name}: what is measured by them is agreement with it"]


def filled(
    batch: pa.RecordBatch, labels: list[str | None], families: list[str | None], by: list[str | None]
) -> pa.RecordBatch:
    """Return a batch with labels, families and whose they are, where it has no label of its own."""
    own = batch.column("label").is_valid().to_pylist()
    for name, values in (("label", labels), ("family", families), (LABELLED_BY, by)):
        rows = zip(batch.column(name).to_pylist(), values, own, strict=True)
        chosen = [mine if has or new is None else new for mine, new, has in rows]
        place = batch.schema.get_field_index(name)
        batch = batch.set_column(place, batch.schema.field(place), pa.array(chosen, pa.string()))
    return batch
