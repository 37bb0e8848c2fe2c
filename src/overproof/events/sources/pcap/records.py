"""Read the records of a capture file from a stream: pcap, the modified one too, and by scapy pcapng; any byte order.

pcap: draft-ietf-opsawg-pcap; its records are read here, since scapy knows no modified ones. pcapng:
draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.binaries import kind_of
from overproof.events.sources.interface import Input, OnSkip
from overproof.events.sources.pcap.scapy import scapy
from overproof.events.sources.stream import LONGEST, READ_ERRORS

_MICROSECONDS, _NANOSECONDS, _MODIFIED = b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d", b"\xa1\xb2\xcd\x34"
_BIG_ENDIAN = (_MICROSECONDS, _NANOSECONDS, _MODIFIED)
PCAP = (*_BIG_ENDIAN, *(magic[::-1] for magic in _BIG_ENDIAN))
PCAPNG = b"\x0a\x0d\x0d\x0a"

_INTERFACE, _PACKETS, _ENHANCED, _SECRETS = 1, (2, 3, 6), 6, 10  # types of pcapng blocks
_TIME_OFFSET = 14  # an interface's option if_tsoffset
_UNLIMITED = 1 << 18  # bytes of a packet where an interface states no limit


class Record(NamedTuple):
    """One captured packet as it stands in the file.

    Attributes
    ----------
    number
        Its place in the file, from 1.
    time
        Seconds since 1970; None where the file does not say.
    link
        The link type (LINKTYPE_…), which says how `data` begins.
    size
        Bytes on the wire; `data` may be cut.
    """

    number: int
    time: float | None
    link: int
    size: int
    data: bytes


def read_records(source: Input, on_skip: OnSkip) -> Iterator[Record]:
    """Yield the packets of a capture as far as the file is whole; report where it breaks off.

    Raises
    ------
    InputError
        If the input is no capture, or its header is not usable.
    """
    if not source.head.startswith((*PCAP, PCAPNG)):
        what = kind_of(source.head) or f"begins with {source.head[:4].hex()}"
        raise InputError(f"{source.name}: {what}; expected a capture, as pcap or pcapng")
    file = _File(source.blocks)
    read = _pcapng if source.head.startswith(PCAPNG) else _pcap
    number = 0
    for number, found in enumerate(read(file, source.name), 1):
        if isinstance(found, str):
            on_skip(Skipped(found, f"{source.name}:packet {number}", ""))
        else:
            yield found._replace(number=number)
    if why := file.broken or ("" if file.ended_well else "a block of it is malformed or cut short"):
        on_skip(Skipped(f"the capture breaks off: {why}", f"{source.name}:packet {number + 1}", ""))


def _pcap(file: _File, name: str) -> Iterator[Record | str]:
    head = file.read(24)
    if len(head) < 24:
        raise _unusable(file, name, "its header is cut short")
    order = ">" if head[:4] in _BIG_ENDIAN else "<"
    magic = head[:4] if order == ">" else head[3::-1]
    ticks = 1e-9 if magic == _NANOSECONDS else 1e-6
    about = struct.Struct(order + ("4I8x" if magic == _MODIFIED else "4I"))
    link = struct.unpack(order + "I", head[20:])[0] & 0xFFFF  # its other bits tell of checksums
    while True:
        file.mark()
        try:
            seconds, part, kept, size = about.unpack(file.read(about.size))
            data = file.read(kept)
        except (struct.error, EOFError):
            return
        yield Record(0, seconds + part * ticks, link, size, data)


class _Clock(NamedTuple):
    """How an interface states times: parts of a second, and the seconds that all of them are from."""

    ticks: int
    offset: int

    def seconds(self, high: int, low: int) -> float:
        return ((high << 32) + low) / self.ticks + self.offset


def _pcapng(file: _File, name: str) -> Iterator[Record | str]:
    """Read block by block: scapy alone keeps the interfaces of earlier sections and drops packets in silence."""
    tools = scapy()
    try:
        reader = tools.utils.RawPcapReader(file)
    except tools.error.Scapy_Exception as error:
        raise _unusable(file, name, str(error)) from None
    reader.blocktypes.pop(_SECRETS, None)  # it would load scapy's TLS and a cryptographic library
    describe = reader.blocktypes[_INTERFACE]

    def interface(block: bytes, size: int) -> None:
        """Put what scapy leaves out where it keeps the resolution, which it only hands on with each packet."""
        describe(block, size)
        link, limit, options = reader.interfaces[-1]
        offset = reader._read_options(block[8:]).get(_TIME_OFFSET, b"")
        order: Any = "big" if reader.endian == ">" else "little"
        clock = _Clock(options["tsresol"], int.from_bytes(offset, order, signed=True) if len(offset) == 8 else 0)
        reader.interfaces[-1] = (link, limit or _UNLIMITED, options | {"tsresol": clock})

    def packet(block: bytes, _: int) -> Record | None:
        """Read an enhanced packet block, as nearly all are, without its options, on which scapy spends most time."""
        try:
            interface, high, low, kept, size = struct.unpack_from(reader.endian + "5I", block)
        except struct.error:
            raise EOFError from None
        if interface >= len(reader.interfaces):
            return None
        link, _, options = reader.interfaces[interface]
        return Record(0, options["tsresol"].seconds(high, low), link, size, block[20 : 20 + kept])

    reader.blocktypes |= {_INTERFACE: interface, _ENHANCED: packet}
    while True:
        file.mark()
        start = file.peek(4)
        if start == PCAPNG:
            reader.interfaces.clear()
        kind = int.from_bytes(start, "big" if reader.endian == ">" else "little")
        try:
            found = reader._read_block(LONGEST)
        except (EOFError, tools.error.Scapy_Exception):
            return
        if isinstance(found, Record):
            yield found
        elif found is not None:
            data, about = found
            time = None if about.tshigh is None else about.tsresol.seconds(about.tshigh, about.tslow)
            yield Record(0, time, about.linktype, about.wirelen, data)
        elif kind in _PACKETS:
            yield "a packet of an interface that the capture does not describe"


def _unusable(file: _File, name: str, why: str) -> InputError:
    return InputError(f"{name}: {file.broken or why}; expected a capture, as pcap or pcapng")


class _File:
    """Blocks as the file that scapy reads; remembers whether the last record was read to its end."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.broken = ""
        self._blocks = blocks
        self._rest = b""
        self._at = 0
        self._since_mark = 0
        self._short = False

    def mark(self) -> None:
        """Mark that a record begins here."""
        self._since_mark = 0

    @property
    def ended_well(self) -> bool:
        """True if the input ended between two records."""
        return not (self._since_mark or self._short or self.peek(1))

    def peek(self, count: int) -> bytes:
        """Return the next bytes, which stay to be read."""
        self._fill(count)
        return self._rest[self._at : self._at + count]

    def read(self, count: int) -> bytes:
        """Read the next bytes: fewer than asked for where the input ends."""
        if count > LONGEST:
            self.broken = f"a block of {count:,} bytes"
            raise EOFError  # which scapy takes for the end
        self._fill(count)
        data = self._rest[self._at : self._at + count]
        size = len(data)
        self._at += size
        self._since_mark += size
        if size < count and self._since_mark:
            self._short = True
        return data

    def _fill(self, count: int) -> None:
        if len(self._rest) - self._at >= count:
            return
        pieces = [self._rest[self._at :]]
        missing = count - len(pieces[0])
        try:
            while missing > 0 and not self.broken and (block := next(self._blocks, b"")):
                pieces.append(block)
                missing -= len(block)
        except READ_ERRORS as error:
            self.broken = str(error)
        self._rest, self._at = b"".join(pieces), 0
