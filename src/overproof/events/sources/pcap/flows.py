"""Track all open flows in bounded memory, and write each as an event when it ends."""

from __future__ import annotations

from overproof.events.schema import Skipped
from overproof.events.sources.host_aggregates import MINUTE, Connection, HostAggregator
from overproof.events.sources.interface import OnSkip
from overproof.events.sources.pcap.event_draft import EventDraft, PacketRef
from overproof.events.sources.pcap.flow import ACTIVE, ATTEMPT, DATAGRAMS, IDLE, OVER, Flow, Key, key_of
from overproof.events.sources.pcap.packets import Packet
from overproof.events.sources.stream import excerpt
from overproof.events.sources.structured import figures
from overproof.events.templates import HostAggregate

MAX_FLOWS = 20_000  # flows open at one time
MAX_BUFFERED = 64 << 20  # bytes of content of all open flows
NO_ROOM = "a flow ended early for want of room: what follows is read as another"


class Flows:
    """Turn packets into events. The flow that was silent longest ends first, by its timeout or for want of room."""

    def __init__(self, name: str, on_skip: OnSkip) -> None:
        self._name = name
        self._on_skip = on_skip
        self._flows: dict[Key, Flow] = {}
        # by patience, each in order of the last packet
        self._by_timeout: dict[float, dict[Key, Flow]] = {timeout: {} for timeout in (OVER, ATTEMPT, DATAGRAMS, IDLE)}
        self._clock = self._expired_at = float("-inf")
        self._buffered = 0
        self._aggregator = HostAggregator()
        self._first_packets: dict[tuple[int, str], int] = {}  # first packet of the open aggregates

    def add(self, packet: Packet) -> list[EventDraft]:
        """Read a packet; return the events that it completes."""
        self._clock = max(self._clock, packet.time)
        drafts = self._expire() if self._clock >= self._expired_at + 1 else []
        key = key_of(packet)
        flow = self._flows.get(key)
        if flow is not None and (self._clock - flow.active_at > flow.timeout or flow.reopens(packet)):
            drafts += self._close(key)
            flow = None
        if flow is None:
            flow = self._flows[key] = Flow.of(packet, self._report)
        elif packet.time - flow.first.time > ACTIVE:
            drafts.append(flow.draft())
            flow.restart(packet)
        before = flow.conversation.buffered
        drafts += flow.packet(packet)
        self._buffered += flow.conversation.buffered - before
        self._requeue(key, flow)
        if not flow.aggregated and flow.answered:
            drafts += self._aggregate(flow)
        while len(self._flows) > MAX_FLOWS or self._buffered > MAX_BUFFERED:
            drafts += self._close(self._longest_idle(), early=True)
        return drafts

    def close(self) -> list[EventDraft]:
        """End the capture: return the flows still open, then their aggregates."""
        drafts = []
        for key in list(self._flows):
            drafts += self._close(key)
        return drafts + self._aggregate_drafts(self._aggregator.close())

    def _requeue(self, key: Key, flow: Flow) -> None:
        """Put the flow behind those with the same timeout."""
        self._by_timeout.get(flow.timeout, {}).pop(key, None)
        flow.active_at, flow.timeout = self._clock, flow.idle_timeout()
        self._by_timeout[flow.timeout][key] = flow

    def _expire(self) -> list[EventDraft]:
        drafts: list[EventDraft] = []
        self._expired_at = self._clock
        for timeout, flows in self._by_timeout.items():
            while flows:
                key, flow = next(iter(flows.items()))
                if self._clock - flow.active_at <= timeout:
                    break
                drafts += self._close(key)
        return drafts

    def _longest_idle(self) -> Key:
        heads = [next(iter(flows.items())) for flows in self._by_timeout.values() if flows]
        return min(heads, key=lambda head: head[1].active_at)[0]

    def _close(self, key: Key, *, early: bool = False) -> list[EventDraft]:
        flow = self._flows.pop(key)
        if early:
            self._report(NO_ROOM, flow.first, b"")
        self._by_timeout[flow.timeout].pop(key, None)
        self._buffered -= flow.conversation.buffered
        drafts = flow.named(flow.conversation.finish(PacketRef(flow.first.number, flow.last), sum(flow.payload)))
        drafts.append(flow.draft())
        return drafts if flow.aggregated else drafts + self._aggregate(flow)

    def _aggregate(self, flow: Flow) -> list[EventDraft]:
        """Add the flow to its host's minute: when it is answered, else when it ends."""
        flow.aggregated = True
        if not flow.countable:
            return []
        endpoints, first = flow.endpoints, flow.first
        minute = (int(first.time // MINUTE), endpoints.source)
        self._first_packets[minute] = min(first.number, self._first_packets.get(minute, first.number))
        source, target, port = endpoints.source, endpoints.target, endpoints.dport
        connection = Connection(first.time, source, target, port, flow.failed, flow.last)
        return self._aggregate_drafts(self._aggregator.add(connection))

    def _aggregate_drafts(self, aggregates: list[HostAggregate]) -> list[EventDraft]:
        """Write the aggregates of hosts that made more than one connection as events."""
        drafts = []
        for one in aggregates:
            number = self._first_packets.pop((one.start // MINUTE, one.src), 1)
            if one.conns > 1:
                peer = one.dst if one.peers == 1 else None
                place = PacketRef(number, one.start)
                draft = EventDraft("flows", one.text, place, src_ip=one.src, dst_ip=peer, figures=figures(one))
                drafts.append(draft)
        return drafts

    def _report(self, reason: str, ref: PacketRef, data: bytes) -> None:
        self._on_skip(Skipped(reason, f"{self._name}:packet {ref.number}", excerpt(data)))
