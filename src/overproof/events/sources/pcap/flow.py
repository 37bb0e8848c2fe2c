"""Track one flow: who opened it, how much each side sent, how it ended, and its content."""

from __future__ import annotations

from dataclasses import dataclass, field

from overproof.events import templates
from overproof.events.sources.pcap.community import ANSWERS, REQUESTS, community_id
from overproof.events.sources.pcap.conversations import (
    Conversation,
    OpaqueConversation,
    TcpConversation,
    UdpConversation,
)
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.ip import address
from overproof.events.sources.pcap.packets import ACK, ICMP, ICMP6, SYN, TCP, UDP, Packet
from overproof.events.sources.pcap.services import PORTS
from overproof.events.sources.pcap.states import FAILED, ConnectionStates, EndpointState
from overproof.events.sources.pcap.tcp_stream import OnAnomaly

ATTEMPT, IDLE, OVER, DATAGRAMS = 30.0, 300.0, 5.0, 60.0  # seconds of silence that end a flow
ACTIVE = 3600.0  # seconds after which a flow that goes on becomes an event

_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp", 2: "igmp", 47: "gre", 50: "esp", 89: "ospf", 132: "sctp"}
_IN_TEXT = {"tls": "ssl"}  # as Zeek and the built-in traffic call it

Point = tuple[bytes, int]
Key = tuple[int, Point, Point]


def key_of(packet: Packet) -> Key:
    """Return what the packets of a flow share, in both directions."""
    ported = packet.protocol in (TCP, UDP)
    source = (packet.source, packet.sport if ported else 0)
    target = (packet.target, packet.dport if ported else 0)
    return (packet.protocol, source, target) if source <= target else (packet.protocol, target, source)


def responder_first(packet: Packet) -> bool:
    """Tell whether a flow's first packet in the capture comes from the side that did not open it."""
    if packet.protocol == TCP and packet.flags & SYN:
        return bool(packet.flags & ACK)
    if packet.protocol in ANSWERS:
        return packet.sport in ANSWERS[packet.protocol] and packet.sport not in REQUESTS[packet.protocol]
    if (packet.sport in PORTS) != (packet.dport in PORTS):
        return packet.sport in PORTS
    return packet.sport < 1024 <= packet.dport


@dataclass
class Flow:
    """A flow while it is open; pairs are of originator and responder.

    Attributes
    ----------
    opener
        Address and port of the originator.
    first
        Its first packet.
    last
        Time of its last packet.
    packets, frames, payload
        Counts of packets, of bytes of frames, of bytes of the transport's payload (sent again counts again).
    active_at
        The capture's clock at its last packet.
    timeout
        Seconds of silence that end it, as of its last packet.
    aggregated
        Whether it is in its host's minute.
    countable
        Whether it is a connection that an aggregate counts: an ICMP error is none.
    initial_seq
        Sequence number of its first SYN.
    """

    endpoints: Endpoints
    opener: Point
    first: PacketRef
    protocol: int
    conversation: Conversation
    last: float
    packets: list[int] = field(default_factory=lambda: [0, 0])
    frames: list[int] = field(default_factory=lambda: [0, 0])
    payload: list[int] = field(default_factory=lambda: [0, 0])
    states: ConnectionStates = field(default_factory=ConnectionStates)
    active_at: float = 0.0
    timeout: float = 0.0
    aggregated: bool = False
    countable: bool = True
    initial_seq: int | None = None

    @classmethod
    def of(cls, packet: Packet, on_anomaly: OnAnomaly) -> Flow:
        """Open the flow that a packet begins."""
        source, target = (packet.source, packet.sport), (packet.target, packet.dport)
        ported = packet.protocol in (TCP, UDP)
        opener, other = (target, source) if responder_first(packet) else (source, target)
        endpoints = Endpoints(
            address(opener[0]),
            opener[1] if ported else None,
            address(other[0]),
            other[1] if ported else None,
            _NAMES.get(packet.protocol, f"ip-{packet.protocol}"),
            community_id(packet.protocol, *source[:1], *target[:1], packet.sport, packet.dport),
        )
        conversation: Conversation
        if packet.protocol == TCP:
            conversation = TcpConversation(endpoints, on_anomaly)
        else:
            conversation = (
                UdpConversation(endpoints, on_anomaly) if packet.protocol == UDP else OpaqueConversation(None)
            )
        echo = packet.protocol not in ANSWERS or packet.sport in ANSWERS[packet.protocol]
        ref = PacketRef(packet.number, packet.time)
        return cls(endpoints, opener, ref, packet.protocol, conversation, packet.time, countable=echo)

    def reopens(self, packet: Packet) -> bool:
        """Tell whether a packet opens the next connection between the same ports."""
        return (
            packet.protocol == TCP
            and packet.flags & (SYN | ACK) == SYN
            and (self.states.ended or self.initial_seq is not None)
            and packet.seq != self.initial_seq
        )

    def packet(self, packet: Packet) -> list[EventDraft]:
        """Count a packet, and read it; return the events that it completes."""
        ported = self.endpoints.sport is not None
        from_responder = (packet.source, packet.sport) != self.opener if ported else packet.source != self.opener[0]
        self.packets[from_responder] += 1
        self.frames[from_responder] += packet.size
        self.payload[from_responder] += packet.length
        self.last = max(self.last, packet.time)
        if self.protocol == TCP:
            self.states.packet(packet.flags, from_responder)
            if packet.flags & (SYN | ACK) == SYN and self.initial_seq is None:
                self.initial_seq = packet.seq
        return self.named(self.conversation.packet(packet, from_responder, PacketRef(packet.number, packet.time)))

    def named(self, drafts: list[EventDraft]) -> list[EventDraft]:
        """Name the protocol that the flow turned out to be in its events."""
        if not drafts:
            return drafts
        service = self.conversation.service
        return [draft if draft.protocol else draft._replace(protocol=service) for draft in drafts]

    def idle_timeout(self) -> float:
        """Return the seconds of silence that end it."""
        if self.protocol != TCP:
            return DATAGRAMS
        return OVER if self.states.ended else IDLE if all(self.states) else ATTEMPT

    @property
    def state(self) -> str:
        """The connection state, in Zeek's words."""
        if self.protocol == TCP:
            return self.states.state(not any(self.payload))
        return "SF" if all(self.packets) else "S0" if self.packets[0] else "SHR"

    @property
    def answered(self) -> bool:
        """True once it is clear that it did not fail: the other side answered, or it was open before the capture."""
        if self.protocol == TCP:
            return EndpointState.ESTABLISHED in self.states or EndpointState.PARTIAL in self.states
        return all(self.packets)

    @property
    def failed(self) -> bool:
        """True if nobody answered, or the answer was a refusal."""
        return self.state in FAILED

    def draft(self) -> EventDraft:
        """Write the flow as an event."""
        service = self.conversation.service
        text = templates.FlowRecord(
            proto=self.endpoints.transport,
            service=_IN_TEXT.get(service or "", service),
            state=self.state,
            duration=max(0.0, self.last - self.first.time),
            orig_host=self.endpoints.source,
            orig_bytes=self.payload[0],
            resp_host=self.endpoints.target,
            resp_bytes=self.payload[1],
        ).text
        return EventDraft("flow", text, self.first, self.endpoints, service)

    def restart(self, packet: Packet) -> None:
        """Begin to count anew with this packet: the flow was written as an event, and goes on."""
        self.first, self.last = PacketRef(packet.number, packet.time), packet.time
        self.packets, self.frames, self.payload = [0, 0], [0, 0], [0, 0]
