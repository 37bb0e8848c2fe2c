"""Find a Windows event in the JSON that others write: the XML as JSON, Winlogbeat, Wazuh, NXLog, Hayabusa, EvtxECmd.

The event itself is the `Event` element of its XML schema:
https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-event-eventtype
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from overproof.events.sources.json_record import record_of
from overproof.events.sources.nested import ABSENT, names_within, reach
from overproof.events.sources.values import entry, integer, items, string

Record = Mapping[Any, Any]
_TEXTS = ("#text", "_", "$t", "content", "text", "value", "Value")  # what converters of XML call the text of an element
_FLAT = {"eventid", "channel"}  # what NXLog writes of every event
_SENDERS = {"sourcename", "providername", "provider", "hostname", "computer", "computername", "provider_name"}


@dataclass(frozen=True)
class WindowsEvent:
    """A Windows event, whoever shipped it.

    Attributes
    ----------
    id, channel, computer
        Of its `System` part.
    time
        As it was written.
    data
        What the event says, by name; names that differ only in case are one.
    message
        The sentence that Windows makes of the event, where it was shipped.
    """

    id: int | None
    channel: str | None
    computer: str | None
    time: str | None
    data: Mapping[str, Any]
    message: str | None = None

    @cached_property
    def _folded(self) -> dict[str, Any]:
        return {name.lower(): value for name, value in self.data.items()}

    def said(self, *names: str) -> str | None:
        """Return the first of some data that is there, under its name in lower case; `-` stands for none."""
        found = (text_of(self._folded.get(name)) for name in names)
        return next((value for value in found if value not in (None, "-")), None)


def event_of(record: dict[Any, Any]) -> WindowsEvent | None:
    """Find the event in a record; None where it holds none."""
    event = entry(record, "Event") or record
    if isinstance(event.get("System"), dict) and ("Event" in record or event.keys() & {"EventData", "UserData"}):
        return _of_parts(event["System"], event.get("EventData") or event.get("UserData"))
    if isinstance(record.get("winlog"), dict):
        return _of_winlogbeat(record)
    wazuh = entry(entry(record, "data") or record, "win")
    if isinstance(wazuh.get("system"), dict):
        return _of_parts(wazuh["system"], wazuh.get("eventdata"))
    keys = {str(key).lower() for key in record}
    return _of_flat(record) if keys >= _FLAT and keys & _SENDERS else None


def windows_event(data: bytes) -> WindowsEvent | str:
    """Return the event that JSON holds, or why it holds none."""
    record = record_of(data)
    return record if isinstance(record, str) else event_of(record) or "not a Windows event"


def is_windows_event(record: dict[Any, Any]) -> bool:
    """Return whether a record holds a Windows event."""
    return event_of(record) is not None


def text_of(value: Any) -> str | None:
    """Return the text of an element, which converters of XML write as an object where it has attributes."""
    if isinstance(value, dict):
        value = next((value[name] for name in _TEXTS if name in value), None)
    return string(value)


def _of_parts(system: Record, data: Any) -> WindowsEvent:
    folded = {str(key).lower(): value for key, value in system.items()}
    created = folded.get("timecreated")
    time = text_of(folded.get("systemtime")) or _attribute(created, "SystemTime") or text_of(created)
    time = time or _attribute(folded.get("timecreated_attributes"), "SystemTime")
    return WindowsEvent(
        integer(text_of(folded.get("eventid"))),
        text_of(folded.get("channel")),
        text_of(folded.get("computer")),
        time,
        dict(_data(data)),
        text_of(folded.get("message")),
    )


def _of_winlogbeat(record: Record) -> WindowsEvent:
    winlog = record["winlog"]
    return WindowsEvent(
        integer(winlog.get("event_id")),
        string(winlog.get("channel")),
        string(winlog.get("computer_name")),
        string(record.get("@timestamp")),
        {**_of_ecs(record), **dict(_data(winlog.get("event_data") or winlog.get("user_data")))},
        string(record.get("message")),
    )


# Where Winlogbeat's modules move data to: https://www.elastic.co/docs/reference/beats/winlogbeat/exported-fields
_MOVED = {
    "CommandLine": "process.command_line",
    "ParentCommandLine": "process.parent.command_line",
    "ScriptBlockText": "powershell.file.script_block_text",
    "User": "user.name",
    "QueryName": "dns.question.name",
    "SourceIp": "source.ip",
    "SourcePort": "source.port",
    "DestinationIp": "destination.ip",
    "DestinationPort": "destination.port",
}


def _of_ecs(record: Record) -> dict[str, Any]:
    """Return the data that were moved into fields of ECS, under Windows' names."""
    found = ((name, reach(record, moved)) for name, moved in _MOVED.items())
    return {name: value for name, value in found if value is not ABSENT}


def _of_flat(record: Record) -> WindowsEvent:
    folded = {str(key).lower(): value for key, value in record.items()}
    return WindowsEvent(
        integer(text_of(folded["eventid"])),
        text_of(folded["channel"]),
        next((string(folded[name]) for name in ("hostname", "computer", "computername") if folded.get(name)), None),
        next((string(folded[name]) for name in ("@timestamp", "timestamp", "timecreated") if folded.get(name)), None),
        _of_details({key: value for key, value in record.items() if str(key).lower() not in _ABOUT_THE_RECORD}),
        string(folded.get("message")),
    )


def _of_details(data: Record) -> dict[str, Any]:
    """Return data by their own names, also those in objects (Hayabusa) or in text that is JSON (EvtxECmd)."""
    payload = data.get("Payload")
    inside = record_of(payload.encode()) if isinstance(payload, str) and payload.startswith("{") else ""
    if isinstance(inside, dict):
        return dict(_data(inside.get("EventData") or inside.get("UserData") or inside))
    found: dict[str, Any] = {}
    for name, value in names_within(data):
        short = name.rpartition(".")[2]
        found[name if short in found else short] = value
    return found


_ABOUT_THE_RECORD = {*_FLAT, *_SENDERS} | set(
    "@timestamp timestamp timecreated @version message tags host port keywords eventtime eventtype eventreceivedtime "
    "eventrecordid eventmessage eventtypeorignal eventlevel severity severityvalue sourcemodulename sourcemoduletype "
    "recordnumber task opcode opcodevalue version level providerguid threadid executionprocessid "
    "activityid category".split()
)


def _data(data: Any, levels: int = 2) -> Iterator[tuple[str, Any]]:
    """Yield what an event says: an object of names, or a list of `Data` elements that may have names."""
    if not isinstance(data, dict):
        if data not in (None, ""):
            yield "Data", data
        return
    for name, value in data.items():
        if str(name).startswith(("#", "@", "xmlns")):
            continue
        if name == "Data":
            unnamed = []
            for each in items(value):
                if called := _attribute(each, "Name"):
                    yield called, each
                elif (text := text_of(each)) is not None:
                    unnamed.append(text)
            if unnamed:
                yield "Data", unnamed
        elif isinstance(value, dict) and text_of(value) is None and levels > 1:
            yield from _data(value, levels - 1)  # UserData has one element, which is named for its provider
        else:
            yield str(name), value


def _attribute(value: Any, name: str) -> str | None:
    """Return an attribute of an element, as converters of XML write it."""
    if not isinstance(value, dict):
        return None
    inside = entry(value, "#attributes")
    return next((found for key in (f"@{name}", name) if (found := string(value.get(key)))), string(inside.get(name)))
