"""Read the log of Linux's audit daemon: `type=EXECVE msg=audit(1772705472.123:77): argc=2 a0="sh" a1=2D63`.

Strings that a user may have chosen stand in quotes, or in hexadecimal where they hold a blank, a quote or what is not
ASCII (https://github.com/linux-audit/audit-documentation/wiki/SPEC-Writing-Good-Events): that is undone, so that a
command reads as it was typed. Of EXECVE the text is the command line, its arguments joined by blanks, those in pieces
(`a1[0]`) put together; of USER_CMD the command; of TTY and USER_TTY what was typed; any other record stays as it is,
decoded. The records of one event have one `group`; a PROCTITLE behind the EXECVE whose command it repeats is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import integer, when

_RECORD = re.compile(
    rb"(?:audit: )?(?:node=(?P<host>\S+) )?type=(?P<type>[A-Z_0-9]+|UNKNOWN\[[0-9]+\]) "
    rb"(?:msg=)?audit\((?P<time>[0-9]{1,12}\.[0-9]{1,9}):(?P<serial>[0-9]+)\): ?(?P<rest>.*)",
    re.DOTALL,
)
_NUMBERS = {b"1123": b"USER_CMD", b"1124": b"USER_TTY", b"1300": b"SYSCALL", b"1309": b"EXECVE", b"1327": b"PROCTITLE"}
_SAID = re.compile(rb"(.*(?:^|[ ]))msg='(.*)'(.*)", re.DOTALL)  # by a program, in fields of its own
_FIELD = re.compile(rb"""([\w.-]+(?:\[[0-9]+\])?)=("[^"]*"|[^\s'"]*)""")
_ARGUMENT = re.compile(rb"a([0-9]+)(?:\[([0-9]+)\])?")
_UNTRUSTED = frozenset(
    b"acct cgroup cmd comm cwd data device dir exe file grp hostname key name ocomm path proctitle root_dir sw vm "
    b"watch".split()
)
_HEXADECIMAL = re.compile(rb"(?:[0-9A-F]{2})+")
_ENRICHED = b"\x1d"  # before the names that `log_format = ENRICHED` adds for numbers, as AUID="bob"
_TEXTS = {b"USER_CMD": b"cmd", b"TTY": b"data", b"USER_TTY": b"data"}
_UNSET = (None, b"?", b"", b"UNKNOWN", b"(null)", b"unset", b"4294967295")


def looks_like(line: bytes) -> bool:
    """Tell whether a line is a record of the daemon's."""
    return _RECORD.fullmatch(line) is not None


def read_auditd(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an audit log; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("a log of the audit daemon", _Log().parse))


class _Log:
    """A log as it is read, and the last command in it: the title of its process repeats it."""

    def __init__(self) -> None:
        self._command = ""
        self._group: str | None = None

    def parse(self, number: int, line: bytes) -> tuple[Parsed]:
        """Return the event of a record, or why it is none."""
        event = to_event(line)
        if event is None:
            return ("not a record of the audit daemon",)
        if event.columns["kind"] == "auditd-execve":
            self._command, self._group = event.text, event.group
        elif event.columns["kind"] == "auditd-proctitle" and event.group == self._group:
            title = event.text.removeprefix("type=PROCTITLE proctitle=").strip('"')
            if title and self._command.startswith(title):  # the kernel cuts a title at 128 bytes
                return ("a title that repeats the command of its event",)
        return (event,)


def to_event(line: bytes) -> StructuredEvent | None:
    """Make the event of a record; None where a line is none."""
    match = _RECORD.fullmatch(line)
    if match is None:
        return None
    kind = _NUMBERS.get(match["type"], match["type"])
    rest, _, enriched = match["rest"].partition(_ENRICHED)
    plain = _plain(rest, kind)
    if said := _SAID.fullmatch(rest):
        plain = b"%bmsg='%b'%b" % tuple(_plain(each, kind) for each in said.groups())
        rest = b" ".join(said.groups())
    fields = dict(_fields(rest, kind)) | dict(_fields(enriched, kind))
    command, whole = _command(fields) if kind == b"EXECVE" else (fields.get(_TEXTS.get(kind, b"")), True)
    host = None if match["host"] is None else decoded(match["host"])
    return StructuredEvent(
        text=decoded(command or b"type=%b %b" % (kind, plain)),
        time=when(float(match["time"])),
        group=" ".join(filter(None, (host, match["serial"].decode()))),
        columns={
            "kind": f"auditd-{decoded(kind).lower()}",
            "src_ip": _first(fields, b"addr"),
            "host": host,
            "user": _first(fields, b"AUID", b"acct", b"auid", b"uid"),
        },
        overflow=not whole,
    )


def _fields(text: bytes, kind: bytes) -> Iterator[tuple[bytes, bytes]]:
    for match in _FIELD.finditer(text):
        yield match[1], _value(match, kind)


def _value(field: re.Match[bytes], kind: bytes) -> bytes:
    """Return what a field holds, whatever it is written in; NULs, as between the arguments of a title, are blanks."""
    name, value = field.groups()
    if value.startswith(b'"'):
        return value[1:-1]
    untrusted = name in _UNTRUSTED or (kind == b"EXECVE" and _ARGUMENT.fullmatch(name))
    if untrusted and _HEXADECIMAL.fullmatch(value):
        return bytes.fromhex(value.decode()).rstrip(b"\0").replace(b"\0", b" ")
    return value


def _plain(text: bytes, kind: bytes) -> bytes:
    """Return fields with what is hexadecimal decoded, in quotes."""

    def plain(field: re.Match[bytes]) -> bytes:
        value = _value(field, kind)
        return field[0] if value in (field[2], field[2][1:-1]) else b'%b="%b"' % (field[1], value)

    return _FIELD.sub(plain, text)


def _command(fields: dict[bytes, bytes]) -> tuple[bytes, bool]:
    """Join the arguments of a command; whether they are all: of a long one the others stand in further records."""
    found: dict[int, dict[int, bytes]] = {}
    for name, value in fields.items():
        if place := _ARGUMENT.fullmatch(name):
            found.setdefault(int(place[1]), {})[int(place[2] or 0)] = value
    arguments = [b"".join(pieces[piece] for piece in sorted(pieces)) for _, pieces in sorted(found.items())]
    count = integer(decoded(fields.get(b"argc", b"")))
    return b" ".join(arguments), count is not None and count <= len(arguments)


def _first(fields: dict[bytes, bytes], *names: bytes) -> str | None:
    values = (fields.get(name) for name in names)
    return next((decoded(value) for value in values if value is not None and value not in _UNSET), None)
