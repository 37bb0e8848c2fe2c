from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from overproof.errors import InputError
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
        ("a.log", b'{"text":"a"}\n', "jsonl"),
        ("a.csv", b'{"text":"a"}\n', "jsonl"),
        ("a.log", b'[{"text":"a"}]\n', "json"),
        ("a.log", b"starting\n" + b'{"text":"a"}\n' * 2, "jsonl"),
        ("a.log", b"one\ntwo\n" + b'{"text":"a"}\n', "lines"),
        ("a.log", b'{"text":"%b"}\n' % (b"a" * 70000), "jsonl"),
        ("a.txt", b'text,label\n"id=1",attack\n', "csv"),
        ("a.csv", b"text\tlabel\nid=1\tattack\n", "tsv"),
        ("a.tsv", b"text,label\nid=1,attack\n", "csv"),
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("a.txt", b"message: a, text, b\n", "lines"),
        ("a.txt", b"message\nid=1\nid=2\n", "lines"),
        ("a.log", b"event, message\nid=1\nid=2\n", "lines"),
        ("a", b"message\nid=1\nid=2\n", "csv"),
        ("a.log", b"banner\n" * 30 + ACCESS * 40, "accesslog"),
        ("a.json", b'{"text":"a"}\n', "jsonl"),
        ("a.json", b'{"timestamp":"2024","event_type":"login","text":"a"}\n', "jsonl"),
        ("-", b'{"text":"a"}\n', "jsonl"),
        ("-", b"{\n", "json"),
        ("a.log", b'{"ts":1,\n', "json"),
        ("a.log", b"[1]\n", "lines"),
        ("a.log", ERROR + ERROR + ACCESS, "lines"),
        ("a.csv.gz", b"text,label\n", "csv"),
        ("-", b"text,label\n", "csv"),
        ("-", b"GET / HTTP/1.1\n", "lines"),
    ],
)
def test_what_is_not_decisive_goes_by_extension_then_first_line(name: str, head: bytes, format: str) -> None:
    assert detected(name, head) == format


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x30\0\0\0LfLe" + bytes(90), "an old Windows event log"),
        (b"SQLite format 3\0\x10", "an SQLite database"),
        (b"ARROW1\0\0\xff\xff", "an Arrow or Feather file"),
        (b"snoop\0\0\0\0\0\0\2", "a capture of snoop"),
        (b"\x04\x22\x4d\x18\x64@", "lz4"),
        (b"MZ\x90\0\3", "a Windows program"),
        (b"name" + bytes(253) + b"ustar\x0000", "a tar archive"),
        ("text\nid=1' or 1=1--".encode("utf-16-le"), "UTF-16 text without a byte order mark"),
        ("text\nid=1' or 1=1--".encode("utf-16-be"), "UTF-16 text without a byte order mark"),
        (random.Random(0).randbytes(600), "binary data"),
        (random.Random(1).randbytes(9000), "binary data"),
        (b"a line\n" * 40 + b"\0\n", "binary data"),
        (b"a line\n" + bytes(900), "binary data"),
        (b"\x12\x05hello\x18\x01\x22\x03\x01\x02\x03" * 9, "binary data"),
    ],
)
def test_what_is_no_text_is_refused_by_name_and_never_judged_as_lines(head: bytes, kind: str) -> None:
    for name in ("-", "a.log", "a.txt", "a"):
        with pytest.raises(InputError, match=f"^{name}: {kind}") as caught:
            detected(name, head)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "head", [b"MZ is no program\n", b"BZh, a name\n", "é¿ü\n".encode("latin-1") * 9, b"\x1b[1mred\n" * 9]
)
def test_text_that_begins_like_a_binary_file_is_text(head: bytes) -> None:
    assert detected("a.log", head) == "lines"


def test_a_nul_in_a_table_is_a_character(read) -> None:
    table, _ = read("a.csv", b"text,label\nid=1\0' or 1=1--,attack\nhello,benign\n")
    assert table["text"].to_pylist() == ["id=1\0' or 1=1--", "hello"]


def test_a_first_record_beyond_a_block_is_looked_at_whole(read) -> None:
    assert read("a.log", b'{"text":"%b"}\n' % (b"a" * 2_000_000))[0]["text"][0].as_py() == "a" * 2_000_000


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
