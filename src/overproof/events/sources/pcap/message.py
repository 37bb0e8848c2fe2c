"""Parse one DNS message: the question, and the answer to it (RFC 1035).

scapy's own dissector takes 0.1 to 4 ms a message, because it reads every record; this reads the question and
the answers. The tests hold both to the same names and types.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

from overproof.events.sources.stream import decoded

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA",
    29: "LOC", 33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY",
    50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 99: "SPF", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR",
    255: "ANY", 257: "CAA",
}  # fmt: skip
RCODES = tuple("NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE".split())

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_RESPONSE = 0x8000
_A, _AAAA, _TXT, _OPT = 1, 28, 16, 41
_SIGNING = (43, 46, 47, 48, 50, 51)  # DNSSEC's: their data says nothing to a reader
_NAMES = {2: 0, 5: 0, 6: 0, 12: 0, 39: 0, 15: 2, 33: 6, 64: 2, 65: 2}  # data with a name in it, and where it begins
MOST = 64  # questions or answers of one message that are read
LONGEST_DATA = 255  # bytes of data of a type that is not known here
_LONGEST_LABEL, _LONGEST_NAME = 63, 255
_POINTER = 0xC0  # to where the rest of a name stands
_JUMPS = 32


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes
    ----------
    questions
        Names with their types.
    rcode
        None in a question.
    answer, ttl
        The data of its answers, with commas between them, and their shortest time to live in seconds; None
        where there is no answer.
    cut
        Whether there is more of the question or the answers than was read, or something behind a question.
    """

    number: int
    questions: tuple[tuple[str, str], ...]
    rcode: str | None = None
    answer: str | None = None
    ttl: int | None = None
    cut: bool = False


def read_message(data: bytes) -> Message | None:
    """Parse a message; None where the bytes are none. Of one cut short what is there is returned."""
    if len(data) < _HEADER.size:
        return None
    number, flags, asked, answered, authorities, further = _HEADER.unpack_from(data)
    if not asked + answered + authorities or flags & 0x0040:  # the bit that is always zero
        return None
    rcode = None
    if flags & _RESPONSE:
        rcode = RCODES[flags & 15] if flags & 15 < len(RCODES) else str(flags & 15)
    questions: list[tuple[str, str]] = []
    answers: list[_Answer] = []
    cut = asked > MOST or answered > MOST
    try:
        at = _read_questions(data, asked, questions)
        at = _read_answers(data, at, answered, answers)
        if rcode is None:  # of an answer nothing more is read
            at = _read_answers(data, at, authorities + further, [])
            cut |= at < len(data) or authorities + further > MOST
    except (IndexError, struct.error):
        if not questions:
            return None
        cut = True
    questions = questions or [(one.name, one.kind) for one in answers[:1]]
    answer = ",".join(one.value for one in answers) or None
    cut |= any(one.cut for one in answers)
    return Message(number, tuple(questions), rcode, answer, min((one.ttl for one in answers), default=None), cut)


class _Answer(NamedTuple):
    name: str
    kind: str
    ttl: int
    value: str
    cut: bool


def _read_questions(data: bytes, count: int, into: list[tuple[str, str]]) -> int:
    """Read the questions; return where the answers begin."""
    at = _HEADER.size
    for _ in range(min(count, MOST)):
        name, at = _name(data, at)
        kind, _ = _QUESTION.unpack_from(data, at)
        at += _QUESTION.size
        into.append((name, kind_name(kind)))
    return at


def _read_answers(data: bytes, at: int, count: int, into: list[_Answer]) -> int:
    """Read records; return where what follows them begins."""
    for _ in range(min(count, MOST)):
        name, at = _name(data, at)
        kind, _, ttl, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            raise IndexError
        if kind != _OPT:
            into.append(_Answer(name, kind_name(kind), ttl, _value(data, at, size, kind), _too_long(size, kind)))
        at += size
    return at


def kind_name(number: int) -> str:
    """Name a record type: `A` for 1, `TYPE999` (RFC 3597) for what has no name here."""
    return TYPES.get(number, f"TYPE{number}")


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Read a name; return it, and where what follows it begins. Raises IndexError where there is none."""
    labels: list[bytes] = []
    size = jumps = 0
    end = None
    while length := data[at]:
        if length >= _POINTER:
            end = end or at + 2
            at = (length - _POINTER) << 8 | data[at + 1]
            jumps += 1
        else:
            labels.append(data[at + 1 : at + 1 + length])
            size += length + 1
            at += length + 1
        if _LONGEST_LABEL < length < _POINTER or size > _LONGEST_NAME or jumps > _JUMPS:
            raise IndexError
    return decoded(b".".join(labels)) or ".", end or at + 1


def _value(data: bytes, at: int, size: int, kind: int) -> str:
    """Convert a record's data to text."""
    raw = data[at : at + size]
    if kind == _A and size == 4:
        return inet_ntop(AF_INET, raw)
    if kind == _AAAA and size == 16:
        return inet_ntop(AF_INET6, raw)
    if kind in _NAMES:
        return _name(data, at + _NAMES[kind])[0]
    if kind in _SIGNING:
        return kind_name(kind)
    if kind == _TXT:
        return decoded(_strings(raw)) or "-"
    return decoded(raw[:LONGEST_DATA]) or "-"


def _too_long(size: int, kind: int) -> bool:
    return size > LONGEST_DATA and kind not in (_TXT, *_NAMES, *_SIGNING)


def _strings(raw: bytes) -> bytes:
    pieces, at = [], 0
    while at < len(raw):
        pieces.append(raw[at + 1 : at + 1 + raw[at]])
        at += 1 + raw[at]
    return b"".join(pieces)
