"""Files of lines that were once read wrongly, each with its right value (tests/cases)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overproof.errors import InputError
from overproof.events.sources import Rejects, load_events


@pytest.fixture(scope="module")
def cases(root: Path) -> Path:
    return root / "tests/cases"


def events(path: Path, rejected: int = 0) -> list[dict[str, Any]]:
    rejects = Rejects()
    table = load_events(path, rejects=rejects)
    assert rejects.total == rejected
    return table.to_pylist()


def texts(path: Path, rejected: int = 0) -> list[str]:
    return [event["text"] for event in events(path, rejected)]


def test_lines_that_containers_wrote_are_read_as_what_they_are(cases: Path) -> None:
    plain = events(cases / "04-k8s-cri/plain-access.log")
    wrapped = events(cases / "04-k8s-cri/nginx-0.log")
    assert [event["origin"].rsplit(":")[-1] for event in wrapped] == ["1", "2", "4"]
    for event in (*plain, *wrapped):
        del event["origin"]
    assert wrapped == plain
    assert plain[2]["text"].startswith("HTTP GET /search?q=aaaa") and "' UNION SELECT password" in plain[2]["text"]
    assert {event["src_ip"] for event in wrapped} == {"198.51.100.9"}
    for name in ("container-json.log", "container-json.json"):
        assert texts(cases / "05-docker-json" / name) == [event["text"] for event in plain[:2]]


def test_quotes_that_a_server_did_not_escape(cases: Path) -> None:
    found = texts(cases / "06-access-unescaped-quote/localhost_access_log.txt")
    assert len(found) == 5
    assert found[2] == 'HTTP GET /search?q="><script>alert(1)</script> ua="Mozilla/5.0"'
    assert found[4] == 'HTTP GET /c ua="() { :;}; echo "Content-Type: text/plain"; /bin/cat /etc/passwd"'


def test_json_lines_are_told_by_their_content(cases: Path) -> None:
    folder = cases / "10-jsonl-in-log"
    assert (
        texts(folder / "app.log")
        == texts(folder / "app.jsonl")
        == ["id=1' UNION SELECT password FROM users--", "hello"]
    )
    assert texts(folder / "events.txt") == ["id=1' or 1=1--", "hello"]


def test_quotes_in_tab_separated_values(cases: Path) -> None:
    assert texts(cases / "11-tsv-quotes/payloads.tsv") == [
        '" or ""="', "hello world", '"><svg onload=alert(1)>', 'he said "hi"', '"start', 'end"', "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Security.evtx", "a Windows event log"),
        ("events.feather", "an Arrow or Feather file"),
        ("events.sqlite", "an SQLite database"),
        ("logs.tar.gz", "a tar archive"),
        ("lz4.log.lz4", "lz4"),
        ("solaris.snoop", "a snoop capture"),
        ("utf16-nobom.csv", "UTF-16 text without a byte order mark"),
    ],
)
def test_files_of_other_kinds_are_refused_by_name(cases: Path, name: str, kind: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: {kind}.*; expected ") as caught:
        load_events(cases / "17-binary-as-lines" / name)
    assert str(caught.value).isprintable()
