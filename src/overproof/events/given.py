"""Take events from Python, a text, texts, a frame of pandas or Polars, an Arrow table, and give back the like."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.errors import InputError
from overproof.events.sources.interface import DEFAULT_NAMES, Columns, listed

EXPECTED = "expected a text, a list of texts, a frame of pandas or Polars, or an Arrow table"


def texts_of(events: Any) -> list[str]:
    """Return the events as texts.

    Parameters
    ----------
    events
        A `str` is one event. Of a table with several columns the text is found as in a file (`Columns.text`); one of a
        single column holds texts whatever it is called. An array may have the shape (n,) or (n, 1).

    Raises
    ------
    InputError
        Something else, or a value that is no text: which, and what was expected.
    """
    if isinstance(events, str):
        return [str(events)]
    if events is None or isinstance(events, bytes | dict):
        raise InputError(f"events: {'None' if events is None else type(events).__name__}, {EXPECTED}")
    if isinstance(events, np.ndarray):
        if events.ndim == 0 or (events.ndim > 1 and events.size != len(events)):
            raise InputError(f"events: an array of shape {events.shape}, expected (n,) or (n, 1) of texts")
        return _texts(events.ravel().tolist())
    if is_table(events):
        return _texts(_column(_arrow(events)).to_pylist())
    if type(events).__name__ == "LazyFrame":  # a query, and whether it runs now is for its author to say
        raise InputError("events: a LazyFrame, whose rows are not computed yet; hand over what its collect() gives")
    if isinstance(events, Iterable):
        return _texts(events.to_pylist() if hasattr(events, "to_pylist") else list(events))
    raise InputError(f"events: {type(events).__name__}, {EXPECTED}")


def is_table(events: Any) -> bool:
    """Tell whether events are a table: something with columns that Arrow can take over."""
    return isinstance(events, pa.Table | pa.RecordBatch) or (
        hasattr(events, "__arrow_c_stream__") and hasattr(events, "columns")
    )


def like(events: Any, table: pa.Table) -> Any:
    """Return a table with a row for each event as the same kind of table as the events, with pandas' own index."""
    if isinstance(events, pa.RecordBatch):
        return (
            table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
        )
    library = type(events).__module__.partition(".")[0]
    if library == "pandas":
        found = table.to_pandas()
        found.index = events.index
        return found
    if library == "polars":
        return import_module("polars").from_arrow(table)  # which whoever has such a frame has
    return table


def _arrow(events: Any) -> pa.Table:
    if isinstance(events, pa.Table):
        return events
    if isinstance(events, pa.RecordBatch):
        return pa.Table.from_batches([events])
    if type(events).__module__.partition(".")[0] == "pandas":  # else its index would be a column
        return pa.Table.from_pandas(events, preserve_index=False)
    return pa.table(events)


def _column(table: pa.Table) -> pa.ChunkedArray:
    names = table.column_names
    if len(names) == 1:
        return table.column(0)
    no_text = [field.name for field in table.schema if not _is_text(field.type)]
    found = Columns().layout(names, no_text).text
    if found is None:
        looked_for = ", ".join(DEFAULT_NAMES["text"])
        raise InputError(
            f"events: no text column: looked for {looked_for}; found {listed(names)}; hand over the text's column"
        )
    return table.column(names.index(found))


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values))


def _texts(values: list[Any]) -> list[str]:
    """Require that all values are texts."""
    for place, value in enumerate(values):
        if not isinstance(value, str):
            missing = value is None or value != value
            why = "; fill missing values in, or drop them, first" if missing else ""
            raise InputError(f"events[{place}]: {value!r:.60}, expected text{why}")
    return [str(value) for value in values]
