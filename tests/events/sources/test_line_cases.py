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


def test_iis_writes_its_fields_anew_midway(cases: Path) -> None:
    found = events(cases / "01-iis-w3c/u_ex260105.log")
    assert [event["text"] for event in found] == [
        'HTTP GET /default.asp ua="Mozilla/5.0 (Windows NT 10.0; Win64; x64)"',
        'HTTP GET /item.asp?id=1\' UNION SELECT password FROM users-- ua="sqlmap/1.8"',
        'HTTP GET /default.asp ua="Mozilla/5.0 (Windows NT 10.0)"',
    ]
    assert [event["src_ip"] for event in found] == ["198.51.100.7", "198.51.100.9", "198.51.100.7"]
    assert [event["time"] for event in found] == [
        "2026-01-05T00:00:21Z",
        "2026-01-05T00:00:25Z",
        "2026-01-05T06:00:01Z",
    ]


def test_cef_is_read_by_its_fields(cases: Path) -> None:
    first, last = events(cases / "15-cef/cef.log")
    assert (first["text"], last["text"]) == ("HTTP GET /item?id=1' OR '1'='1", "HTTP - /index.html")
    assert [first[key] for key in ("src_ip", "src_port", "dst_ip")] == ["198.51.100.9", 50000, "192.0.2.10"]


@pytest.mark.parametrize(
    ("name", "count", "last"),
    [
        ("bom-semicolon.csv", 1, "id=1' or 1=1--"),
        ("backslash-quote.csv", 2, "hello"),
        ("cr-only.csv", 2, "hello"),
        ("dup-header.csv", 1, "id=1' or 1=1--"),
        ("newline.csv", 2, "hello"),
        ("nul.csv", 2, "hello"),
        ("sep-line.csv", 1, "id=1' or 1=1--"),
        ("space-header.csv", 1, " id=1' or 1=1--"),
        ("utf16.csv", 1, "id=1' or 1=1--"),
    ],
)
def test_odd_tables_are_read_right_or_refused(cases: Path, name: str, count: int | None, last: str) -> None:
    path = cases / "24-csv-odd" / name
    if count is None:
        with pytest.raises(InputError, match=last):
            load_events(path, rejects=Rejects())
    else:
        found = texts(path)
        assert (len(found), found[-1]) == (count, last)


def test_a_quote_behind_a_backslash_is_one(cases: Path) -> None:
    assert texts(cases / "24-csv-odd/backslash-quote.csv")[0] == 'he said "1 or 1=1"'


def test_odd_json(cases: Path) -> None:
    folder = cases / "25-jsonl-odd"
    assert texts(folder / "bom-nan-crlf.jsonl") == ["hello", "id=1' or 1=1--", "\\ud800 lone"]
    for name in ("array.json", "concat.jsonl", "pretty.json"):
        assert texts(folder / name) == ["hello", "id=1' or 1=1--"]
    with pytest.raises(InputError, match=r"no usable event|no text column"):
        load_events(folder / "cloudtrail.json", rejects=Rejects())


def test_odd_zeek(cases: Path) -> None:
    folder = cases / "27-zeek-tsv-odd"
    assert texts(folder / "iso.log")[0].startswith("HTTP GET /x?q=1' UNION SELECT")
    assert texts(folder / "semi.log", rejected=1)[0].startswith("HTTP GET /x?q=1' UNION SELECT")
    assert len(texts(folder / "no-header.log")) == 2  # plain lines: nothing says what the fields are


def test_odd_syslog_and_haproxy_by_syslog(cases: Path) -> None:
    folder = cases / "29-syslog-odd"
    assert texts(folder / "3164.log")[0] == "07:00:00 web1 su[1]: 'su root' failed for mallory on /dev/pts/8"
    assert len(texts(folder / "5424.log")) == 2
    assert set(texts(folder / "octet-framed.log")) == {"07:00:00 web1 su: 'su root' failed for mallory on pts/8"}
    assert set(texts(folder / "haproxy.log")) == {
        'HTTP GET /item?id=1\' UNION SELECT password host=shop.example.com ua="sqlmap"'
    }


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
        ("solaris.snoop", "a capture of snoop"),
        ("utf16-nobom.csv", "UTF-16 text without a byte order mark"),
    ],
)
def test_files_of_other_kinds_are_refused_by_name(cases: Path, name: str, kind: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: {kind}.*; expected ") as caught:
        load_events(cases / "17-binary-as-lines" / name)
    assert str(caught.value).isprintable()
