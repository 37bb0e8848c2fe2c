"""Write a DNS lookup as text."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.events.templates.line import bucketed, line


@dataclass(frozen=True, slots=True)
class DnsLookup:
    """A DNS lookup.

    Attributes
    ----------
    client
        Who asked: a name or an address.
    query, type, rcode
        As in `www.example.com`, `A`, `NOERROR`.
    answer
        `-` where the response had none, None where no response was seen.
    ttl
        Seconds.
    """

    client: str | None
    query: str | None
    type: str | None
    rcode: str | None = None
    answer: str | None = None
    ttl: float | None = None

    @property
    def text(self) -> str:
        """The lookup as the model reads it."""
        return line(
            "dns",
            client=self.client,
            query=self.query,
            type=self.type,
            rcode=self.rcode,
            answer=self.answer,
            ttl=bucketed(self.ttl),
        )
