"""Read the records of a capture file by scapy from a stream: pcap and pcapng, in any byte order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.interface import Input, OnSkip
from overproof.events.sources.pcap.scapy import scapy
from overproof.events.sources.stream import LONGEST, READ_ERRORS

PCAP = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
PCAPNG = b"\x0a\x0d\x0d\x0a"

_INTERFACE, _PACKETS, _SECRETS = 1, (2, 3, 6), 10  # types of pcapng blocks
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
        raise InputError(f"{source.name}: begins with {source.head[:4].hex()}; expected a capture, as pcap or pcapng")
    file = _File(source.blocks)
    tools = scapy()
    try:
        reader = tools.utils.RawPcapReader(file)
    except tools.error.Scapy_Exception as error:
        why = file.broken or str(error)
        raise InputError(f"{source.name}: {why}; expected a capture, as pcap or pcapng") from None
    read = _pcapng if source.head.startswith(PCAPNG) else _pcap
    number = 0
    for number, found in enumerate(read(reader, file), 1):
        if isinstance(found, str):
            on_skip(Skipped(found, f"{source.name}:packet {number}", ""))
        else:
            yield found._replace(number=number)
    if why := file.broken or ("" if file.ended_well else "a block of it is malformed or cut short"):
        on_skip(Skipped(f"the capture breaks off: {why}", f"{source.name}:packet {number + 1}", ""))


def _pcap(reader: Any, file: _File) -> Iterator[Record | str]:
    ticks = 1e-9 if reader.nano else 1e-6
    link = reader.linktype & 0xFFFF  # its other bits tell of checksums
    while True:
        file.mark()
        try:
            data, about = reader._read_packet(LONGEST)  # its public `next` cuts packets at 65535 bytes
        except EOFError:
            return
        yield Record(0, about.sec + about.usec * ticks, link, about.wirelen, data)


def _pcapng(reader: Any, file: _File) -> Iterator[Record | str]:
    """Read block by block: scapy alone keeps the interfaces of earlier sections and drops packets in silence."""
    reader.blocktypes.pop(_SECRETS, None)  # it would load scapy's TLS and a cryptographic library
    while True:
        file.mark()
        start = file.peek(4)
        if start == PCAPNG:
            reader.interfaces.clear()
        kind = int.from_bytes(start, "big" if reader.endian == ">" else "little")
        try:
            found = reader._read_block(LONGEST)
        except EOFError:
            return
        if kind == _INTERFACE:
            link, limit, options = reader.interfaces[-1]
            reader.interfaces[-1] = (link, limit or _UNLIMITED, options)
        elif found is not None:
            data, about = found
            time = None if about.tshigh is None else ((about.tshigh << 32) + about.tslow) / about.tsresol
            yield Record(0, time, about.linktype, about.wirelen, data)
        elif kind in _PACKETS:
            yield "a packet of an interface that the capture does not describe"


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
        self._at += len(data)
        self._since_mark += len(data)
        self._short |= len(data) < count and self._since_mark > 0
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
