"""Make columns of JSON objects, whose keys come and go from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import pyarrow as pa

from overproof.events.sources.batch import FURTHER, MOST_COLUMNS, extra_array, extra_names, plain
from overproof.events.sources.interface import Layout
from overproof.events.sources.json_record import Record
from overproof.events.sources.nested import ABSENT, reach

_TEXTS = {str, type(None)}
CELLS = 1 << 20  # of the columns of one batch: keys times records


def field_of(records: Sequence[Record], layouts: Sequence[Layout], field: int) -> Sequence[str | None]:
    """Return one field of every record, as text; nothing where no record has it.

    There is one layout where all records have the same.
    """
    names = {layout[field] for layout in layouts}
    if names == {None}:
        return ()
    (name, *others) = names
    if others:
        values = [_inside(record, layout[field]) for record, layout in zip(records, layouts, strict=True)]
    elif len(layouts) == 1 and name in records[0]:  # the usual case, and the quickest one
        values = list(map(itemgetter(name), records))
    else:
        values = [_inside(record, name) for record in records]
    return values if set(map(type, values)) <= _TEXTS else [*map(plain, values)]


def _inside(record: Record, name: str | None) -> Any:
    found = ABSENT if name is None else reach(record, name)
    return None if found is ABSENT else found


def extras_of(records: Sequence[Record], layouts: Sequence[Layout]) -> Mapping[str, pa.Array]:
    """Return the keys that are no field of their record, each as one column over all records."""
    found: dict[str, list[object]] = {}
    first = layouts[0]
    if len(records[0]) <= MOST_COLUMNS and len(layouts) == 1:  # the usual case, and the quicker one
        found = {key: [*map(itemgetter(key), records)] for key in records[0] if key not in first}
    else:
        each = layouts if len(layouts) > 1 else repeat(first)
        for row, (record, layout) in enumerate(zip(records, each, strict=False)):
            if len(record) > MOST_COLUMNS:
                record = {FURTHER: {key: value for key, value in record.items() if key not in layout}}
            for key in record:
                if key not in layout:
                    if key not in found:
                        found[key] = [None] * len(records)
                    found[key][row] = record[key]
    names = extra_names(list(found), ())
    return {names[index]: extra_array(values) for index, values in enumerate(found.values())}


def few_cells(
    records: Sequence[Record], layouts: Sequence[Layout]
) -> Iterator[tuple[Sequence[Record], Sequence[Layout], slice]]:
    """Divide records into parts whose columns, all keys of their records, have no more than so many cells.

    Yields the records, their layouts (one, where all have the same), and which they are.
    """
    if len(set(map(id, layouts))) == 1:
        layouts = layouts[:1]
    few = [record if len(record) <= MOST_COLUMNS else {} for record in (records if len(layouts) > 1 else records[:1])]
    if len(set[Any]().union(*few)) * len(records) <= CELLS:
        yield records, layouts, slice(0, len(records))
        return
    start, keys = 0, set[Any]()
    for place, record in enumerate(records):
        own = record if len(record) <= MOST_COLUMNS else ()
        keys.update(own)
        if place > start and len(keys) * (place + 1 - start) > CELLS:
            part = slice(start, place)
            yield records[part], layouts[part] if len(layouts) > 1 else layouts, part
            start, keys = place, set(own)
    part = slice(start, len(records))
    yield records[part], layouts[part] if len(layouts) > 1 else layouts, part
