"""Read the content of a flow, what two hosts send each other, as events."""

from __future__ import annotations

from overproof.events.sources.pcap.dns import PORTS as DNS_PORTS
from overproof.events.sources.pcap.dns import Lookups
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.packets import ACK, Packet
from overproof.events.sources.pcap.payload import PayloadReader
from overproof.events.sources.pcap.services import by_port, is_plain_text, is_quic
from overproof.events.sources.pcap.tcp_stream import LACKING, OnAnomaly, TcpStream


class TcpConversation:
    """A TCP connection. Packets come with `from_responder`: whether the answering side sent them."""

    def __init__(self, endpoints: Endpoints, on_anomaly: OnAnomaly) -> None:
        self._lookups = Lookups()
        self._port = endpoints.dport
        self._streams = (
            TcpStream(endpoints, True, self._lookups, on_anomaly),
            TcpStream(endpoints.swapped, False, self._lookups, on_anomaly),
        )

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return self._streams[0].buffered + self._streams[1].buffered + self._lookups.buffered

    @property
    def service(self) -> str | None:
        """The protocol: by the bytes, else by the port."""
        return self._streams[0].protocol or self._streams[1].protocol or by_port(self._port)

    def packet(self, packet: Packet, from_responder: bool, ref: PacketRef) -> list[EventDraft]:
        """Read a packet of the connection; return the events that it completes."""
        drafts = self._streams[from_responder].segment(packet, ref)
        if packet.flags & ACK:
            drafts += self._streams[not from_responder].acknowledged(packet.ack, ref)
        return drafts

    def finish(self, ref: PacketRef, total: int) -> list[EventDraft]:
        """End the connection; return the events that only its end completes."""
        drafts = self._streams[0].finish(ref, total) + self._streams[1].finish(ref, total) + self._lookups.finish()
        service = self.service
        return [draft if draft.protocol else draft._replace(protocol=service) for draft in drafts]


class UdpConversation:
    """Datagrams between two ports: DNS, else the first of them as a payload.

    Of what nobody asked for, what seems to be a server's is read too: whoever attacks may choose its port.
    """

    def __init__(self, endpoints: Endpoints, on_anomaly: OnAnomaly) -> None:
        self._endpoints = endpoints
        self._on_anomaly = on_anomaly
        self._lookups = Lookups()
        self._asked = False
        self._readers: dict[bool, PayloadReader] = {}
        self._service = by_port(endpoints.dport)
        self._dns = bool({endpoints.sport, endpoints.dport}.intersection(DNS_PORTS))

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return self._lookups.buffered + sum(reader.buffered for reader in self._readers.values())

    @property
    def service(self) -> str | None:
        """The protocol: by the bytes, else by the port."""
        return "dns" if self._lookups.seen else self._service

    def packet(self, packet: Packet, from_responder: bool, ref: PacketRef) -> list[EventDraft]:
        """Read a datagram; return the events that it completes."""
        data, endpoints = packet.payload, self._endpoints.swapped if from_responder else self._endpoints
        if self._dns:
            found = self._lookups.message(data, ref, endpoints)
            if found is not None:
                return found if len(data) == packet.length else [one._replace(overflow=True) for one in found]
        if is_quic(data):
            self._service = "quic"
        self._asked |= not from_responder
        encrypted = self._service == "quic" and not is_plain_text(data)
        if not packet.length or encrypted or (from_responder and self._asked and not self._dns):
            return []
        reader = self._readers.get(from_responder)
        if reader is None and data:
            reader = self._readers[from_responder] = PayloadReader(endpoints, ref, None)
        if reader is not None and reader.done:
            return []
        drafts = reader.feed(data, ref) if reader else []
        if len(data) < packet.length and (reader is None or reader.gap() is None):
            self._on_anomaly(LACKING, ref, b"")
        return drafts

    def finish(self, ref: PacketRef, total: int) -> list[EventDraft]:
        """End the conversation; return the events that only its end completes."""
        drafts = [draft for reader in self._readers.values() for draft in reader.finish(total)]
        return [draft._replace(protocol=self.service) for draft in drafts] + self._lookups.finish()


class OpaqueConversation:
    """A protocol whose content is not read."""

    buffered = 0

    def __init__(self, service: str | None) -> None:
        self.service = service

    def packet(self, packet: Packet, from_responder: bool, ref: PacketRef) -> list[EventDraft]:
        """Ignore a packet."""
        return []

    def finish(self, ref: PacketRef, total: int) -> list[EventDraft]:
        """Return no events."""
        return []


Conversation = TcpConversation | UdpConversation | OpaqueConversation
