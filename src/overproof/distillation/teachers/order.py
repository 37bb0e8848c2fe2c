"""Number events as they were read, before they are split, so that soft labels without texts can be joined by order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.errors import InputError

ORDER = "read_as"  # a column of {row, of}: the event's place among all that were read, and how many those are


def numbered(tables: Sequence[pa.Table | None]) -> list[pa.Table | None]:
    """Add the column `ORDER` to the tables of a run: the events come first, then those of the test set, and so on.

    A table that has the column already, or that is None, stays as it is.
    """
    total = sum(table.num_rows for table in tables if table is not None)
    before, found = 0, []
    for table in tables:
        if table is not None and ORDER not in table.column_names:
            rows = np.arange(before, before + table.num_rows)
            before += table.num_rows
            places = pa.StructArray.from_arrays([pa.array(rows), pa.array(np.full_like(rows, total))], ["row", "of"])
            table = table.append_column(ORDER, places)
        found.append(table)
    return found


def rows_by_order(events: pa.Table, rows: int, name: str) -> NDArray[np.intp]:
    """Return the row of soft labels of each event, shape (n,).

    Parameters
    ----------
    rows
        How many rows of soft labels there are.
    name
        What messages call them.

    Raises
    ------
    InputError
        There are not as many rows as events were read.
    """
    if ORDER in events.column_names:
        places = events.column(ORDER).combine_chunks()
        read = int(places.field("of")[0].as_py()) if events.num_rows else rows
        found = np.asarray(places.field("row").to_numpy(), dtype=np.intp)
    else:
        read, found = events.num_rows, np.arange(events.num_rows, dtype=np.intp)
    if read != rows:
        raise InputError(
            f"{name}: has no text column and {rows} rows for {read} events; to be joined by order there must be one "
            "row for each event that was read, those of --test and --unlabelled after the others"
        )
    return found
