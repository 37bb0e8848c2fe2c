"""Read extended logs of the W3C (WD-logfile-960323): IIS, CloudFront and others.

`#Fields` names the columns, and may change midway. IIS divides them by blanks and writes `+` for a blank inside of a
header; CloudFront divides them by tabs and writes headers and targets percent-encoded. Others quote, and double a
quote inside. Times are UTC. What holds no request, such as a firewall's log, is an event of its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import pyarrow as pa

from overproof.events import templates
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import integer, utc
from overproof.events.sources.web import LoggedRequest, split_url

_DIRECTIVE = re.compile(rb"#(?:Fields|Version|Software|Date|Time Format|Start-Date|End-Date|Remark):", re.IGNORECASE)
_FIELDS = re.compile(rb"^#Fields:", re.IGNORECASE | re.MULTILINE)
_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?= |$)|(\S+)')
_HEADER = re.compile(r"cs\(([^)]+)\)")
_ENCODED_TWICE = re.compile(r"%25(?=[0-9A-Fa-f]{2})")

Fields = Mapping[str, str]


def read_w3c(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an extended log; see `interface.Source`. Lines of the header are no records."""
    yield from read_structured(source, options, LineFormat("a W3C extended log", _Log().parse))


def looks_like(first: bytes, head: bytes) -> bool:
    """Tell whether an input begins as such a log: by a line of its header, behind which are others or `#Fields`."""
    if _DIRECTIVE.match(first) is None:
        return False
    return _FIELDS.search(head) is not None or all(line.startswith(b"#") for line in head.split(b"\n") if line.strip())


class _Log:
    """One log as it is read: the fields that hold, and the date of records that have none."""

    def __init__(self) -> None:
        self._fields: list[str] = []
        self._date: str | None = None
        self._local = False  # times have an unknown zone

    def parse(self, number: int, line: bytes) -> Iterator[Parsed]:
        """Yield the event of a line, or why it is none."""
        text = decoded(line)
        if line.startswith(b"#"):
            key, _, value = text[1:].partition(":")
            if key.lower() == "fields":
                self._fields = value.split()
            elif key.lower() in ("date", "start-date"):
                self._date = value.split()[0] if value.split() else None
            elif key.lower() == "time format":
                self._local = "local" in value.lower()
            return
        if not self._fields:
            yield "a record before any #Fields"
            return
        tabs = "\t" in text
        values = [*map(_unquoted, text.split("\t"))] if tabs else self._divided(text)
        if len(values) != len(self._fields):
            fewer = len(values) < len(self._fields)
            yield "cut short: fewer values than #Fields" if fewer else "more values than #Fields"
            return
        found = {name: value for name, value in zip(self._fields, values, strict=True) if value not in ("-", "")}
        event = to_event(found, self._date, percent=tabs)
        yield event._replace(time=None) if self._local else event

    def _divided(self, text: str) -> list[str]:
        """Divide a line by blanks, which may stand inside of quotes."""
        values = text.split()
        if len(values) == len(self._fields):
            return values
        return [quoted.replace('""', '"') or bare for quoted, bare in _TOKEN.findall(text)]


def _unquoted(value: str) -> str:
    return value[1:-1].replace('""', '"') if len(value) > 1 and value[0] == value[-1] == '"' else value


def to_event(found: Fields, date: str | None, *, percent: bool) -> StructuredEvent:
    """Make an event of the fields that are set.

    Parameters
    ----------
    date
        The day of records that do not name their own.
    percent
        Whether headers and targets are percent-encoded beside what the client encoded.
    """
    left = dict(found)
    time = _time(left, date)
    stem = _first(left, "cs-uri-stem", "cs-uri-path") or ""
    query, uri, method = (left.pop(key, None) for key in ("cs-uri-query", "cs-uri", "cs-method"))
    if not (stem or uri or method):
        return _other(found, time)
    target = f"{stem}?{query.removeprefix('?')}" if query else stem or uri
    if percent and target:
        target = _ENCODED_TWICE.sub("%", target)
    host, path = split_url(target)
    headers = {name: _header(value, percent) for name, value in _headers(left)}
    named = {name: headers.pop(name, None) for name in ("user-agent", "referer", "cookie", "host")}
    host = _first(left, "x-host-header", "cs-host") or named["host"] or host
    return LoggedRequest(
        method=method,
        target=path,
        time=time,
        client=_first(left, "c-ip", "c-dns"),
        client_port=integer(left.pop("c-port", None)),
        server=left.pop("s-ip", None),
        server_port=integer(left.pop("s-port", None)),
        host=host,
        agent=named["user-agent"],
        referer=named["referer"],
        cookie=named["cookie"],
        status=integer(left.pop("sc-status", None)),
        user=left.pop("cs-username", None),
        headers=[*headers.items(), *((name.lower(), _header(value, percent)) for name, value in left.items())],
    ).event()


def _time(left: dict[str, str], date: str | None) -> str | None:
    date, time = left.pop("date", date), left.pop("time", None)
    return None if date is None or time is None else utc(f"{date}T{time}Z")


def _first(left: dict[str, str], *names: str) -> str | None:
    """Take all of these fields; return the first that is set."""
    values = [left.pop(name, None) for name in names]
    return next(filter(None, values), None)


def _headers(left: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Take the headers of the request: `cs(User-Agent)`."""
    for name in list(left):
        if match := _HEADER.fullmatch(name):
            yield match[1].lower(), left.pop(name)


def _header(value: str, percent: bool) -> str:
    if not percent:
        return value.replace("+", " ") if " " not in value else value
    return unquote(_ENCODED_TWICE.sub("%", value), errors="backslashreplace")


def _other(found: Fields, time: str | None) -> StructuredEvent:
    """Make an event of a record that is no request."""
    parts = {name: value for name, value in found.items() if name not in ("date", "time")}
    source = parts.get("src-ip") or parts.get("c-ip")
    return StructuredEvent(
        text=templates.record("w3c", parts),
        time=time,
        group=source,
        columns={
            "kind": "w3c",
            "src_ip": source,
            "src_port": integer(parts.get("src-port")),
            "dst_ip": parts.get("dst-ip") or parts.get("s-ip"),
            "dst_port": integer(parts.get("dst-port")),
            "transport": parts["protocol"].lower() if "protocol" in parts else None,
        },
    )
