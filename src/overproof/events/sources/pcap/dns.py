"""DNS conversations: one event for each answer, and for each question that nobody answered."""

from __future__ import annotations

from overproof.events.sources import templates
from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.pcap.message import read_message

PORTS = (53, 5353, 5355)
_DRAFT = 512  # bytes of a question that waits
MOST = 256  # questions of one conversation that wait for an answer


class Lookups:
    """The questions and answers of one conversation.

    Attributes
    ----------
    seen
        Whether any of its messages was DNS.
    """

    def __init__(self) -> None:
        self.seen = False
        self._asked: dict[tuple[int, str, str], Draft] = {}

    @property
    def held(self) -> int:
        """Bytes in memory, roughly."""
        return len(self._asked) * _DRAFT

    def message(self, data: bytes, spot: Spot, ends: Ends) -> list[Draft] | None:
        """The events that a message gives; None where it is no DNS.

        Parameters
        ----------
        ends
            As seen from the message's sender.
        """
        read = read_message(data)
        if read is None:
            return None
        self.seen = True
        if read.rcode is not None:
            name, kind = read.questions[0] if read.questions else ("-", "-")
            self._asked.pop((read.number, name, kind), None)
            return [_draft(ends.turned, spot, name, kind, read.rcode, read.answer or "-", read.ttl)]
        drafts = []
        for name, kind in read.questions:
            self._asked.setdefault((read.number, name, kind), _draft(ends, spot, name, kind, None, None, None))
            if len(self._asked) > MOST:
                drafts.append(self._asked.pop(next(iter(self._asked))))
        return drafts

    def finish(self) -> list[Draft]:
        """The questions that nobody answered."""
        drafts, self._asked = list(self._asked.values()), {}
        return drafts


def _draft(
    ends: Ends, spot: Spot, name: str, kind: str, code: str | None, answer: str | None, ttl: int | None
) -> Draft:
    text = templates.dns_lookup(ends.source, name, type=kind, rcode=code, answer=answer, ttl=ttl)
    return Draft("dns-query", text, spot, ends, "dns", query=name)


class DnsReader:
    """Reads one side of DNS over TCP: messages with their length before them; see `drafts.Reader`."""

    protocol: str | None = "dns"

    def __init__(self, ends: Ends, lookups: Lookups) -> None:
        self.rest: bytes | None = None
        self.satisfied = False
        self._ends = ends
        self._lookups = lookups
        self._data = b""

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, spot: Spot) -> list[Draft]:
        """See `drafts.Reader`."""
        self._data += data
        drafts: list[Draft] = []
        at = 0
        while at + 2 <= len(self._data):
            end = at + 2 + int.from_bytes(self._data[at : at + 2], "big")
            if end > len(self._data):
                break
            found = self._lookups.message(self._data[at + 2 : end], spot, self._ends)
            if found is None:
                self.rest = self._data[at:]
                return drafts
            drafts += found
            at = end
        self._data = self._data[at:]
        return drafts

    def gap(self) -> list[Draft]:
        """See `drafts.Reader`."""
        self.rest = b""
        return []

    def finish(self, total: int) -> list[Draft]:
        """See `drafts.Reader`."""
        return []
