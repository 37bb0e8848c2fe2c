"""Put what analysts corrected into a run's events: nothing is left there that nearly is such an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.feedback import CHECK, TRAIN, WEIGHT, weighed
from overproof.events.sources import Rejects, load_events
from overproof.events.split import templates


@dataclass(frozen=True)
class Feedback:
    """Both sides of what analysts corrected.

    Attributes
    ----------
    train
        Events to learn from, with their weight as a column; None where there are none.
    learned, measured
        Templates of the events on either side.
    """

    train: pa.Table | None
    learned: frozenset[str] = frozenset()
    measured: frozenset[str] = frozenset()

    def apart(self, events: pa.Table | None, say: Callable[[str], None], *, learned_from: bool) -> pa.Table | None:
        """Return events without those that nearly are corrected ones.

        Parameters
        ----------
        learned_from
            Whether they are learned from: then near duplicates of both sides go, the correction being in their place or
            measured on. Of events that are measured on, those go that are learned from.
        """
        gone = self.learned | self.measured if learned_from else self.learned
        if events is None or not gone:
            return events
        kept = events.filter(pa.array([shape not in gone for shape in templates(events)], pa.bool_()))
        if lost := events.num_rows - kept.num_rows:
            what = "to learn from" if learned_from else "to measure on"
            say(f"feedback: {lost:,} events {what} are left out, since they nearly are corrected ones")
        return kept


def read_feedback(specs: Sequence[str], rejects: Rejects) -> Feedback:
    """Read folders that `overproof feedback` wrote, the oldest first: of an event that several have the last counts.

    Parameters
    ----------
    specs
        `DIR` or `DIR@WEIGHT` each.

    Raises
    ------
    InputError
        No such folder, nothing in it, or an event that one measures on and another learns from.
    """
    tables: list[pa.Table] = []
    sides: dict[str, set[str]] = {TRAIN: set(), CHECK: set()}
    for folder, weight in map(weighed, specs):
        if missing := [name for name in (TRAIN, CHECK) if not (folder / name).is_file()]:
            raise InputError(f"{folder}: has no {missing[0]}, expected a folder that `overproof feedback` wrote")
        for name, shapes in sides.items():
            if (folder / name).stat().st_size:
                table = load_events([folder / name], rejects=rejects)
                shapes |= set(templates(table))
                weights = pa.array([weight] * table.num_rows, pa.float64())
                tables += [table.append_column(WEIGHT, weights)] if name == TRAIN else []
    if both := sides[TRAIN] & sides[CHECK]:
        raise InputError(
            f"{specs[-1]}: {len(both):,} events that are measured on in one folder are learned from in another, "
            "expected the same --seed and --check-share for all of them"
        )
    return Feedback(_last(tables), frozenset(sides[TRAIN]), frozenset(sides[CHECK]))


def _last(tables: Sequence[pa.Table]) -> pa.Table | None:
    """Join tables; of rows with the same text the last is kept."""
    if not tables:
        return None
    whole = pa.concat_tables(tables, promote_options="default")
    last = {text: row for row, text in enumerate(whole["text"].to_pylist())}
    return whole.take(pa.array(sorted(last.values()), pa.int64()))
