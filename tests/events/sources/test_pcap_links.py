"""Links that captures are taken on: the request is found behind each header, as Wireshark finds it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from .independent import said
from .pcaps import client_says, ethernet, pcap, read, timed

REQUEST = b"GET /?id=1'+UNION+SELECT HTTP/1.1\r\nHost: a.test\r\n\r\n"
PACKETS = [packet[14:] for packet in client_says(REQUEST)]  # without Ethernet


def nflog(packet: bytes, order: str) -> bytes:
    """A record with a header of the packet, a prefix, and the packet."""
    parts = [(1, b"\x08\0\1\0"), (10, b"in: \0"), (9, packet)]
    written = (struct.pack(f"{order}HH", 4 + len(data), kind) + data + bytes(-len(data) % 4) for kind, data in parts)
    return b"\2\0\0\5" + b"".join(written)


LINKS = {
    "PPP": (9, lambda packet: b"\xff\3\0\x21" + packet),
    "PPP in HDLC": (50, lambda packet: b"\xff\3\0\x21" + packet),
    "Cisco HDLC as PPP": (50, lambda packet: b"\x0f\0\x08\0" + packet),
    "PPP over Ethernet": (51, lambda packet: b"\x11\0\0\1" + struct.pack("!H", len(packet) + 2) + b"\0\x21" + packet),
    "ATM": (100, lambda packet: b"\xaa\xaa\3\0\0\0\x08\0" + packet),
    "Cisco HDLC": (104, lambda packet: b"\x0f\0\x08\0" + packet),
    "Cisco HDLC, to all, a VLAN": (104, lambda packet: b"\x8f\0\x81\0\0\5\x08\0" + packet),
    "frame relay": (107, lambda packet: b"\x18\x41\3\xcc" + packet),
    "frame relay, SNAP": (107, lambda packet: b"\x18\x41\3\0\x80\0\0\0\x08\0" + packet),
    "enc": (109, lambda packet: b"\2\0\0\0" + bytes(8) + packet),
    "pflog": (117, lambda packet: b"\x3d\2\0\0" + bytes(57) + bytes(3) + packet),
    "pppd": (166, lambda packet: b"\0\3\0\x21" + packet),
    "PPI": (192, lambda packet: b"\0\0\x08\0\1\0\0\0" + ethernet(packet)),
    "Cisco HDLC with a direction": (205, lambda packet: b"\1\x0f\0\x08\0" + packet),
    "MPLS": (219, lambda packet: b"\0\1\1\x40" + packet),
    "MPLS, two labels": (219, lambda packet: b"\0\1\0\x40\0\1\1\x40" + packet),
    "NFLOG": (239, lambda packet: nflog(packet, "<")),
    "NFLOG of a big-endian host": (239, lambda packet: nflog(packet, ">")),
    "Linux cooked, 2": (276, lambda packet: b"\x08\0\0\0\0\0\0\1\0\1\0\6" + bytes(8) + packet),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_request_is_found_behind_every_links_header(name: str) -> None:
    link, headed = LINKS[name]
    events, rejects = read(pcap(timed(map(headed, PACKETS)), link=link))
    assert [event["text"] for event in events if event["kind"] == "http-request"] == [
        "HTTP GET /?id=1'+UNION+SELECT host=a.test"
    ]
    assert rejects.total == 0


OTHERS = ["pppd", "Cisco HDLC with a direction", "MPLS", "MPLS, two labels"]  # links that Wireshark does not know
OTHERS += ["Cisco HDLC as PPP", "Cisco HDLC, to all, a VLAN", "NFLOG of a big-endian host"]


@pytest.mark.parametrize("name", [name for name in LINKS if name not in OTHERS])
def test_wireshark_finds_it_there_too(name: str, tmp_path: Path) -> None:
    link, headed = LINKS[name]
    (tmp_path / "a.pcap").write_bytes(pcap(timed(map(headed, PACKETS)), link=link))
    found = said("tshark", "-r", tmp_path / "a.pcap", "-T", "fields", "-e", "http.request.uri", "-Y", "http.request")
    assert found.decode().splitlines() == ["/?id=1'+UNION+SELECT"]


@pytest.mark.parametrize(
    ("link", "data", "why"),
    [
        (249, bytes(60), "a link that carries no IP: USB"),
        (253, bytes(60), "a link that carries no IP: netlink"),
        (104, b"\x8f\0\x80\x35" + bytes(18), "not IP: another ethertype"),
        (104, b"\x0f\0", "a link header that is cut short"),
        (100, b"\xfe\xfe\3" + bytes(40), "not IP: LLC"),
        (239, nflog(b"", "<")[:20], "a record of NFLOG without a packet"),
        (192, b"\0\0\x08\0\xc0\0\0\0" * 8, "PPI in PPI"),
        (107, b"\x18\x41", "a link header that is cut short"),
        (147, bytes(60), "a link type that is not known: 147"),
    ],
)
def test_what_carries_no_ip_is_counted_by_name(link: int, data: bytes, why: str) -> None:
    events, rejects = read(pcap(timed([data]), link=link))
    assert (events, rejects.summary()) == ([], {why: 1})


@pytest.mark.parametrize("link", [50, 100, 104, 107, 109, 117, 166, 192, 205, 219, 239])
@pytest.mark.parametrize("size", range(0, 24, 3))
def test_a_header_that_is_cut_costs_no_more_than_its_packet(link: int, size: int) -> None:
    _, rejects = read(pcap(timed([b"\x0f\3\xff\0\x41\0" * 4]), link=link, cut=size))
    assert rejects.total <= 2
