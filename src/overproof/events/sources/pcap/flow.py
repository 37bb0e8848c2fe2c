"""One flow: who opened it, how much each side sent, how it ended, and what was said."""

from __future__ import annotations

from dataclasses import dataclass, field

from overproof.events.sources import templates
from overproof.events.sources.pcap.community import ANSWERS, REQUESTS, community_id
from overproof.events.sources.pcap.conversations import NoTalk, Talk, TcpTalk, UdpTalk
from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.pcap.ip import address
from overproof.events.sources.pcap.packets import ACK, ICMP, ICMP6, SYN, TCP, UDP, Packet
from overproof.events.sources.pcap.services import PORTS
from overproof.events.sources.pcap.states import FAILED, End
from overproof.events.sources.pcap.states import Ends as States
from overproof.events.sources.pcap.tcp_stream import Note

ATTEMPT, IDLE, OVER, DATAGRAMS = 30.0, 300.0, 5.0, 60.0  # seconds of silence that end a flow
ACTIVE = 3600.0  # seconds after which a flow that goes on is told of

_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp", 2: "igmp", 47: "gre", 50: "esp", 89: "ospf", 132: "sctp"}
_IN_TEXT = {"tls": "ssl"}  # as Zeek and the built-in traffic call it

Point = tuple[bytes, int]
Key = tuple[int, Point, Point]


def key_of(packet: Packet) -> Key:
    """What the packets of a flow share, in both directions."""
    ported = packet.protocol in (TCP, UDP)
    source = (packet.source, packet.sport if ported else 0)
    target = (packet.target, packet.dport if ported else 0)
    return (packet.protocol, source, target) if source <= target else (packet.protocol, target, source)


def answers_first(packet: Packet) -> bool:
    """Whether a flow's first packet in the capture comes from the side that did not open it."""
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
    heard
        The capture's clock at its last packet.
    counted
        Whether it is in the sums.
    """

    ends: Ends
    opener: Point
    first: Spot
    protocol: int
    talk: Talk
    last: float
    packets: list[int] = field(default_factory=lambda: [0, 0])
    frames: list[int] = field(default_factory=lambda: [0, 0])
    payload: list[int] = field(default_factory=lambda: [0, 0])
    states: States = field(default_factory=States)
    heard: float = 0.0
    wait: float = 0.0
    counted: bool = False
    summed: bool = True
    initial: int | None = None

    @classmethod
    def of(cls, packet: Packet, note: Note) -> Flow:
        """The flow that a packet begins."""
        source, target = (packet.source, packet.sport), (packet.target, packet.dport)
        ported = packet.protocol in (TCP, UDP)
        opener, other = (target, source) if answers_first(packet) else (source, target)
        ends = Ends(
            address(opener[0]),
            opener[1] if ported else None,
            address(other[0]),
            other[1] if ported else None,
            _NAMES.get(packet.protocol, f"ip-{packet.protocol}"),
            community_id(packet.protocol, *source[:1], *target[:1], packet.sport, packet.dport),
        )
        talk: Talk
        if packet.protocol == TCP:
            talk = TcpTalk(ends, note)
        else:
            talk = UdpTalk(ends, note) if packet.protocol == UDP else NoTalk(None)
        echo = packet.protocol not in ANSWERS or packet.sport in ANSWERS[packet.protocol]
        spot = Spot(packet.number, packet.time)
        return cls(ends, opener, spot, packet.protocol, talk, packet.time, summed=echo)

    def again(self, packet: Packet) -> bool:
        """Whether a packet opens the next connection between the same ports."""
        return (
            packet.protocol == TCP
            and packet.flags & (SYN | ACK) == SYN
            and (self.states.over or self.initial is not None)
            and packet.seq != self.initial
        )

    def packet(self, packet: Packet) -> list[Draft]:
        """Count a packet, and read it."""
        ported = self.ends.sport is not None
        back = (packet.source, packet.sport) != self.opener if ported else packet.source != self.opener[0]
        self.packets[back] += 1
        self.frames[back] += packet.size
        self.payload[back] += packet.length
        self.last = max(self.last, packet.time)
        if self.protocol == TCP:
            self.states.packet(packet.flags, back)
            if packet.flags & (SYN | ACK) == SYN and self.initial is None:
                self.initial = packet.seq
        return self.named(self.talk.packet(packet, back, Spot(packet.number, packet.time)))

    def named(self, drafts: list[Draft]) -> list[Draft]:
        """Events of this flow with the protocol that it turned out to be."""
        if not drafts:
            return drafts
        service = self.talk.service
        return [draft if draft.protocol else draft._replace(protocol=service) for draft in drafts]

    def patience(self) -> float:
        """Seconds of silence that end it."""
        if self.protocol != TCP:
            return DATAGRAMS
        return OVER if self.states.over else IDLE if all(self.states) else ATTEMPT

    @property
    def state(self) -> str:
        """How it went, in Zeek's words."""
        if self.protocol == TCP:
            return self.states.state(not any(self.payload))
        return "SF" if all(self.packets) else "S0" if self.packets[0] else "SHR"

    @property
    def answered(self) -> bool:
        """Whether it is clear that it did not fail: the other side answered, or it was open before the capture."""
        if self.protocol == TCP:
            return End.ESTABLISHED in self.states or End.PARTIAL in self.states
        return all(self.packets)

    @property
    def failed(self) -> bool:
        """Whether nobody answered, or the answer was a refusal."""
        return self.state in FAILED

    def draft(self) -> Draft:
        """The flow as an event."""
        service = self.talk.service
        text = templates.flow(
            proto=self.ends.transport,
            service=_IN_TEXT.get(service or "", service),
            state=self.state,
            duration=max(0.0, self.last - self.first.time),
            orig_host=self.ends.source,
            orig_bytes=self.payload[0],
            resp_host=self.ends.target,
            resp_bytes=self.payload[1],
        )
        return Draft("flow", text, self.first, self.ends, service)

    def restart(self, packet: Packet) -> None:
        """Begin to count anew with this packet: the flow was told of, and goes on."""
        self.first, self.last = Spot(packet.number, packet.time), packet.time
        self.packets, self.frames, self.payload = [0, 0], [0, 0], [0, 0]
