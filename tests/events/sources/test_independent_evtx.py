"""Windows event logs as libevtx reads them, which shares nothing with the package that we read them by."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .evtx_file import event, evtx
from .independent import jq, said
from .test_independent_counts import FILLED

pytest.importorskip("evtx", reason="the extra evtx is not installed")

from evtx import PyEvtxParser

COMMANDS = [text.replace("\x1b", "") for text in FILLED[:40]]  # which no XML may hold


def commands_of(path: Path) -> list[str | None]:
    """What evtxexport says of the command lines in a file."""
    found = said("evtxexport", "-f", "xml", path).decode().partition("<Event")
    document = ElementTree.fromstring(f"<all>{found[1]}{found[2]}</all>")
    return [data.text for data in document.iter("Data") if data.get("Name") == "CommandLine"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of these commands."""
    path = tmp_path_factory.mktemp("evtx") / "a.evtx"
    path.write_bytes(
        evtx([event(1, "Microsoft-Windows-Sysmon/Operational", {"CommandLine": text}) for text in COMMANDS])
    )
    return path


def test_events_are_those_of_evtxexport(read, log: Path) -> None:
    table, rejects = read("a.evtx", log.read_bytes())
    assert table["text"].to_pylist() == commands_of(log) == COMMANDS
    assert rejects.total == 0


def test_events_as_json_are_those_of_evtxexport(read, log: Path) -> None:
    """As evtx_dump writes them, one a line."""
    records = [json.loads(record["data"]) for record in PyEvtxParser(str(log)).records_json()]
    data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    table, rejects = read("a.json", data)
    assert table["text"].to_pylist() == jq(data, ".Event.EventData.CommandLine") == commands_of(log)
    assert set(table["kind"].to_pylist()) == {"windows-sysmon-1"}
    assert rejects.total == 0
