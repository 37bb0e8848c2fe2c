"""Turn entries of systemd's journal into events: the message is what is judged.

Fields: https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import journal_text, number, when

_TIMES = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")  # microseconds since 1970
TOO_LONG = "MESSAGE is null: journalctl -o json leaves out what is longer than 4096 bytes, unless --all is given"


def is_entry(record: Mapping[Any, Any]) -> bool:
    """Return whether an object is an entry of the journal."""
    return "__REALTIME_TIMESTAMP" in record and ("MESSAGE" in record or "__CURSOR" in record)


def to_event(record: Mapping[Any, Any]) -> StructuredEvent | str:
    """Build the event of an entry, or say why it is none."""
    if "MESSAGE" not in record:
        return "a journal entry without MESSAGE"
    if record["MESSAGE"] is None:
        return TOO_LONG
    text = journal_text(record["MESSAGE"])
    if not text:
        return "empty text" if text == "" or record["MESSAGE"] == [] else "MESSAGE is no text"
    microseconds = next((found for key in _TIMES if (found := number(journal_text(record.get(key)))) is not None), None)
    host, unit = journal_text(record.get("_HOSTNAME")), journal_text(record.get("_SYSTEMD_UNIT"))
    return StructuredEvent(
        text=text,
        time=None if microseconds is None else when(microseconds / 1e6),
        group=" ".join(filter(None, (host, unit))) or None,
        columns={"kind": "journald", "host": host, "user": journal_text(record.get("_UID"))},
    )
