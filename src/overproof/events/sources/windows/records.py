"""Turn Windows events into ours: the command line or script it is about, else `windows CHANNEL ID key=value …`.

Behind a command line stands that of its parent, if it says more than which program that was.
"""

from __future__ import annotations

import re

from overproof.events import templates
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import integer, joined, seconds, string, utc, when
from overproof.events.sources.windows.shapes import WindowsEvent, text_of

# of Sysmon 1 and Security 4688, as Hayabusa calls it; of PowerShell 4104
_COMMANDS = ("commandline", "cmdline", "scriptblocktext")
_PARENTS = ("parentcommandline", "parentcmdline", "parentprocesscommandline")
_PROGRAM = re.compile(r'(?:"[^"]*"|\S+|[A-Za-z]:\\[^"/]*\.exe)\s*', re.IGNORECASE)  # without arguments
_IDENTIFIER = re.compile(r".*(?:guid|logonid|processid|threadid|utctime|handleid|recordid)|keywords", re.IGNORECASE)
_UNSET = ("-", "", "(null)")


def to_event(event: WindowsEvent) -> StructuredEvent:
    """Build the event of a record."""
    channel = short_name(event.channel)
    session = event.said("logonid", "subjectlogonid", "targetlogonid")
    return StructuredEvent(
        text=_command(event) or _record(event, channel),
        time=_time(event.time) or utc(f"{event.said('utctime')}Z"),
        group=f"{event.computer} {session}" if session else event.computer,
        columns={
            "kind": "-".join(["windows", *re.findall("[a-z0-9]+", channel.lower())[:4], str(event.id or 0)]),
            "src_ip": event.said("sourceip", "ipaddress", "sourceaddress", "clientaddress"),
            "src_port": integer(event.said("sourceport", "ipport")),
            "dst_ip": event.said("destinationip", "destaddress"),
            "dst_port": integer(event.said("destinationport", "destport")),
            "host": event.computer,
            "user": event.said("user", "targetusername", "subjectusername"),
            "query": event.said("queryname"),
        },
    )


def _time(written: str | None) -> str | None:
    """Return a time as it was written, or in seconds, as Velociraptor writes it."""
    at = None if utc(written or "") else seconds(written)
    return utc(written or "") if at is None else when(at)


def short_name(channel: str | None) -> str:
    """Shorten the name of a channel: `Microsoft-Windows-Sysmon/Operational` becomes `Sysmon`."""
    return re.sub(r"^Microsoft-Windows-|/Operational$", "", channel or "") or "log"


def _command(event: WindowsEvent) -> str | None:
    command, parent = event.said(*_COMMANDS), event.said(*_PARENTS)
    if command is None or parent is None or _PROGRAM.fullmatch(parent):
        return command
    return templates.record(command, {"ParentCommandLine": parent})


def _record(event: WindowsEvent, channel: str) -> str:
    """Write every datum that is set, but no identifiers; of an event without data its message."""
    parts: dict[str, templates.Part] = {}
    for name, value in event.data.items():
        text = joined(value) if isinstance(value, list) else text_of(value) or (string(value) if value else None)
        if text not in (None, *_UNSET) and not _IDENTIFIER.fullmatch(name):
            parts[name] = text
    if not parts and event.message:
        return event.message
    return templates.record(f"windows {channel} {event.id or 0}", parts)
