"""A journal that systemd itself has written: what its readers say of it, and what we read of what they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overproof.events.sources.journald.records import TOO_LONG

from .independent import said
from .test_journald import exported

MESSAGES = [
    b"plain",
    " é 日 \u202e end ".encode(),
    b"two\nlines",
    b"multi\n\nempty\n\n",
    b"\ttab",
    b"ctrl \x1b[31m",
    b"bytes \xff\xfe",
    b"= equals=",
    b"\r\n",
    b'q "quoted" \\ back',
    b'{"json": 1}',
    b"nul\0in",
    b"__CURSOR=forged",
    b"MESSAGE\n\3\0\0\0\0\0\0\0abc\n\n",
    b"x" * 5000,
    b"",
]
FORMS = {
    "export": ("export",),
    "json": ("json", "--all"),
    "json-seq": ("json-seq", "--all"),
    "json-sse": ("json-sse", "--all"),
}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of these messages, and of one entry that has none."""
    folder = tmp_path_factory.mktemp("journal")
    entries = [
        {
            "__REALTIME_TIMESTAMP": str(1_767_596_784_000_000 + number).encode(),
            "__MONOTONIC_TIMESTAMP": str(number).encode(),
            "_BOOT_ID": b"0123456789abcdef" * 2,
            "_HOSTNAME": b"web1",
            **({} if message is None else {"MESSAGE": message}),
        }
        for number, message in enumerate([*MESSAGES, None], 1)
    ]
    (folder / "a.export").write_bytes(exported(entries))
    said("systemd-journal-remote", "-o", folder / "a.journal", folder / "a.export")
    return folder / "a.journal"


@pytest.mark.parametrize("form", FORMS)
def test_entries_are_those_that_journalctl_shows(read, journal: Path, form: str) -> None:
    data = said("journalctl", "--file", journal, "-o", *FORMS[form])
    table, rejects = read(f"a.{form}", data)
    assert table.schema.metadata is None or set(table["kind"].to_pylist()) == {"journald"}
    assert table["text"].to_pylist() == [text.decode("utf-8", "backslashreplace") for text in MESSAGES if text]
    counted = said("journalctl", "--file", journal, "-o", "json").count(b"\n")
    assert table.num_rows + rejects.total == counted == len(MESSAGES) + 1
    assert rejects.summary() == {"empty text": 1, "a journal entry without MESSAGE": 1}


def test_messages_that_journalctl_leaves_out_are_counted(read, journal: Path) -> None:
    data = said("journalctl", "--file", journal, "-o", "json")
    assert sum(json.loads(line).get("MESSAGE", "") is None for line in data.splitlines()) == 1
    assert read("a.json", data)[1].summary()[TOO_LONG] == 1
