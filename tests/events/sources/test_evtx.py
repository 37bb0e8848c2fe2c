from __future__ import annotations

import gzip
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError, MissingExtra
from overproof.events.sources import Columns, Rejects

from .evtx_file import CHUNK, event, evtx

SYSMON = "Microsoft-Windows-Sysmon/Operational"
COMMANDS = [f'cmd /c echo {i} < "é中"' for i in range(3)]
LOG = [event(1, SYSMON, {"UtcTime": "2026-01-05 07:00:00.000", "CommandLine": text}) for text in COMMANDS]
DAMAGED = "a damaged record of a Windows event log"


def starts(data: bytes) -> list[int]:
    """Where the records of a log begin."""
    return [at for at in range(4096 + 512, len(data)) if data.startswith(b"**\0\0", at)]


@pytest.fixture(autouse=True)
def _package() -> None:
    pytest.importorskip("evtx", reason="the extra evtx is not installed")


@pytest.mark.parametrize("name", ["Security.evtx", "a.log", "a"])
def test_a_log_is_read_by_its_command_lines(read, name: str) -> None:
    table, rejects = read(name, evtx([*LOG, event(4625, "Security", {"IpAddress": "198.51.100.9"})]))
    assert rejects.total == 0
    assert table["text"].to_pylist() == [*COMMANDS, "windows Security 4625 IpAddress=198.51.100.9"]
    assert table["kind"].to_pylist() == ["windows-sysmon-1"] * 3 + ["windows-security-4625"]
    assert table["time"].to_pylist() == ["2026-01-05T07:06:24.500000Z"] * 4
    assert [origin.rsplit(":", 1)[1] for origin in table["origin"].to_pylist()] == ["1", "2", "3", "4"]
    assert table["src_ip"].to_pylist()[3] == "198.51.100.9"


def test_a_damaged_record_costs_itself_only(read) -> None:
    data = bytearray(evtx(LOG))
    data[starts(bytes(data))[1] + 28] = 0xFF  # its first token
    table, rejects = read("a.evtx", bytes(data))
    assert table["text"].to_pylist() == [COMMANDS[0], COMMANDS[2]]
    assert rejects.summary() == {DAMAGED: 1}
    assert rejects.first[0].origin.endswith("a.evtx:2")


def test_what_is_cut_or_no_log_says_so(read) -> None:
    table, rejects = read("a.evtx", evtx(LOG) + b"ElfChnk\0")
    assert table.num_rows == 3
    assert rejects.summary() == {f"a Windows event log (evtx) that is cut short by {CHUNK - 8} bytes": 1}
    with pytest.raises(InputError, match=r"a\.evtx: a Windows event log \(evtx\) without a single record; expected"):
        read("a.evtx", evtx(LOG)[:5000])
    table, rejects = read("a.evtx.gz", gzip.compress(evtx(LOG)))
    assert table["text"].to_pylist() == COMMANDS and rejects.total == 0
    broken = Rejects()
    with pytest.raises(InputError, match="a Windows event log"):
        read("a.evtx.gz", gzip.compress(evtx(LOG))[:-20], broken)
    assert any("the input breaks off" in reason for reason in broken.summary())
    with pytest.raises(InputError, match="a Windows event log, which is read by its own columns"):
        read("a.evtx", evtx(LOG), columns=Columns(text="CommandLine"))


def test_without_the_package_one_line_says_what_is_missing(read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)
    with pytest.raises(MissingExtra, match=r"a\.evtx: a Windows event log \(evtx\).*overproof\[evtx\]"):
        read("a.evtx", evtx(LOG))


WHOLE = evtx(LOG)


@given(st.integers(0, starts(WHOLE)[-1] + 300), st.binary(min_size=1, max_size=8))
def test_a_damaged_log_gives_events_or_an_input_error(read, at: int, damage: bytes) -> None:
    rejects = Rejects()
    try:
        table: Any = read("any.evtx", WHOLE[:at] + damage + WHOLE[at + len(damage) :], rejects, format="evtx")[0]
    except InputError as error:
        assert "any.evtx" in str(error)
    else:
        assert 1 <= table.num_rows <= 3
