"""Captures that were once read wrongly, each with its right value (tests/cases)."""

from __future__ import annotations

from pathlib import Path

import pytest

from overproof.errors import InputError
from overproof.events.sources import Rejects, load_events, read_events
from overproof.events.sources.pcap.tcp_stream import LACKING

from .pcaps import Row, read


@pytest.fixture(scope="session")
def cases(root: Path) -> Path:
    return root / "tests/cases"


def content(path: Path) -> list[tuple[str, bool]]:
    """Texts of the events that hold content, and whether it was cut."""
    return [(row["text"], row["overflow"]) for row in read(path)[0] if row["kind"] not in ("flow", "flows")]


@pytest.mark.parametrize(("name", "cut"), [("longtoken20000", True), ("benign8k", True), ("pad7000", False)])
def test_a_body_is_judged_whole_or_marked(cases: Path, name: str, cut: bool) -> None:
    ((text, overflow),) = content(cases / f"30-http-body-padding/{name}.pcap")
    assert overflow is cut
    assert ("UNION" in text) is (name == "pad7000")


def test_packets_cut_by_a_snap_length_are_marked(cases: Path) -> None:
    folder = cases / "18-pcap-snaplen"
    assert [overflow for _, overflow in content(folder / "snap96.pcap")] == [True]
    found = content(folder / "snap128-two-requests.pcap")
    assert len(found) == 2
    assert all(overflow for _, overflow in found)


def test_packets_cut_before_their_content_are_counted(cases: Path) -> None:
    rows, rejects = read(cases / "18-pcap-snaplen/snap54.pcap")
    assert [row["kind"] for row in rows if row["kind"] != "flow"] == []
    assert rejects.summary() == {LACKING: 1}


def test_times_count_from_the_offset_of_their_interface(cases: Path) -> None:
    rows, rejects = read(cases / "20-pcap-tcp/two-interfaces-tsoffset.pcapng")
    assert {row["time"][:10] for row in rows} == {"2026-01-05"}
    assert rejects.total == 0


def test_a_modified_pcap_is_read(cases: Path) -> None:
    table = load_events(cases / "17-binary-as-lines/modified.pcap", rejects=Rejects())
    assert "http-request" in table["kind"].to_pylist()


def test_a_snoop_capture_is_refused_by_name(cases: Path) -> None:
    with pytest.raises(InputError, match="a snoop capture"):
        list(read_events(cases / "17-binary-as-lines/solaris.snoop", format="pcap", on_skip=pytest.fail))


def test_datagrams_after_the_first_two_kilobytes_are_marked(cases: Path) -> None:
    rows: list[Row] = read(cases / "32-udp-later-datagrams/sip.pcap")[0]
    assert [row["overflow"] for row in rows if row["kind"] == "payload"] == [True]
