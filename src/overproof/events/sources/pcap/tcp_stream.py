"""One side of a TCP connection: its bytes in order, and whoever reads them."""

from __future__ import annotations

from collections.abc import Callable

from overproof.events.sources.pcap.dns import DnsReader, Lookups
from overproof.events.sources.pcap.event_draft import Draft, Ends, Reader, Spot
from overproof.events.sources.pcap.hello import TlsReader
from overproof.events.sources.pcap.http import HttpReader
from overproof.events.sources.pcap.packets import SYN, Packet
from overproof.events.sources.pcap.payload import FIRST, FirstBytes
from overproof.events.sources.pcap.request import begins_http, next_request
from overproof.events.sources.pcap.services import said_by_client, said_by_server
from overproof.events.sources.pcap.ssh import SshReader
from overproof.events.sources.pcap.streams import Stream
from overproof.events.sources.stream import decoded

_TELLING = 8  # bytes that are enough to tell a protocol
_LINE = 4096  # bytes of a line that may become a request's
_SECOND_COPIES = 8  # that are judged, of one side

Note = Callable[[str, Spot, bytes], None]


class Voice:
    """One side of a connection.

    Parameters
    ----------
    ends
        As seen from this side.
    opened
        Whether this side opened the connection: what it says is told even where no reader knows it.
    note
        Called with what is wrong with a segment.

    Attributes
    ----------
    protocol
        What it speaks, as far as its bytes told.
    """

    def __init__(self, ends: Ends, opened: bool, lookups: Lookups, note: Note) -> None:
        self.protocol: str | None = None
        self._ends = ends
        self._opened = opened
        self._lookups = lookups
        self._note = note
        self._stream = Stream()
        self._reader: Reader | None = None
        self._buffer = b""  # while it is not clear who reads it
        self._since: Spot | None = None
        self._deaf = False  # nothing more has to be read
        self._lost = False  # behind a gap in HTTP
        self._copies = 0

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._stream.held + len(self._buffer) + (0 if self._reader is None else self._reader.held)

    def segment(self, packet: Packet, spot: Spot) -> list[Draft]:
        """A segment from this side."""
        begins = bool(packet.flags & SYN)  # a SYN takes a number of its own
        if begins:
            self._stream.begin(packet.seq + 1)
        if self._deaf or not packet.payload:
            return []
        conflicts, strays = self._stream.conflicts, self._stream.strays
        data = self._stream.add(packet.seq + begins, packet.payload)
        drafts = self._hear(data, spot) if data else []
        if self._stream.conflicts > conflicts:
            drafts += self._contradiction(packet.payload, spot)
        if self._stream.strays > strays:
            self._note("a TCP segment far outside its connection's window", spot, packet.payload)
        while self._stream.full:
            drafts += self._skip(spot)
        return drafts

    def acknowledged(self, ack: int, spot: Spot) -> list[Draft]:
        """What the other side says it has."""
        return self._skip(spot) if self._stream.acknowledged(ack) else []

    def finish(self, spot: Spot, total: int) -> list[Draft]:
        """The connection is over; both sides sent `total` bytes."""
        drafts: list[Draft] = []
        while self._stream.waiting:
            drafts += self._skip(spot)
        while True:
            drafts += self._hear(b"", spot, more=False)
            if self._reader is None:
                return drafts
            drafts += self._reader.finish(total)
            self._buffer, self._reader = self._reader.rest or b"", None

    def _hear(self, data: bytes, spot: Spot, *, more: bool = True) -> list[Draft]:
        """Bytes in order, for the reader that is there or that fits them."""
        drafts: list[Draft] = []
        self._buffer += data
        if self._lost:
            self._find_again()
        while self._buffer and not self._deaf:
            since = spot
            if self._reader is None:
                since = self._since or spot
                self._reader = self._choose(self._buffer, since, more)
                self._since = since if self._reader is None and self._buffer else None
                if self._reader is None:
                    break
                self.protocol = self.protocol or self._reader.protocol
            data, self._buffer = self._buffer, b""
            drafts += self._reader.feed(data, since)
            self._deaf = self._reader.satisfied
            if self._reader.rest is not None:
                self._buffer, self._reader = self._reader.rest, None
        return drafts

    def _find_again(self) -> None:
        """Behind a gap in HTTP: drop what may be the rest of a body, until a request begins."""
        place = next_request(self._buffer)
        self._lost = place < 0
        line = self._buffer.rfind(b"\n") + 1
        self._buffer = self._buffer[max(line, len(self._buffer) - _LINE) if self._lost else place :]

    def _choose(self, data: bytes, spot: Spot, more: bool) -> Reader | None:
        """Who reads bytes that begin like this; None while that is not clear."""
        if self._lost:
            return None
        http = begins_http(data, more=more)
        if http:
            return HttpReader(self._ends)
        if http is None or (more and len(data) < _TELLING):
            return None
        if 53 in (self._ends.sport, self._ends.dport) and self.protocol != "dns":
            return DnsReader(self._ends, self._lookups)
        said = said_by_client(data) if self._opened else said_by_server(data)
        if said == "tls" and (self._opened or data[5:6] == b"\x01"):
            return TlsReader(self._ends, spot)
        if self._opened:
            return SshReader(self._ends, spot) if said == "ssh" else FirstBytes(self._ends, spot, said)
        self.protocol, self._deaf, self._buffer = self.protocol or said, True, b""
        return None

    def _skip(self, spot: Spot) -> list[Draft]:
        """Go on behind a hole in the stream."""
        drafts = self._hear(b"", spot, more=False)
        if self._reader is not None:
            self._lost = isinstance(self._reader, HttpReader)
            drafts += self._reader.gap()
            if self._reader.rest is not None:
                self._reader = None
        return drafts + self._hear(self._stream.skip(), spot)

    def _contradiction(self, data: bytes, spot: Spot) -> list[Draft]:
        """Two copies of the same bytes that differ: an evasion, so the second is judged as well."""
        self._note("a TCP segment that contradicts an earlier copy of it", spot, data)
        self._copies += 1
        if self._copies > _SECOND_COPIES:
            return []
        return [Draft("payload", decoded(data[:FIRST]), spot, self._ends, self.protocol)]
