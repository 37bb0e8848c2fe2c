"""Tell the families of events, leave some out, and pick the labelled."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def families_of(events: pa.Table) -> list[str | None]:
    """Return the family of each event, or its label where it has no family; None where it has neither."""
    families: list[str | None] = pc.coalesce(events["family"], events["label"]).to_pylist()
    return families


def attack_families(events: pa.Table, benign: Sequence[str]) -> tuple[str, ...]:
    """Return the families of the labelled attacks among the events, sorted."""
    pairs = zip(events["label"].to_pylist(), families_of(events), strict=True)
    return tuple(sorted({family for label, family in pairs if family and label not in (None, *benign)}))


def without_families(events: pa.Table, families: Sequence[str]) -> pa.Table:
    """Return the events but those of the families; an event without family has its label for one."""
    if not families:
        return events
    return events.filter(pa.array([family not in families for family in families_of(events)]))


def labelled_events(events: pa.Table) -> pa.Table:
    """Return the events that have a label."""
    return events.filter(pc.is_valid(events["label"]))
