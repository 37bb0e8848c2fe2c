"""A fast.log's alerts: those of an EVE log, whole lines or none."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects
from overproof.events.sources.suricata.fast import looks_like, to_event

HEAD = "03/25/2024-12:34:56.123456  "
ALERT = "[1:2010935:3] ET SCAN to MSSQL port 1433 [**] [Classification: Potentially Bad Traffic] [Priority: 2]"
LINE = f"{HEAD}[**] {ALERT} {{TCP}} 192.0.2.7:51234 -> 10.0.0.1:1433"
TEXT = (
    'suricata alert signature="ET SCAN to MSSQL port 1433" category="Potentially Bad Traffic" severity=2 '
    "action=allowed proto=tcp src=192.0.2.7 dst=10.0.0.1 port=1433"
)
SIX = ":".join(["2001", "0db8", *["0000"] * 5, "0001"])
LINES = {
    LINE: TEXT,
    LINE.replace("[**]", "[Drop] [**]", 1): TEXT.replace("allowed", "blocked"),
    LINE.replace("[**]", "[wDrop] [**]", 1): TEXT,
    LINE.replace("Potentially Bad Traffic", "(null)"): TEXT.replace(' category="Potentially Bad Traffic"', ""),
    LINE.replace("192.0.2.7", SIX).replace("10.0.0.1", SIX): TEXT.replace("192.0.2.7", SIX).replace("10.0.0.1", SIX),
    LINE.replace("{TCP}", "{IPv6-ICMP}").replace(":51234", ":8").replace(":1433", ":0"): TEXT.replace(
        " port=1433", ""
    ).replace("=tcp", "=ipv6-icmp"),
    LINE.replace("/2024", "").replace("ET SCAN to MSSQL port 1433", '"ET SCAN to MSSQL port 1433"'): TEXT,  # Snort's
    LINE.replace(":51234", "").replace(":1433", "").replace("TCP", "ICMP"): TEXT.replace("tcp", "icmp").removesuffix(
        " port=1433"
    ),
    LINE.replace("ET SCAN", "[**] [Priority: 9] {UDP} 1.1.1.1:1 -> 2.2.2.2:2"): TEXT.replace(
        "ET SCAN", "[**] [Priority: 9] {UDP} 1.1.1.1:1 -> 2.2.2.2:2"
    ),
    f"{HEAD}[**] {ALERT} [**] [Raw pkt: 00 1B 21 ] [pcap file packet: 7]": TEXT.partition(" proto")[0]
    + ' packet="00 1B 21"',
}


@pytest.mark.parametrize("line", LINES)
def test_each_alert(read, line: str) -> None:
    table, rejects = read("fast.log", f"{line}\n".encode())
    assert (table["text"].to_pylist(), rejects.total) == ([LINES[line]], 0)


def test_it_is_the_text_and_the_columns_of_the_same_alert_in_an_eve_log(read) -> None:
    alert = {"signature": "ET SCAN to MSSQL port 1433", "category": "Potentially Bad Traffic", "severity": 2,
             "action": "allowed", "signature_id": 2010935}  # fmt: skip
    eve = {"timestamp": "2024-03-25T12:34:56.123456+0000", "event_type": "alert", "src_ip": "192.0.2.7",
           "src_port": 51234, "dest_ip": "10.0.0.1", "dest_port": 1433, "proto": "TCP", "alert": alert}  # fmt: skip
    (fast,) = read("fast.log", LINE.encode())[0].to_pylist()
    (other,) = read("eve.json", json.dumps(eve).encode())[0].to_pylist()
    apart = {"origin", "time", "group"}  # a fast.log's time has no zone, and its alerts no flow
    assert {k: v for k, v in fast.items() if k not in apart} == {k: v for k, v in other.items() if k not in apart}
    assert (fast["time"], fast["group"]) == (None, "192.0.2.7")


def test_as_many_as_have_an_id_and_ends(read) -> None:
    data = "\n".join([*LINES, *LINES, LINE[:-30], LINE + " x", LINE.replace("10.0.0.1", "10.0.0.999")]).encode()
    table, rejects = read("any.txt", data)
    whole = rb"^.*\[1:2010935:3\].*(?:-> (?:10\.0\.0\.1|2001\S+?)(?::\d+)?|packet: 7\])$"
    assert table.num_rows == len(re.findall(whole, data, re.MULTILINE)) == 2 * len(LINES)
    assert rejects.summary() == {"not an alert as a fast.log has it": 3}


def test_by_way_of_syslog(read) -> None:
    carried = ALERT.replace(" [**]", "") + " {TCP} 192.0.2.7:51234 -> 10.0.0.1:1433"
    table, rejects = read(
        "a.log", f"2026-01-05T07:00:00Z ids suricata[7]: {carried}\n<5>Jan  5 07:00:00 a b: c\n".encode()
    )
    assert (table["text"][0].as_py(), table["time"][0].as_py(), rejects.total) == (TEXT, "2026-01-05T07:00:00Z", 0)
    assert table["kind"].to_pylist() == ["suricata-alert", "syslog"]


@given(st.sampled_from(list(LINES)), st.integers(0, 250), st.binary(max_size=9))
def test_a_line_with_anything_anywhere_is_an_event_or_skipped(read, line: str, place: int, more: bytes) -> None:
    raw = line.encode()[:place] + more.replace(b"\n", b"") + line.encode()[place:]
    rejects = Rejects()
    try:
        count = read("a.log", raw, rejects, format="suricata")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total == 1


@given(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=40).filter(str.strip))
def test_any_message_stands_whole_in_the_text(message: str) -> None:
    event = to_event(LINE.replace("ET SCAN", message).encode())
    assert event is not None and message in event.text


def test_hostile_lines_take_no_longer_than_their_length() -> None:
    for piece in (
        " [Priority: 1]",
        " [**] [Classification: ",
        " [**]",
        " [Raw pkt:00",
        " {TCP} 1.1.1.1 -> ",
        "0",
        " [",
    ):
        assert not looks_like((LINE[:60] + piece * 2**16).encode())
