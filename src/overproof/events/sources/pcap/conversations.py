"""What two hosts say to each other: the content of a flow, as events."""

from __future__ import annotations

from overproof.events.sources.pcap.dns import PORTS as DNS_PORTS
from overproof.events.sources.pcap.dns import Lookups
from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.pcap.packets import ACK, Packet
from overproof.events.sources.pcap.payload import FirstBytes
from overproof.events.sources.pcap.services import by_port, is_quic
from overproof.events.sources.pcap.tcp_stream import Note, Voice


class TcpTalk:
    """A TCP connection. Packets come with `back`: whether they are the answering side's."""

    def __init__(self, ends: Ends, note: Note) -> None:
        self._lookups = Lookups()
        self._port = ends.dport
        self._voices = (Voice(ends, True, self._lookups, note), Voice(ends.turned, False, self._lookups, note))

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._voices[0].held + self._voices[1].held + self._lookups.held

    @property
    def service(self) -> str | None:
        """What is spoken: by the bytes, else by the port."""
        return self._voices[0].protocol or self._voices[1].protocol or by_port(self._port)

    def packet(self, packet: Packet, back: bool, spot: Spot) -> list[Draft]:
        """A packet of the connection."""
        drafts = self._voices[back].segment(packet, spot)
        if packet.flags & ACK:
            drafts += self._voices[not back].acknowledged(packet.ack, spot)
        return drafts

    def finish(self, spot: Spot, total: int) -> list[Draft]:
        """The connection is over."""
        drafts = self._voices[0].finish(spot, total) + self._voices[1].finish(spot, total) + self._lookups.finish()
        service = self.service
        return [draft if draft.protocol else draft._replace(protocol=service) for draft in drafts]


class UdpTalk:
    """Datagrams between two ports: DNS, else the first of them as a payload."""

    def __init__(self, ends: Ends, note: Note) -> None:
        self._ends = ends
        self._lookups = Lookups()
        self._readers: dict[bool, FirstBytes] = {}
        self._service = by_port(ends.dport)
        self._dns = bool({ends.sport, ends.dport}.intersection(DNS_PORTS))

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._lookups.held + sum(reader.held for reader in self._readers.values())

    @property
    def service(self) -> str | None:
        """What is spoken: by the bytes, else by the port."""
        return "dns" if self._lookups.seen else self._service

    def packet(self, packet: Packet, back: bool, spot: Spot) -> list[Draft]:
        """A datagram."""
        data, ends = packet.payload, self._ends.turned if back else self._ends
        if self._dns:
            found = self._lookups.message(data, spot, ends)
            if found is not None:
                return found
        if is_quic(data):
            self._service = "quic"
        if not data or self._service == "quic" or (back and not self._dns):
            return []
        reader = self._readers.setdefault(back, FirstBytes(ends, spot, None))
        return [] if reader.satisfied else reader.feed(data, spot)

    def finish(self, spot: Spot, total: int) -> list[Draft]:
        """Nothing more comes."""
        drafts = [draft for reader in self._readers.values() for draft in reader.finish(total)]
        return [draft._replace(protocol=self.service) for draft in drafts] + self._lookups.finish()


class NoTalk:
    """A protocol whose content is not read."""

    held = 0

    def __init__(self, service: str | None) -> None:
        self.service = service

    def packet(self, packet: Packet, back: bool, spot: Spot) -> list[Draft]:
        """Nothing."""
        return []

    def finish(self, spot: Spot, total: int) -> list[Draft]:
        """Nothing."""
        return []


Talk = TcpTalk | UdpTalk | NoTalk
