r"""Read CEF (ArcSight Common Event Format) and LEEF (QRadar's, 1.0 and 2.0), bare or carried by syslog.

The text is what the device saw: the request of `request`, `requestMethod` and `requestClientApplication` by the same
template that requests have from any source, else the message, else the name of the event, with its fields. Whatever
other field holds what such fields rarely do stands behind them. In CEF's header a pipe and a
backslash are escaped, in its extension an equals sign, a backslash and a line break; LEEF divides its attributes by
tabs, or by what its header names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from overproof.events import templates
from overproof.events.sources import syslog
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import integer, number, utc, when
from overproof.events.sources.web import split_url

_HEAD = 1024  # bytes of a line in which such an event begins
_START = re.compile(rb"(?:^|[ :])(CEF|LEEF):[ ]?[0-9]")
_PART = re.compile(r"((?:[^|\\]|\\.)*)(?:\||$)", re.DOTALL)
_KEY = re.compile(r"(?:^|(?<=[ \t]))([\w.\[\]-]+)(?<!\\)=")
_ESCAPED = re.compile(r"\\([\\=|nr])")
_NAMES = {  # of LEEF's attributes and of CEF's long names, as CEF's short ones
    "srcPort": "spt", "dstPort": "dpt", "usrName": "suser", "url": "request", "devTime": "rt", "proto": "proto",
    "sourceAddress": "src", "destinationAddress": "dst", "sourcePort": "spt", "destinationPort": "dpt",
    "message": "msg", "requestUrl": "request", "userAgent": "requestClientApplication",
    "cookie": "requestCookies", "referer": "requestContext", "host": "dhost",
    "method": "requestMethod", "transportProtocol": "proto", "deviceReceiptTime": "rt",
}  # fmt: skip
# keys of CEF's dictionary; before any other an equals sign is one that the device did not escape, in a value
_KNOWN = frozenset(_NAMES) | frozenset(
    "act app cat cnt destinationDnsDomain destinationServiceName destinationTranslatedAddress "
    "destinationTranslatedPort deviceAction deviceDirection deviceDnsDomain deviceExternalId deviceFacility "
    "deviceInboundInterface deviceNtDomain deviceOutboundInterface devicePayloadId deviceProcessName "
    "deviceTranslatedAddress dhost dlat dlong dmac dntdom dpid dpriv dproc dpt dst dtz duid duser dvc dvchost "
    "dvcmac dvcpid end eventId externalId fileCreateTime fileHash fileId fileModificationTime filePath "
    "filePermission fileType flexDate1 flexString1 flexString2 flexNumber1 flexNumber2 fname fsize in msg "
    "oldFileCreateTime oldFileHash oldFileId oldFileModificationTime oldFileName oldFilePath oldFilePermission "
    "oldFileSize oldFileType out outcome proto reason request requestClientApplication requestContext "
    "requestCookies requestMethod rt shost slat slong smac sntdom sourceDnsDomain sourceServiceName "
    "sourceTranslatedAddress sourceTranslatedPort spid spriv sproc spt src start suid suser type sev severity "
    "devTimeFormat identSrc identHostName resource policy realm".split()
)
_NUMBERED = re.compile(r"(?:cs|cn|cfp|c6a|deviceCustomDate|flexString|flexNumber)[0-9](?:Label)?|[a-z]+Label|ad\..+")
_WHERE = frozenset("src spt dst dpt shost dhost rt start end proto app suser duser devTimeFormat sev severity".split())
_OF_THE_REQUEST = frozenset("request requestMethod requestClientApplication requestCookies requestContext".split())
_FORMATS = ("%b %d %Y %H:%M:%S.%f %Z", "%b %d %Y %H:%M:%S %Z")


def looks_like(line: bytes) -> bool:
    """Tell whether a line is such an event."""
    return to_event(line) is not None


def to_event(line: bytes) -> StructuredEvent | None:
    """Make the event of a line; None where it is neither CEF nor LEEF."""
    if line.find(b"EF:", 0, _HEAD) < 0:  # which is quicker to tell, of most lines
        return None
    start = _START.search(line[:_HEAD])
    if start is None:
        return None
    text = decoded(line[start.start(1) :])
    leef = text.startswith("LEEF")
    parts, rest = _header(text, 5 if leef else 7)
    if parts is None:
        return None
    pairs = _attributes(rest, two=text.startswith("LEEF:2")) if leef else _extension(rest)
    name = parts[4] if leef else parts[5]
    known = _once(pairs)
    return _event(name, known, _time(known) or syslog.time(line[: start.start(1)] + b"x"))


def _header(text: str, count: int) -> tuple[list[str] | None, str]:
    """Split the header's parts from what follows them."""
    parts: list[str] = []
    at = 0
    for _ in range(count):
        match = _PART.match(text, at)
        if match is None or match.end() == match.end(1):
            return None, ""
        parts.append(_unescaped(match[1]))
        at = match.end()
    return parts, text[at:]


