"""All open flows: in bounded memory, told when they end."""

from __future__ import annotations

from overproof.events.schema import Skipped
from overproof.events.sources.host_aggregates import MINUTE, Sum, Sums
from overproof.events.sources.interface import OnSkip
from overproof.events.sources.pcap.event_draft import Draft, Spot
from overproof.events.sources.pcap.flow import ACTIVE, ATTEMPT, DATAGRAMS, IDLE, OVER, Flow, Key, key_of
from overproof.events.sources.pcap.packets import Packet
from overproof.events.sources.stream import shown

MOST = 20_000  # flows open at one time
HELD = 64 << 20  # bytes of content of all open flows


class Flows:
    """Packets in, events out. The flow that was silent longest ends first, by its timeout or for want of room."""

    def __init__(self, name: str, on_skip: OnSkip) -> None:
        self._name = name
        self._on_skip = on_skip
        self._flows: dict[Key, Flow] = {}
        # by patience, each in order of the last packet
        self._waiting: dict[float, dict[Key, Flow]] = {wait: {} for wait in (OVER, ATTEMPT, DATAGRAMS, IDLE)}
        self._clock = self._looked = float("-inf")
        self._held = 0
        self._sums = Sums()
        self._began: dict[tuple[int, str], int] = {}  # first packet of the sums that are open

    def add(self, packet: Packet) -> list[Draft]:
        """A packet; gives the events that it completes."""
        self._clock = max(self._clock, packet.time)
        drafts = self._expire() if self._clock >= self._looked + 1 else []
        key = key_of(packet)
        flow = self._flows.get(key)
        if flow is not None and (self._clock - flow.heard > flow.wait or flow.again(packet)):
            drafts += self._close(key)
            flow = None
        if flow is None:
            flow = self._flows[key] = Flow.of(packet, self._note)
        elif packet.time - flow.first.time > ACTIVE:
            drafts.append(flow.draft())
            flow.restart(packet)
        before = flow.talk.held
        drafts += flow.packet(packet)
        self._held += flow.talk.held - before
        self._settle(key, flow)
        if not flow.counted and flow.answered:
            drafts += self._count(flow)
        while len(self._flows) > MOST or self._held > HELD:
            drafts += self._close(self._longest_silent())
        return drafts

    def close(self) -> list[Draft]:
        """The capture is over: the flows still open, then their sums."""
        drafts = []
        for key in list(self._flows):
            drafts += self._close(key)
        return drafts + self._summed(self._sums.close())

    def _settle(self, key: Key, flow: Flow) -> None:
        """Put the flow behind those that are as patient."""
        self._waiting.get(flow.wait, {}).pop(key, None)
        flow.heard, flow.wait = self._clock, flow.patience()
        self._waiting[flow.wait][key] = flow

    def _expire(self) -> list[Draft]:
        drafts: list[Draft] = []
        self._looked = self._clock
        for wait, flows in self._waiting.items():
            while flows:
                key, flow = next(iter(flows.items()))
                if self._clock - flow.heard <= wait:
                    break
                drafts += self._close(key)
        return drafts

    def _longest_silent(self) -> Key:
        heads = [next(iter(flows.items())) for flows in self._waiting.values() if flows]
        return min(heads, key=lambda head: head[1].heard)[0]

    def _close(self, key: Key) -> list[Draft]:
        flow = self._flows.pop(key)
        self._waiting[flow.wait].pop(key, None)
        self._held -= flow.talk.held
        drafts = flow.named(flow.talk.finish(Spot(flow.first.number, flow.last), sum(flow.payload)))
        drafts.append(flow.draft())
        return drafts if flow.counted else drafts + self._count(flow)

    def _count(self, flow: Flow) -> list[Draft]:
        """Add the flow to its host's minute: when it is answered, else when it ends."""
        flow.counted = True
        if not flow.summed:
            return []
        ends, first = flow.ends, flow.first
        minute = (int(first.time // MINUTE), ends.source)
        self._began[minute] = min(first.number, self._began.get(minute, first.number))
        over = self._sums.add(first.time, ends.source, ends.target, ends.dport, flow.failed, now=flow.last)
        return self._summed(over)

    def _summed(self, sums: list[Sum]) -> list[Draft]:
        """The sums of hosts that made more than one connection, as events."""
        drafts = []
        for one in sums:
            number = self._began.pop((one.start // MINUTE, one.src), 1)
            if one.conns > 1:
                peer = one.dst if one.peers == 1 else None
                drafts.append(Draft("flows", one.text, Spot(number, one.start), src_ip=one.src, dst_ip=peer))
        return drafts

    def _note(self, reason: str, spot: Spot, data: bytes) -> None:
        self._on_skip(Skipped(reason, f"{self._name}:packet {spot.number}", shown(data)))
