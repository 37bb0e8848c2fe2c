"""Tell which log a record is of, and write what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from overproof.events import templates
from overproof.events.sources.batch import plain
from overproof.events.sources.cloud import amazon, google, microsoft, okta
from overproof.events.sources.cloud.log import Log
from overproof.events.sources.interface import is_table_row
from overproof.events.sources.nested import ABSENT, reach, splits
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import integer, seconds, string, when

Record = dict[Any, Any]

_DEEPEST = 16  # levels of objects and lists that have names of their own
_NAMES = 1 << 20  # characters of the names of all that a record says
_NUMBERED = re.compile(
    r"(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"  # an identifier
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"  # a time
)
_WITH_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})")  # as Microsoft 365 writes addresses
_PAIRS = (("Name", "Value"), ("name", "value"), ("key", "value"), ("Key", "Value"))  # objects that are one part


LOGS = (*amazon.LOGS, *google.LOGS, *microsoft.LOGS, *okta.LOGS)
# in which a record of any log has its first key: most records of others have none of these, and are told by that
_FIRST_KEYS = {name for log in LOGS for name in (log.keys[0], *(outer for outer, _ in splits(log.keys[0])))}


def log_of(record: Record) -> Log | None:
    """Return which log a record is of; None where it is of none, or has a text or a label of its own."""
    if _FIRST_KEYS.isdisjoint(record):
        return None
    log = next((log for log in LOGS if all(reach(record, key) is not ABSENT for key in log.keys)), None)
    return None if log is None or is_table_row(record) else log


def is_audit_record(record: Record) -> bool:
    """Tell whether an object is a record of such a log."""
    return log_of(record) is not None


def to_event(log: Log, record: Record) -> StructuredEvent:
    """Build the event of a record."""
    user, address, port = _first(record, log.user), _first(record, log.address), None
    if match := _WITH_PORT.fullmatch(address or ""):
        address, port = match[1] or match[2], integer(match[3])
    at = next((found for name in log.time if (found := _seconds(reach(record, name))) is not None), None)
    return StructuredEvent(
        text=_said(log, record),
        time=None if at is None else when(at),
        group=user or address,
        columns={
            "kind": log.name,
            "src_ip": address,
            "src_port": port,
            "user": user,
            "user_agent": _first(record, log.agent),
        },
    )


def _said(log: Log, record: Record) -> str:
    """Write what a record says; one whose names alone are longer than any is written as it is."""
    actions = [text for text in (_first(record, (name,)) for name in log.action) if text is not None]
    start = " ".join([log.name, *actions])
    said, spent = dict[str, list[str]](), 0
    for name, value in _leaves(record, "", _DEEPEST):
        spent += len(name)
        if spent > _NAMES:
            return f"{start} {plain(record)}"
        text = plain(value)
        if text and not _NUMBERED.fullmatch(text) and text not in actions:
            said.setdefault(name, []).append(text)
    return templates.record(start, {name: ", ".join(each) for name, each in said.items()})


def _leaves(value: object, name: str, levels: int) -> Iterator[tuple[str, object]]:
    """Yield whatever is no object and no list, or an empty one, under the names of the objects that it is in."""
    if not value and isinstance(value, dict | list):
        yield name, None
    elif isinstance(value, dict) and levels:
        for called, holds in _PAIRS:
            if value.keys() == {called, holds} and isinstance(value[called], str):
                yield from _leaves(value[holds], f"{name}.{value[called]}".removeprefix("."), levels - 1)
                return
        for key, inside in value.items():
            yield from _leaves(inside, f"{name}.{key}".removeprefix("."), levels - 1)
    elif isinstance(value, list) and levels:
        for inside in value:
            yield from _leaves(inside, name, levels - 1)
    else:
        yield name, value


def _first(record: Record, names: tuple[str, ...]) -> str | None:
    values = (reach(record, name) for name in names)
    return next((text for value in values if not isinstance(value, dict | list) and (text := _text(value))), None)


def _text(value: object) -> str | None:
    return None if value is ABSENT else string(value)


def _seconds(value: object) -> float | None:
    """Return a time in seconds since 1970; Microsoft 365 writes UTC without saying so."""
    found = seconds(value)
    return seconds(f"{value}Z") if found is None and isinstance(value, str) else found
