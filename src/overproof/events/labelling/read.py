"""Read alerts: Zeek's notices, Suricata's alerts in an EVE log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from overproof.events.labelling.alert import Alert, Party
from overproof.events.schema import Skipped
from overproof.events.sources.interface import Input, OnSkip
from overproof.events.sources.json_record import record_of
from overproof.events.sources.lines import filled_lines
from overproof.events.sources.stream import excerpt
from overproof.events.sources.values import entry, integer, moment, seconds, string
from overproof.events.sources.zeek import zeek_records

Record = Mapping[Any, Any]
Read = Callable[[Input, OnSkip], Iterator[Alert]]

NOTICE, ALERT = "zeek notice", "suricata alert"
_LEAST = 255  # Suricata's least grave; a notice has no severity


def read_notices(source: Input, on_skip: OnSkip) -> Iterator[Alert]:
    """Read the notices of Zeek's notice.log, TSV or JSON; records of other logs say nothing of an attack."""
    for line, path, record in zeek_records(source, on_skip):
        if path != "notice":
            continue
        alert = _notice(record)
        if alert is None:
            on_skip(Skipped("a notice without a note, a uid or an address", f"{source.name}:{line}", str(record)))
        else:
            yield alert


def _notice(record: Record) -> Alert | None:
    name, time = string(record.get("note")), seconds(record.get("ts"))
    party = Party(
        string(record.get("id.orig_h")) or string(record.get("src")),
        integer(record.get("id.orig_p")),
        string(record.get("id.resp_h")) or string(record.get("dst")),
        integer(record.get("id.resp_p")),
        string(record.get("proto")),
    )
    return _about(Alert(name or "", NOTICE, _LEAST, _ids(record, "uid"), party, time, time))


def read_eve(source: Input, on_skip: OnSkip) -> Iterator[Alert]:
    """Read the alerts of an EVE log; its other records say nothing of an attack."""
    for item in filled_lines(source, on_skip):
        if item is None or b'"alert"' not in item[1]:
            continue
        record = record_of(item[1], repeats=False)
        if not isinstance(record, str) and record.get("event_type") != "alert":
            continue
        found = "an alert without a signature, a flow or an address" if isinstance(record, dict) else record
        alert = _alert(record) if isinstance(record, dict) else None
        if alert is None:
            on_skip(Skipped(found, f"{source.name}:{item[0]}", excerpt(item[1])))
        else:
            yield alert


def _alert(record: Record) -> Alert | None:
    about = entry(record, "alert")
    end = moment(string(record.get("timestamp")) or "")
    start = moment(string(entry(record, "flow").get("start")) or "") or end
    severity = integer(about.get("severity"))
    party = Party(
        string(record.get("src_ip")),
        integer(record.get("src_port")),
        string(record.get("dest_ip")),
        integer(record.get("dest_port")),
        string(record.get("proto")),
    )
    return _about(
        Alert(
            string(about.get("signature")) or "",
            ALERT,
            _LEAST if severity is None else severity,
            _ids(record, "flow_id"),
            party,
            None if start is None else start.timestamp(),
            None if end is None else end.timestamp(),
        )
    )


def _ids(record: Record, own: str) -> tuple[str, ...]:
    found = (string(record.get(own)), string(record.get("community_id")))
    return tuple(one for one in found if one is not None)


def _about(alert: Alert) -> Alert | None:
    """Return an alert that has a name and says whom it is about; None of another."""
    return alert if alert.name and next(alert.known_by(), None) is not None else None


READERS: dict[str, Read] = {"zeek": read_notices, "suricata": read_eve}
