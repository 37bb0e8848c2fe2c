"""Events that are numbers: the input of an ONNX classifier that takes a tensor instead of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from overproof.errors import InputError
from overproof.sources import Columns

LABEL, FAMILY = "label", "family"


def load_tensors(files: Sequence[str], sizes: Sequence[int | None], columns: Columns | None) -> pa.Table:
    """Tables of numbers as events: `values`, one list a row, with `label` and `family`.

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
    columns = columns or Columns()
    names = (columns.label or LABEL, columns.family or FAMILY)
    parts = [_load(Path(file), sizes, names) for file in files]
    if not parts:
        raise InputError("no files of events were given")
    return pa.concat_tables(parts)


def _load(path: Path, sizes: Sequence[int | None], names: tuple[str, str]) -> pa.Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                x = np.asarray(arrays["x"], dtype=np.float32)
                known = [arrays[n].astype(str).tolist() if n in arrays else None for n in names]
        else:
            table = pq.read_table(path) if path.suffix in (".parquet", ".pq") else pyarrow.csv.read_csv(path)
            known = [pc.cast(table[n], pa.string()).to_pylist() if n in table.column_names else None for n in names]
            features = [c for c in table.column_names if c not in names and _is_number(table.schema.field(c).type)]
            if not features:
                raise InputError(f"{path}: no column of numbers; expected the model's features")
            x = np.stack([table[c].cast(pa.float32()).to_numpy() for c in features], axis=1)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: expected csv, parquet or npz with numbers: {error}") from None
    x = x.reshape(len(x), -1)
    fixed = math.prod(size for size in sizes if size is not None)
    if x.shape[1] % fixed or (None not in sizes and x.shape[1] != fixed):
        raise InputError(
            f"{path}: {x.shape[1]} numbers an event, expected {' x '.join(str(s or 'any') for s in sizes)}"
        )
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: row {bad[0] + 1} holds a missing or infinite number ({len(bad)} such rows)")
    rows = pa.array(list(x), type=pa.list_(pa.float32()))
    return pa.table(
        {
            "values": rows,
            "label": pa.array(known[0] or [None] * len(x), pa.string()),
            "family": pa.array(known[1] or [None] * len(x), pa.string()),
        }
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
