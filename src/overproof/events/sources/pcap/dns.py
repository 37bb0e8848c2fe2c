"""Turn DNS conversations into events: one for each answer, and for each question that nobody answered."""

from __future__ import annotations

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.message import read_message
from overproof.events.sources.pcap.payload import payload
from overproof.events.templates import DnsLookup

PORTS = (53, 5353, 5355)
_PENDING_BYTES = 512  # bytes of a question that waits
MAX_PENDING = 256  # questions of one conversation that wait for an answer


class Lookups:
    """The questions and answers of one conversation.

    Attributes
    ----------
    seen
        Whether any of its messages was DNS.
    """

    def __init__(self) -> None:
        self.seen = False
        self._pending: dict[tuple[int, str, str], EventDraft] = {}

    @property
    def buffered(self) -> int:
        """Bytes in memory, roughly."""
        return len(self._pending) * _PENDING_BYTES

    def message(self, data: bytes, ref: PacketRef, endpoints: Endpoints) -> list[EventDraft] | None:
        """Read a message; return the events that it gives, or None where it is no DNS.

        Parameters
        ----------
        endpoints
            As seen from the message's sender.
        """
        read = read_message(data)
        if read is None:
            return None
        self.seen = True
        if read.rcode is not None:
            name, kind = read.questions[0] if read.questions else ("-", "-")
            asked = self._pending.pop((read.number, name, kind), None)
            asker = endpoints.swapped
            lookup = DnsLookup(asker.source, name, kind, read.rcode, read.answer or "-", read.ttl)
            cut = read.cut or len(read.questions) > 1 or (asked is not None and bool(asked.overflow))
            return [_lookup_draft(asker, ref, lookup, cut=cut)]
        drafts = []
        for name, kind in read.questions:
            draft = _lookup_draft(endpoints, ref, DnsLookup(endpoints.source, name, kind), cut=read.cut)
            earlier = self._pending.get((read.number, name, kind), draft)  # of a question that is sent again the first
            self._pending[read.number, name, kind] = earlier._replace(overflow=earlier.overflow or draft.overflow)
            if len(self._pending) > MAX_PENDING:
                drafts.append(self._pending.pop(next(iter(self._pending))))
        return drafts

    def finish(self) -> list[EventDraft]:
        """Return the questions that nobody answered."""
        drafts, self._pending = list(self._pending.values()), {}
        return drafts


def _lookup_draft(endpoints: Endpoints, ref: PacketRef, lookup: DnsLookup, *, cut: bool) -> EventDraft:
    return EventDraft("dns-query", lookup.text, ref, endpoints, "dns", query=lookup.query, overflow=cut)


class DnsReader:
    """Read one side of DNS over TCP: messages with their length before them; see `event_draft.Reader`."""

    protocol: str | None = "dns"

    def __init__(self, endpoints: Endpoints, lookups: Lookups, ref: PacketRef) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._lookups = lookups
        self._ref = ref  # where the message begins that is not whole yet
        self._data = b""

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read messages; see `event_draft.Reader`."""
        self._ref = self._ref if self._data else ref
        self._data += data
        drafts: list[EventDraft] = []
        at = 0
        while at + 2 <= len(self._data):
            end = at + 2 + int.from_bytes(self._data[at : at + 2], "big")
            if end > len(self._data):
                break
            found = self._lookups.message(self._data[at + 2 : end], ref, self._endpoints)
            if found is None:
                self.rest = self._data[at:]
                return drafts
            drafts += found
            at = end
        self._data = self._data[at:]
        return drafts

    def gap(self) -> list[EventDraft] | None:
        """Give up behind a gap; see `event_draft.Reader`."""
        self.rest = b""
        return self.finish(0) or None

    def finish(self, total: int) -> list[EventDraft]:
        """Return a message of which the end is missing, as a payload; see `event_draft.Reader`."""
        data, self._data = self._data, b""
        return [payload(data, self._ref, self._endpoints, "dns", cut=True)] if data else []
