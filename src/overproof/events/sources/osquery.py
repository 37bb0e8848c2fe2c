"""Read osquery's results: a row is a command line where it has one, else `osquery QUERY column=value …`.

Results are differential, an object for each row or for all of a query, or snapshots
(https://osquery.readthedocs.io/en/stable/deployment/logging/), of the tables at https://osquery.io/schema. Rows that
are no longer there were once: they are events as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from overproof.events import templates
from overproof.events.sources.batch import plain
from overproof.events.sources.interface import Input, ReadOptions, is_table_row
from overproof.events.sources.json_record import record_of
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import entry, integer, items, seconds, string, when

Record = dict[Any, Any]

# of processes and the tables of their events; of shell_history, crontab and docker_containers; of powershell_events
_COMMANDS = ("cmdline", "command", "script_text")
_ROWS = ("columns", "snapshot", "diffResults")


def read_osquery(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read osquery's results as JSON lines; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("results of osquery", _parse))


def is_result(record: Record) -> bool:
    """Tell whether an object holds results of a query, and no text or label of its own."""
    if not {"name", "unixTime"} <= record.keys():
        return False
    return any(isinstance(record.get(key), dict | list) for key in _ROWS) and not is_table_row(record)


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    if not line.strip():
        return
    record = record_of(line)
    if isinstance(record, str):
        yield record
    elif not is_result(record):
        yield "not a result of osquery"
    else:
        yield from _rows(record)


def _rows(record: Record) -> Iterator[Parsed]:
    differences = entry(record, "diffResults")
    found = [record.get("columns"), *items(record.get("snapshot"))]
    found += [row for change in ("added", "removed") for row in items(differences.get(change) or None)]
    rows = [row for row in found if isinstance(row, dict)]
    yield from (_event(record, row) for row in rows)
    if not rows:
        yield "a result without rows"


def _event(record: Record, row: Record) -> StructuredEvent:
    command = next((text for name in _COMMANDS if (text := string(row.get(name)))), None)
    parts: dict[str, templates.Part] = {str(name): plain(value) for name, value in row.items() if value != ""}
    at, name = seconds(record.get("unixTime")), string(record.get("name"))
    host = string(entry(record, "decorations").get("hostname")) or string(record.get("hostIdentifier"))
    return StructuredEvent(
        text=command or templates.record(f"osquery {name}", parts),
        time=None if at is None else when(at),
        group=host or string(record.get("hostname")),
        columns={
            "kind": "osquery",
            "src_ip": string(row.get("local_address")),
            "src_port": integer(row.get("local_port")),
            "dst_ip": string(row.get("remote_address")),
            "dst_port": integer(row.get("remote_port")),
            "host": host or string(record.get("hostname")),
            "user": string(row.get("username")),
        },
    )
