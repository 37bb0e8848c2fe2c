"""Make events of audited requests: their text is that of the same request in a capture."""

from __future__ import annotations

import re
from typing import NamedTuple

from overproof.events.sources.pcap.event_draft import Endpoints, PacketRef
from overproof.events.sources.pcap.request import LONGEST_HEAD, Request
from overproof.events.sources.structured import StructuredEvent

_BLANK = re.compile(rb"[\r\n]*")
_NOWHERE, _NEVER = Endpoints("", None, "", None, "tcp", ""), PacketRef(0, 0.0)


class Audited(NamedTuple):
    """When a request came, from whom to whom, and what was answered."""

    time: str | None
    client: str | None
    client_port: int | None
    server: str | None
    server_port: int | None
    status: int | None = None


def of_head(head: bytes) -> tuple[bytes, Request] | None:
    """Read a request's line and headers: its method and itself; None where there is no line."""
    head = head.lstrip(b"\r\n")
    if not head.split(b"\n", 1)[0].strip():
        return None
    request = Request(_NEVER, raw=bytearray(head[:LONGEST_HEAD]), cut=len(head) > LONGEST_HEAD)
    return request.split(), request


def to_event(method: bytes, request: Request, logged: bytes | None, about: Audited) -> StructuredEvent:
    """Make the event of a request.

    Parameters
    ----------
    logged
        What was logged of its body, behind which line ends may stand that are not its own; None where nothing was.
    """
    request.find_codings()
    stated = request.content_length()
    body = logged or b""
    if stated and len(body) >= stated and _BLANK.fullmatch(body, stated):
        body = body[:stated]
    request.on_body(body)
    request.cut |= len(body) < stated
    draft = request.draft(method, _NOWHERE)
    return StructuredEvent(
        text=draft.text,
        time=about.time,
        group=about.client,
        columns={
            "kind": draft.kind,
            "src_ip": about.client,
            "src_port": about.client_port,
            "dst_ip": about.server,
            "dst_port": about.server_port,
            "transport": "tcp",
            "protocol": "http",
            "host": draft.host,
            "url": draft.url,
            "method": draft.method,
            "user_agent": draft.user_agent,
            "status": about.status,
        },
        overflow=draft.overflow,
    )