def _extension(text: str) -> Iterator[tuple[str, str]]:
    """Split `key=value key=value`: a value ends before the next known key, and an escaped equals sign ends none."""
    keys = [key for key in _KEY.finditer(text) if key[1] in _KNOWN or _NUMBERED.fullmatch(key[1])]
    ends = [*(key.start() for key in keys), len(text)]
    if before := text[: ends[0]].strip():
        yield "extension", _unescaped(before)
    for key, end in zip(keys, ends[1:], strict=True):
        yield key[1], _unescaped(text[key.end() : end].strip())


def _attributes(text: str, *, two: bool) -> Iterator[tuple[str, str]]:
    """Split LEEF's attributes by a tab, or the character that version 2 may name first: as it is, or as `x09`."""
    named, divided, rest = text.partition("|") if two else ("", "", "")
    named, text = (named, rest) if divided and "=" not in named else ("", text)
    code = re.fullmatch(r"(?:0?x)([0-9A-Fa-f]{2,4})", named)
    delimiter = chr(int(code[1], 16)) if code else named or "\t"
    if delimiter not in text and "\t" not in named and " " in text and text.count("=") > 1:
        yield from _extension(text)  # tabs that became blanks on their way
        return
    for pair in text.split(delimiter):
        key, divided, value = pair.partition("=")
        if divided:
            yield key.strip(), value


def _once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Gather values under CEF's short keys; a key that comes again was not escaped, in the value before it."""
    found: dict[str, str] = {}
    last = ""
    for key, value in pairs:
        short = _NAMES.get(key, key)
        if short in found:
            found[last] += f" {key}={value}"
        else:
            found[short], last = value, short
    return found


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), text) if "\\" in text else text


def _time(fields: Mapping[str, str]) -> str | None:
    """Convert the time of an event: milliseconds since 1970, ISO 8601, or a date with a zone."""
    for key in ("rt", "start", "end"):
        value = fields.get(key)
        if not value:
            continue
        milliseconds = number(value)
        if milliseconds is not None:
            return when(milliseconds / 1000)
        if found := utc(value):
            return found
        for form in _FORMATS:
            try:
                return utc(datetime.strptime(value, form).replace(tzinfo=UTC).isoformat())
            except ValueError:
                continue
    return None


def _event(name: str, fields: dict[str, str], time: str | None) -> StructuredEvent:
    method, agent = fields.get("requestMethod"), fields.get("requestClientApplication")
    host, target = split_url(fields.get("request"))
    host = host or fields.get("dhost")
    if target:
        text = templates.HttpRequest(
            method or "-",
            target,
            host=host,
            agent=agent,
            cookie=fields.get("requestCookies"),
            referer=fields.get("requestContext"),
            headers=[("name", name), *((key, each) for key, each in fields.items() if key not in _OF_THE_REQUEST)],
        ).text
    else:
        message = fields.pop("msg", None)
        shown = {
            key: value
            for key, value in fields.items()
            if value and (templates.is_unusual(value) or not (message or key in _WHERE))
        }
        if message and templates.is_unusual(name):
            shown["name"] = name
        text = templates.record(message or name, shown)
    return StructuredEvent(
        text=text,
        time=time,
        group=fields.get("src") or fields.get("shost"),
        columns={
            "kind": "access" if target else "cef",
            "src_ip": fields.get("src"),
            "src_port": integer(fields.get("spt")),
            "dst_ip": fields.get("dst"),
            "dst_port": integer(fields.get("dpt")),
            "transport": fields["proto"].lower() if fields.get("proto") else None,
            "protocol": "http" if target else fields.get("app"),
            "host": host,
            "url": target,
            "method": method,
            "user_agent": agent,
            "user": fields.get("suser") or fields.get("duser"),
        },
    )
