from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from overproof.events.sources import FORMATS, Columns, Rejects, read_events
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Input

ACCESS = b'192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 2326\n'
SYSLOG = b"Oct 11 22:14:15 web sshd[12]: x\n"
ERROR = b"2021/09/30 09:23:53 [error] 1#1: *31 open() failed\n"


def detected(name: str, head: bytes, columns: Columns | None = None) -> str:
    return detect(Input(name, None, head, iter([])), columns or Columns())


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"#separator \\x09\n#set_separator\t,\n", "zeek"),
        (b"#fields\tts\tuid\n", "zeek"),
        (b'{"ts":1.5,"uid":"C","id.orig_h":"10.0.0.1"}\n', "zeek"),
        (b'{"_path":"weird","ts":1.5}', "zeek"),
        (b'{"ts":1.5,"fuid":"F"}', "zeek"),
        (b'{"timestamp":"2024","event_type":"flow","src_ip":"10.0.0.1"}\n', "suricata"),
        (b'{"timestamp":"2024","event_type":"stats","stats":{}}\n', "suricata"),
        (ACCESS, "accesslog"),
        (ACCESS.rstrip(), "accesslog"),
        (ERROR + ACCESS, "accesslog"),
        (b"\n" + ACCESS.replace(b"\n", b"\r\n"), "accesslog"),
        (b"shop.test " + ACCESS, "accesslog"),
        (SYSLOG, "syslog"),
        (b"<34>" + SYSLOG, "syslog"),
        (b"<34>1 2003-10-11T22:14:15Z web su - - - x\n", "syslog"),
        (SYSLOG + b"Traceback:\n", "syslog"),
        (b"PAR1", "parquet"),
        *((magic + b"\0\0", "pcap") for magic in (
            b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n",
        )),
    ],
)  # fmt: skip
def test_decisive_content_goes_before_any_extension(head: bytes, format: str) -> None:
    for name in ("-", "a.log", "a.txt", "a.json", "a.csv", "a"):
        assert detected(name, head) == format


@pytest.mark.parametrize(
    ("name", "head", "format"),
    [
        ("a.log", b"", "lines"),
        ("a.log", b"\n\n", "lines"),
        ("a.log", b'{"text":"a"}\n', "lines"),
        ("a.json", b'{"text":"a"}\n', "jsonl"),
        ("a.json", b'{"timestamp":"2024","event_type":"login","text":"a"}\n', "jsonl"),
        ("-", b'{"text":"a"}\n', "jsonl"),
        ("-", b"{\n", "jsonl"),
        ("a.log", b'{"ts":1,\n', "lines"),
        ("a.log", b"[1]\n", "lines"),
        ("a.log", ERROR + ERROR + ACCESS, "lines"),
        ("a.csv.gz", b"text,label\n", "csv"),
        ("-", b"text,label\n", "csv"),
        ("-", b"GET / HTTP/1.1\n", "lines"),
    ],
)
def test_what_is_not_decisive_goes_by_extension_then_first_line(name: str, head: bytes, format: str) -> None:
    assert detected(name, head) == format


def test_who_names_columns_has_a_table() -> None:
    head = b'{"ts":1.5,"uid":"C","id.orig_h":"10.0.0.1","msg":"x"}\n'
    assert detected("a.json", head) == "zeek"
    assert detected("a.json", head, Columns(text="msg")) == "jsonl"


def test_every_real_file_is_distinguished_from_the_others(shared_data: Path) -> None:
    wanted = {
        "captures/access/*": "accesslog", "captures/zeek/*.log*": "zeek", "captures/zeek/json/*": "zeek",
        "captures/suricata/*": "suricata", "captures/pcap/*": "pcap", "logs/*": "jsonl", "http/*": "csv",
        "shell/*.jsonl.gz": "jsonl", "shell/*.txt.gz": "lines",
    }  # fmt: skip
    assert set(wanted.values()) <= set(FORMATS)
    for pattern, format in wanted.items():
        found = sorted(shared_data.glob(pattern))
        assert found
        for path in found:
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
            for name in (path.name, "-"):
                assert detected(name, raw[: 1 << 18]) == format, path


def test_batches_say_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(ACCESS)
    (tmp_path / "b.txt").write_bytes(SYSLOG)
    (tmp_path / "c.txt").write_bytes(b"plain\n")
    (tmp_path / "d.csv").write_bytes(b"text\nx\n")
    paths = sorted(tmp_path.iterdir())
    batches = list(read_events(paths, on_skip=Rejects()))
    assert [batch.schema.metadata for batch in batches] == [
        {b"format": name} for name in (b"accesslog", b"syslog", b"lines", b"csv")
    ]
