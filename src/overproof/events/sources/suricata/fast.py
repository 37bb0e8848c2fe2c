"""Read the alerts of a fast.log: Suricata's (`alert-fastlog.c`, and `alert-syslog.c` by syslog) and Snort's alert_fast.

`TIME  [Drop] [**] [gid:sid:rev] message [**] [Classification: …] [Priority: n] {PROTO} address:port -> address:port`.
The text is that of the same alert in an EVE log. The time has no zone (Snort's no year), and so is none. Of a packet
that has no addresses Suricata writes the bytes in their place.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from overproof.events import templates
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import StructuredEvent

_SOME = rb"[^\[\]\n]{0,250}"
_ALERT = re.compile(
    rb"""
    (?:[0-9]{2}/[0-9]{2}(?:/[0-9]{2,4})?-[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}[ ]+)?
    (?:\[(?P<action>w?[Dd]rop)\][ ])?(?:\[\*\*\][ ])?
    \[[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}\][ ](?P<message>.*?)[ ](?:\[\*\*\][ ])?
    (?:\[Classification:[ ](?P<category>%(some)b)\][ ])?\[Priority:[ ](?P<severity>[0-9]{1,10})\]:?
    (?:[ ]\[AppID:[ ]%(some)b\])?
    (?:[ ]\{(?P<proto>[^{}\s]{1,40})\}[ ](?P<src>[0-9A-Fa-f.:]{2,60})[ ]->[ ](?P<dst>[0-9A-Fa-f.:]{2,60})
      |[ ]\[\*\*\][ ]\[Raw[ ]pkt:(?P<packet>[0-9A-Fa-f ]*)\](?:[ ]\[pcap[ ]file[ ]packet:[ ]%(some)b\])?)
    """
    % {b"some": _SOME},
    re.VERBOSE,
)


def looks_like(line: bytes) -> bool:
    """Tell whether a line is such an alert, with its time."""
    return b"[**]" in line[:64] and to_event(line) is not None


def to_event(line: bytes) -> StructuredEvent | None:
    """Make the event of an alert, with its time or as syslog carries it without; None where a line is none."""
    match = _ALERT.fullmatch(line)
    ends = match and _ends(match)
    if match is None or ends is None:
        return None
    (source, source_port), (target, target_port) = ends
    transport = match["proto"].decode("ascii", "backslashreplace").lower() if match["proto"] else None
    if transport and "icmp" in transport:
        source_port = target_port = None  # type and code stand there
    category = decoded(match["category"] or b"")
    packet = decoded(match["packet"] or b"").strip()
    parts: dict[str, templates.Part] = {
        "signature": decoded(match["message"]).strip('"'),
        "category": None if category in ("", "(null)") else category,
        "severity": match["severity"].decode(),
        "action": "blocked" if match["action"] in (b"Drop", b"drop") else "allowed",
        "proto": transport,
        "src": source,
        "dst": target,
        "port": target_port,
        "packet": packet or None,
    }
    return StructuredEvent(
        text=templates.record("suricata alert", parts),
        group=source,
        columns={
            "kind": "suricata-alert",
            "src_ip": source,
            "src_port": source_port,
            "dst_ip": target,
            "dst_port": target_port,
            "transport": transport,
        },
    )


_End = tuple[str | None, int | None]


def _ends(match: re.Match[bytes]) -> tuple[_End, _End] | None:
    """Return address and port of both ends, ports where both have one; None where what stands there is no address."""
    if match["src"] is None:
        return (None, None), (None, None)
    both = match["src"].decode(), match["dst"].decode()
    split = [end.rpartition(":") for end in both]
    if all(_is_address(host) and port.isdigit() and int(port) < 1 << 16 for host, _, port in split):
        (source, _, source_port), (target, _, target_port) = split
        return (source, int(source_port)), (target, int(target_port))
    return ((both[0], None), (both[1], None)) if all(map(_is_address, both)) else None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
