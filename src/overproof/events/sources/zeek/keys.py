"""Tell Zeek's JSON records by their keys, whatever wrote those: nested, under another separator, tagged with the log.

Zeek flattens its records itself (`id.orig_h`); what ships them may nest them again (`id: {orig_h}`), its option
`Log::default_scope_sep` writes `id_orig_h`, and its Kafka writer's `tag_json` writes `{"conn": {…}}`.
The keys are those of the `Info` records in Zeek's base scripts: https://docs.zeek.org/en/current/script-reference/log-files.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from overproof.events.sources.nested import names_within

Record = Mapping[Any, Any]

IDS = {f"id_{end}": f"id.{end}" for end in ("orig_h", "orig_p", "resp_h", "resp_p")}

# Keys that every record of a log has and no other log's: it need not say which log it is of.
_OF_CONNECTIONS = {
    "conn": "conn_state",
    "http": "request_body_len",
    "dns": "rejected",
    "ssl": "established",
    "files": "seen_bytes",
    "ssh": "auth_attempts",
}
# The same of logs whose records need not be of a connection, which alone would show that they are Zeek's.
_OF_NONE = {
    "dhcp": {"uids", "msg_types"},
    "x509": {"certificate.serial"},
    "capture_loss": {"ts_delta", "percent_lost"},
    "stats": {"pkts_proc", "mem"},
    "known_services": {"port_num", "port_proto"},
    "known_certs": {"port_num", "issuer_subject"},
    "software": {"software_type", "unparsed_version"},
    "intel": {"seen.indicator", "seen.where"},
    "pe": {"machine", "compile_ts"},
    "ocsp": {"hashAlgorithm", "serialNumber"},
    "signatures": {"sig_id", "event_msg"},
    "packet_filter": {"node", "filter", "success"},
    "analyzer": {"analyzer_kind", "analyzer_name"},
}
_KEYS_OF_NONE = frozenset[str]({"note", "location", "name"}).union(*_OF_NONE.values())
_ENUMERATED = re.compile(r"[A-Z]\w*::\w+")  # a value of Zeek's own, as `SSH::Password_Guessing`
_DEEPEST = 4  # levels of objects; what lies deeper stays one value


def unnested(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record under the keys that Zeek itself writes."""
    if len(record) == 1:
        ((path, inner),) = record.items()
        if isinstance(inner, dict) and "ts" in inner:
            record = {"_path": path, **inner}
    if dict in map(type, record.values()):
        record = dict(names_within(record, levels=_DEEPEST))
    if "id_orig_h" in record:
        record = {IDS.get(key, key): value for key, value in record.items()}
    return record


def is_record(record: dict[Any, Any]) -> bool:
    """Return whether an object is a record of Zeek's, which no other program writes so."""
    found = unnested(record)
    keys = found.keys()
    if "ts" not in keys:
        return False
    return "_path" in keys or {"uid", "id.orig_h"} <= keys or "fuid" in keys or _log_of_none(found) is not None


def path_of(record: Record, header: str | None, file: str) -> str:
    """Name the log a record is of: by itself, its header, its keys, else the name of its file."""
    stated = record.get("_path")
    if isinstance(stated, str) and stated:
        return stated
    if header is not None:
        return header
    for path, key in _OF_CONNECTIONS.items():
        if key in record:
            return path
    return _log_of_none(record) or _log_in(file)


@lru_cache(16)
def _log_in(file: str) -> str:
    name = re.match(r"[a-z][a-z0-9_]*", file)
    return name[0] if name else "log"


def _log_of_none(record: Record) -> str | None:
    """Name the log of a record that need not be of a connection; None where it could be another program's."""
    if record.keys().isdisjoint(_KEYS_OF_NONE):
        return None
    for path, keys in _OF_NONE.items():
        if keys <= record.keys():
            return path
    if "note" in record and "msg" in record and _ENUMERATED.fullmatch(str(record["note"])):
        return "notice"
    if "location" in record and str(record.get("level")).startswith("Reporter::"):
        return "reporter"
    return "weird" if "name" in record and isinstance(record.get("notice"), bool) else None
