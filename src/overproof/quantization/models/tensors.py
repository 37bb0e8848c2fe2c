"""Read events that are numbers: the input of an ONNX classifier that takes a tensor instead of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from overproof.bundle.arrays import DAMAGED
from overproof.errors import InputError
from overproof.events.sources import Columns
from overproof.events.sources.interface import listed, require
from overproof.files import utf8_path

UNREADABLE = (*DAMAGED, KeyError, TypeError, pa.ArrowException)


@dataclass(frozen=True)
class _Read:
    """One file: numbers with a row for each event, what is known of the events, and columns that hold no numbers."""

    x: NDArray[np.float32]
    label: list[str | None]
    family: list[str | None]
    ignored: tuple[str, ...] = ()


def load_tensors(files: Sequence[str], sizes: Sequence[int | None], columns: Columns | None) -> pa.Table:
    """Read tables of numbers as events: `values`, one list a row, with `label`, `family` and `origin` (`file:row`).

    csv (also .gz) and parquet: every numeric column but label and family is a feature, in the file's order. npz: `x`
    with one row an event, and optionally `label` and `family`.

    Parameters
    ----------
    sizes
        The input's shape without the batch; None where any size will do.

    Raises
    ------
    InputError
        A file that cannot be read, another number of features, or numbers that are missing or not finite.
    """
    parts = [_load(Path(file), sizes, columns or Columns()) for file in files]
    if not parts:
        raise InputError("no files of events were given")
    widths = {file: len(part["values"][0]) for file, part in zip(files, parts, strict=True)}
    if len(set(widths.values())) > 1:
        listing = ", ".join(f"{file} {width}" for file, width in widths.items())
        raise InputError(f"files have different numbers of features: {listing}")
    return pa.concat_tables(parts)


def _load(path: Path, sizes: Sequence[int | None], columns: Columns) -> pa.Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        read = _arrays(path, columns) if path.suffix == ".npz" else _table(path, columns)
    except UNREADABLE as error:
        raise InputError(f"{path}: expected csv, parquet or npz with numbers: {error}") from None
    _check(path, read, sizes)
    rows = pa.array(list(read.x.reshape(len(read.x), -1)), type=pa.list_(pa.float32()))
    known = {"label": pa.array(read.label, pa.string()), "family": pa.array(read.family, pa.string())}
    origin = pa.array([f"{path}:{row + 1}" for row in range(len(read.x))], pa.string())
    return pa.table({"values": rows, **known, "origin": origin})


def _arrays(path: Path, columns: Columns) -> _Read:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        require(columns.named - set(arrays), list(arrays), str(path))
        layout = columns.layout(list(arrays))
        with np.errstate(over="ignore"):  # too large becomes inf, which is refused later
            x = np.asarray(arrays["x"], dtype=np.float32)
        label, family = (None if name is None else arrays[name].astype(str).tolist() for name in layout[1:3])
    return _Read(x, _known(label, len(x)), _known(family, len(x)))


def _table(path: Path, columns: Columns) -> _Read:
    with utf8_path(path) as name:
        table = pq.read_table(name) if path.suffix in (".parquet", ".pq") else pyarrow.csv.read_csv(name)
    require(columns.named - set(table.column_names), table.column_names, str(path))
    layout = columns.layout(table.column_names)
    others = [name for name in table.column_names if name not in layout[1:3]]
    features = [name for name in others if _is_number(table.schema.field(name).type)]
    if not features:
        raise InputError(f"{path}: no column of numbers; expected the model's features")
    x = np.stack([table[name].cast(pa.float32(), safe=False).to_numpy() for name in features], axis=1)
    label, family = (None if name is None else table[name].cast(pa.string()).to_pylist() for name in layout[1:3])
    ignored = tuple(name for name in others if name not in features)
    return _Read(x, _known(label, len(x)), _known(family, len(x)), ignored)


def _known(values: Sequence[str | None] | None, count: int) -> list[str | None]:
    """Return labels or families, None where there is none."""
    return [None] * count if values is None else [value or None for value in values]


def _check(path: Path, read: _Read, sizes: Sequence[int | None]) -> None:
    x, expected = read.x, " x ".join(str(size or "any") for size in sizes)
    if not x.size:
        raise InputError(f"{path}: no events, expected at least one")
    if not len(x) == len(read.label) == len(read.family):
        raise InputError(f"{path}: {len(x)} events, but {len(read.label)} labels and {len(read.family)} families")
    numbers, fixed = x[0].size, math.prod(size for size in sizes if size is not None)
    fits = numbers % fixed == 0 if None in sizes else numbers == fixed
    if x.ndim > 2:
        fits = x.ndim - 1 == len(sizes) and all(s in (None, n) for s, n in zip(sizes, x.shape[1:], strict=True))
    if not fits:
        had = " x ".join(map(str, x.shape[1:])) or "1"
        ignored = f"; these columns hold no numbers: {listed(read.ignored)}" if read.ignored else ""
        raise InputError(f"{path}: {had} numbers an event, expected {expected}{ignored}")
    bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: row {bad[0] + 1} holds a missing or infinite number ({len(bad)} such rows)")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
