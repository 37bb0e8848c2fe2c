"""Windows event logs as libevtx reads them, which shares nothing with the package that we read them by."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from .evtx_file import event, evtx
from .independent import said
from .test_independent_counts import FILLED

pytest.importorskip("evtx", reason="the extra evtx is not installed")


def test_events_are_those_of_evtxexport(read, tmp_path: Path) -> None:
    commands = [text.replace("\x1b", "") for text in FILLED[:40]]  # which no XML may hold
    events = [event(1, "Microsoft-Windows-Sysmon/Operational", {"CommandLine": text}) for text in commands]
    path = tmp_path / "a.evtx"
    path.write_bytes(evtx(events))
    found = said("evtxexport", "-f", "xml", path).decode().partition("<Event")
    document = ElementTree.fromstring(f"<all>{found[1]}{found[2]}</all>")
    theirs = [data.text for data in document.iter("Data") if data.get("Name") == "CommandLine"]
    table, rejects = read("a.evtx", path.read_bytes())
    assert table["text"].to_pylist() == theirs == commands
    assert rejects.total == 0
