"""Read one side of a TCP connection: put its bytes in order and give them to the reader of their protocol."""

from __future__ import annotations

from collections.abc import Callable

from overproof.events.sources.pcap.dns import DnsReader, Lookups
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef, Reader
from overproof.events.sources.pcap.http import HttpReader
from overproof.events.sources.pcap.packets import SYN, Packet
from overproof.events.sources.pcap.payload import PayloadReader, payload
from overproof.events.sources.pcap.reassembly import Reassembly
from overproof.events.sources.pcap.request import begins_http, next_request
from overproof.events.sources.pcap.services import client_protocol, server_protocol
from overproof.events.sources.pcap.ssh import SshReader
from overproof.events.sources.pcap.tls import TlsReader
from overproof.events.sources.pcap.websocket import WebSocketReader

_ENOUGH = 8  # bytes that are enough to recognize a protocol
LACKING = "bytes that the capture lacks: lost, or cut by its snap length"

LINE = 4096  # bytes of a line that may become a request's
APART = 8  # segments that a stream has no place for, and that are judged

OnAnomaly = Callable[[str, PacketRef, bytes], None]


class TcpStream:
    """One side of a connection.

    Parameters
    ----------
    endpoints
        As seen from this side.
    is_originator
        Whether this side opened the connection: what it sends is an event even where no reader knows it.
    on_anomaly
        Called with what is wrong with a segment.

    Attributes
    ----------
    protocol
        What it speaks, as far as its bytes show.
    """

    def __init__(self, endpoints: Endpoints, is_originator: bool, lookups: Lookups, on_anomaly: OnAnomaly) -> None:
        self.protocol: str | None = None
        self._endpoints = endpoints
        self._is_originator = is_originator
        self._lookups = lookups
        self._on_anomaly = on_anomaly
        self._reassembly = Reassembly()
        self._reader: Reader | None = None
        self._buffer = b""  # while it is not clear who reads it
        self._started: PacketRef | None = None
        self._done = False  # nothing more has to be read
        self._resyncing = False  # behind a gap in HTTP
        self._to_websocket = False  # behind a request for it, unless that was refused and another one follows
        self._segments_apart = 0

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return self._reassembly.buffered + len(self._buffer) + (0 if self._reader is None else self._reader.buffered)

    def segment(self, packet: Packet, ref: PacketRef) -> list[EventDraft]:
        """Read a segment from this side; return the events that it completes."""
        begins = bool(packet.flags & SYN)  # a SYN takes a number of its own
        if begins:
            self._reassembly.begin(packet.seq + 1)
        if self._done or not packet.length:
            return []
        conflicts, strays, early = self._reassembly.conflicts, self._reassembly.strays, self._reassembly.early
        data = self._reassembly.add(packet.seq + begins, packet.payload, packet.length)
        drafts = self._read(data, ref) if data else []
        if self._reassembly.conflicts > conflicts:
            drafts += self._apart("a TCP segment that contradicts an earlier copy of it", packet.payload, ref)
        elif self._reassembly.early > early:
            drafts += self._apart("a TCP segment from before its stream's first byte", packet.payload, ref)
        if self._reassembly.strays > strays:
            self._on_anomaly("a TCP segment far outside its connection's window", ref, packet.payload)
        while self._reassembly.full:
            drafts += self._skip(ref)
        return drafts

    def acknowledged(self, ack: int, ref: PacketRef) -> list[EventDraft]:
        """Note what the other side says it has; return the events that this completes."""
        return self._skip(ref) if self._reassembly.acknowledged(ack) else []

    def finish(self, ref: PacketRef, total: int) -> list[EventDraft]:
        """End the connection, of which both sides sent `total` bytes; return the events that are left."""
        drafts: list[EventDraft] = []
        while self._reassembly.waiting:
            drafts += self._skip(ref)
        if self._reassembly.lacking and not self._done:
            drafts += self._gap(ref)
        while True:
            drafts += self._read(b"", ref, more=False)
            if self._reader is None:
                return drafts
            drafts += self._reader.finish(total)
            self._leave(self._reader)

    def _read(self, data: bytes, ref: PacketRef, *, more: bool = True) -> list[EventDraft]:
        """Give bytes in order to the reader that is there or that fits them."""
        drafts: list[EventDraft] = []
        self._buffer += data
        if self._resyncing:
            self._resynchronize()
        while self._buffer and not self._done:
            since = ref
            if self._reader is None:
                since = self._started or ref
                self._reader = self._choose_reader(self._buffer, since, more)
                self._started = since if self._reader is None and self._buffer else None
                if self._reader is None:
                    break
                self.protocol = self.protocol or self._reader.protocol
            data, self._buffer = self._buffer, b""
            drafts += self._reader.feed(data, since)
            self._done = self._reader.done
            if self._reader.rest is not None:
                self._leave(self._reader)
        return drafts

    def _leave(self, reader: Reader) -> None:
        """Let another reader have what this one leaves."""
        self._to_websocket = isinstance(reader, HttpReader) and reader.to_websocket
        self._buffer, self._reader = reader.rest or b"", None

    def _resynchronize(self) -> None:
        """Drop what may be the rest of a body behind a gap in HTTP, until a request begins."""
        place = next_request(self._buffer)
        self._resyncing = place < 0
        line = self._buffer.rfind(b"\n") + 1
        self._buffer = self._buffer[max(line, len(self._buffer) - LINE) if self._resyncing else place :]

    def _choose_reader(self, data: bytes, ref: PacketRef, more: bool) -> Reader | None:
        """Choose who reads bytes that begin like this; None while that is not clear."""
        if self._resyncing:
            return None
        http = begins_http(data, more=more)
        if http:
            return HttpReader(self._endpoints)
        if http is False and self._to_websocket:
            return WebSocketReader(self._endpoints)
        if http is None or (more and len(data) < _ENOUGH):
            return None
        if 53 in (self._endpoints.sport, self._endpoints.dport) and self.protocol != "dns":
            return DnsReader(self._endpoints, self._lookups, ref)
        protocol = client_protocol(data) if self._is_originator else server_protocol(data)
        if protocol == "tls" and (self._is_originator or data[5:6] == b"\x01"):
            return TlsReader(self._endpoints, ref)
        if self._is_originator:
            return (
                SshReader(self._endpoints, ref) if protocol == "ssh" else PayloadReader(self._endpoints, ref, protocol)
            )
        self.protocol, self._done, self._buffer = self.protocol or protocol, True, b""
        return None

    def _skip(self, ref: PacketRef) -> list[EventDraft]:
        """Go on behind a hole in the stream."""
        drafts = self._gap(ref)
        return drafts + self._read(self._reassembly.skip(), ref)

    def _gap(self, ref: PacketRef) -> list[EventDraft]:
        """Note that bytes are missing here: their event is marked, and where they have none they are counted."""
        drafts = self._read(b"", ref, more=False)
        if self._done:
            return drafts
        found, reader = None, self._reader
        if reader is not None:
            self._resyncing = isinstance(reader, HttpReader)
            found = reader.gap()
            if reader.rest is not None:
                self._reader = None
            if reader.rest:  # nobody can tell any more what it began
                found = [*(found or []), payload(reader.rest, ref, self._endpoints, self.protocol, cut=True)]
        if found is None and self._is_originator:  # of what a server says nothing is an event
            self._on_anomaly(LACKING, ref, b"")
        return drafts + (found or [])

    def _apart(self, reason: str, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Judge a segment that the stream has no place for too: it may be an evasion, and is counted."""
        self._on_anomaly(reason, ref, data)
        self._segments_apart += 1
        if self._segments_apart > APART:
            return []
        return [payload(data, ref, self._endpoints, self.protocol)]
