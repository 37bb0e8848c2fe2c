"""Tell what kind of record a text is of, by the template that wrote it: what may be compared with what."""

from __future__ import annotations

from overproof.events.templates.parts import RECORD, REQUEST

TEXT, HTTP = "text", "http"
KINDS = (TEXT, HTTP, "flow", "flows", "dns", "tls", "ssh", "file", "w3c", "suricata", "zeek", "osquery", "windows")
_INITIALS = frozenset(initial for kind in KINDS for initial in (kind[0], kind[0].upper()))


def kind_of(text: str) -> str:
    """Return a name of `KINDS`: that of the record; `text` for payloads, commands and lines as they are.

    It goes by the text alone, so that an event has one kind in a table, in a log and on the command line. What a
    request or a flow holds cannot change its kind, since a template begins with its name; a payload may begin like one.
    """
    if text[:1] not in _INITIALS:  # every event that is judged comes by here: most payloads need no expression
        return TEXT
    if REQUEST.match(text) is not None:
        return HTTP
    record = RECORD.match(text)
    return TEXT if record is None else record[0].partition(" ")[0].lower()
