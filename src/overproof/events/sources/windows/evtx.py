"""Read Windows event logs as Windows keeps them (`.evtx`), by the package evtx.

It parses the binary XML of [MS-EVEN6] in Rust: https://github.com/omerbenamram/evtx
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import pyarrow as pa

from overproof.errors import InputError, MissingExtra
from overproof.events.schema import Skipped
from overproof.events.sources.batch import Row, batched
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.stream import KEPT, LONGEST, READ_ERRORS, excerpt
from overproof.events.sources.structured import StructuredEvent, structured_batch
from overproof.events.sources.windows.records import to_event
from overproof.events.sources.windows.shapes import windows_event
from overproof.files import utf8_path
from overproof.progress import why

_HEADER, _CHUNK = 4096, 65_536  # bytes
_PANIC = "pyo3_runtime"  # the module of the exception that a panic in Rust becomes, which is no Exception


def read_evtx(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a Windows event log; see `interface.Source`. The places in origins are the numbers of its records.

    Raises
    ------
    InputError
        If columns were named, or the log holds no record.
    MissingExtra
        If the package evtx is not installed.
    """
    require(options.columns.named, (), f"{source.name}: a Windows event log, which is read by its own columns")
    with _as_file(source, options.on_skip) as path:
        rows = _rows(source.name, path, options.on_skip)
        yield from batched(rows, options.batch_rows, partial(structured_batch, source.name, extra=options.extra))


@contextmanager
def _as_file(source: Input, on_skip: OnSkip) -> Iterator[Path]:
    """Give the log as a plain file: of a stream, or of what was compressed, a temporary one."""
    if source.path is not None:
        yield source.path
        return
    with NamedTemporaryFile(suffix=".evtx") as file:
        try:
            for block in source.blocks:
                file.write(block)
        except READ_ERRORS as error:
            on_skip(Skipped(f"the input breaks off: {error}", f"{source.name}:1", ""))
        file.flush()
        yield Path(file.name)


def _rows(name: str, path: Path, on_skip: OnSkip) -> Iterator[Row[StructuredEvent]]:
    try:
        from evtx import PyEvtxParser
    except ImportError:
        raise MissingExtra(
            f"{name}: a Windows event log (evtx); expected the package evtx to read it: pip install 'overproof[evtx]'"
        ) from None
    if missing := (_HEADER - path.stat().st_size) % _CHUNK:
        on_skip(Skipped(f"a Windows event log (evtx) that is cut short by {missing} bytes", f"{name}:1", ""))
    number, last = 0, ""
    try:
        with utf8_path(path) as place:
            records = iter(PyEvtxParser(place, number_of_threads=1).records_json())
    except (RuntimeError, *READ_ERRORS) as error:
        raise InputError(f"{name}: not a readable Windows event log ({why(error)})") from None
    while True:
        try:
            record = next(records, None)
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__module__ != _PANIC:
                raise
            number += 1
            on_skip(Skipped("a damaged record of a Windows event log", f"{name}:{number}", str(error)[:KEPT]))
            if str(error) == last:  # it does not come past it
                return
            last = str(error)
            continue
        if record is None and not number:
            raise InputError(f"{name}: a Windows event log (evtx) without a single record; expected at least one")
        if record is None:
            return
        number, data = record["event_record_id"], record["data"].encode("utf-8", "backslashreplace")
        event = _event(data, record["timestamp"])
        if isinstance(event, str):
            on_skip(Skipped(event, f"{name}:{number}", excerpt(data)))
        else:
            yield number, len(data), event


def _event(data: bytes, written: str) -> StructuredEvent | str:
    if len(data) > LONGEST:
        return "longer than 16 MiB"
    event = windows_event(data)
    if isinstance(event, str):
        return event
    return to_event(event if event.time else replace(event, time=written.removesuffix(" UTC")))
