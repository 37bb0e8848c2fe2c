"""Write verdicts as Parquet: one flat row each, in parts that are joined at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from overproof.errors import InputError
from overproof.files import atomic_file, move_into_place, remove, utf8_path
from overproof.inference.sinks.fields import COLUMNS, shared
from overproof.inference.sinks.interface import About, Sink, Verdict, Writer
from overproof.inference.sinks.parquet_columns import TYPES, columns
from overproof.inference.sinks.verdict_batch import VerdictBatch

# Plain types only, so that any reader knows them; docs/verdict-schema.md says what each column is.
SCHEMA = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("time", pa.string()),
        pa.field("label", pa.string()),
        pa.field("attack", pa.float32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("decided_by", pa.string(), nullable=False),
        pa.field("stood_in", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("student_label", pa.string()),
        pa.field("student_attack", pa.float32()),
        pa.field("student_confidence", pa.float32()),
        pa.field("student_probabilities", pa.string(), nullable=False),
        pa.field("windows", pa.int32(), nullable=False),
        pa.field("overflow", pa.bool_(), nullable=False),
        pa.field("ood_distance", pa.float32()),
        pa.field("tier", pa.int32()),
        pa.field("full_label", pa.string()),
        pa.field("full_attack", pa.float32()),
        pa.field("full_confidence", pa.float32()),
        pa.field("full_probabilities", pa.string()),
        pa.field("student_model", pa.string(), nullable=False),
        pa.field("full_model", pa.string()),
        pa.field("group", pa.int64()),
        *(pa.field("http_status" if name == "status" else name, TYPES[kind]) for name, kind in COLUMNS.items()),
        pa.field("event", pa.string()),
        pa.field("text", pa.large_string()),
        pa.field("spans", pa.string()),
        pa.field("campaign", pa.string()),
        pa.field("excepted", pa.string()),
    ]
)

PART_BYTES = 64 << 20  # of verdicts in memory
GROUP_ROWS, GROUP_BYTES = 1 << 17, 64 << 20  # of a row group in the joined file


def table(verdicts: Iterable[Verdict]) -> pa.Table:
    """Put verdicts into a table of `SCHEMA`; of a batch no object is made."""
    if isinstance(verdicts, VerdictBatch):
        found = columns(verdicts)
        n = verdicts.events.num_rows
        filled = [found[f.name].cast(f.type) if f.name in found else pa.nulls(n, f.type) for f in SCHEMA]
        return pa.Table.from_arrays(filled, schema=SCHEMA).take(pa.array(verdicts.rows))
    return pa.Table.from_pylist([_row(verdict) for verdict in verdicts], schema=SCHEMA)


def _row(verdict: Verdict) -> dict[str, Any]:
    known, rest = shared(verdict)
    if "status" in known:
        known["http_status"] = known.pop("status")
    student, full, models = verdict["student"], verdict["full"] or {}, verdict["models"]
    return {
        **known,
        **{name: verdict[name] for name in _SAME},
        **{f"student_{name}": student[name] for name in _ANSWER},
        **{f"full_{name}": full.get(name) for name in _ANSWER},
        "student_probabilities": _json(student["probabilities"]),
        "full_probabilities": _json(full["probabilities"]) if full else None,
        "windows": student["windows"],
        "overflow": student["overflow"],
        "ood_distance": student["ood_distance"],
        "tier": student["tier"],
        "student_model": models["student"],
        "full_model": models["full"],
        "group": verdict.get("group"),
        "event": _json(rest) if rest else None,
        "text": verdict.get("text"),
        "excepted": verdict.get("excepted"),
        **{name: _json(verdict[name]) if name in verdict else None for name in ("spans", "campaign")},
    }


_SAME = ("origin", "source", "time", "label", "attack", "status", "decided_by", "stood_in", "reason")
_ANSWER = ("label", "attack", "confidence")


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


class PartsWriter:
    """Writes parts into a folder aside; offsets are numbers of parts. See `interface.Writer`."""

    def __init__(self, aside: Path, offset: int) -> None:
        if not holds(aside, offset):
            raise InputError(f"{aside}: some of the {offset} parts that were written there are missing or damaged")
        self._aside, self._parts = aside, offset
        self._pending: list[pa.Table] = []
        try:
            if not offset:
                remove(aside)
                aside.mkdir()
            kept = {part.name for part in _parts(aside, offset)}
            for entry in aside.iterdir():
                if entry.name not in kept:
                    entry.unlink()
        except OSError as error:
            raise InputError(f"{aside}: the verdicts cannot be written there ({error.strerror})") from None

    def write(self, verdicts: Iterable[Verdict]) -> None:
        """Keep verdicts for the next part; a part is written as soon as there are enough of them."""
        self._pending.append(table(verdicts))
        if sum(part.nbytes for part in self._pending) >= PART_BYTES:
            self.flush()

    def flush(self) -> int:
        """Write what was kept as one part; returns the number of parts."""
        rows = sum(part.num_rows for part in self._pending)
        if rows:
            _write(_part(self._aside, self._parts), iter(self._pending))
            self._parts += 1
        self._pending = []
        return self._parts

    def finish(self, path: Path) -> None:
        """Join the parts, give the file its name, and remove them."""
        self.flush()
        joined = self._aside / "joined"
        _write(joined, _grouped(map(_read, _parts(self._aside, self._parts))))
        move_into_place(joined, path, durable=True)
        remove(self._aside)

    def close(self) -> None:
        """Do nothing: no file is held open."""


def holds(aside: Path, offset: int) -> bool:
    """Return whether so many whole parts are in the folder aside."""
    if offset == 0:
        return True
    import pyarrow.parquet as pq

    try:
        return all(pq.read_schema(part).equals(SCHEMA) for part in _parts(aside, offset))
    except (OSError, pa.ArrowException):
        return False


def _stream(file: BinaryIO | str, about: About) -> Writer:
    raise InputError("parquet is no stream: expected a file to write, or the form jsonl, ocsf or ecs")


def _part(aside: Path, number: int) -> Path:
    return aside / f"part-{number:06d}.parquet"


def _parts(aside: Path, count: int) -> list[Path]:
    return [_part(aside, number) for number in range(count)]


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write a parquet file, one row group a table: durable before it has its name."""
    import pyarrow.parquet as pq

    with (
        atomic_file(path, durable=True) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        for rows in tables:
            writer.write_table(rows)


def _read(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with utf8_path(path) as name, pq.ParquetFile(name) as file:  # pq.read_table would load the whole of pyarrow.dataset
        return file.read()


def _grouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join parts until there are enough rows for a row group."""
    held: list[pa.Table] = []
    for part in parts:
        held.append(part)
        if sum(p.num_rows for p in held) >= GROUP_ROWS or sum(p.nbytes for p in held) >= GROUP_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


PARQUET = Sink(
    extension=".parquet",
    open=lambda aside, offset, about: PartsWriter(aside, offset),
    holds=holds,
    stream=_stream,
)
