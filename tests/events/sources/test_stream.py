from __future__ import annotations

import codecs
import gzip
import io
import os
import random
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources import load_events, stream
from overproof.events.sources.interface import Input
from overproof.events.sources.stream import LONGEST, decoded, lines, open_input

BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def numbered(blocks: list[bytes]) -> list[tuple[int, bytes]]:
    return [line for line in lines(Input("f", None, b"", iter(blocks)), _never) if line is not None]


def _never(skipped: Skipped) -> None:
    raise AssertionError(skipped)


def read(path: Path) -> tuple[bytes, bool]:
    """All bytes, and whether the input broke off."""
    content = b""
    with open_input(path) as source:
        try:
            for block in source.blocks:
                content += block
        except stream.READ_ERRORS:
            return content, True
    return content, False


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"a\nb", b"\r\n"]), max_size=12))
def test_lines_do_not_depend_on_where_blocks_end(blocks: list[bytes]) -> None:
    expected = [line.removesuffix(b"\n") for line in io.BytesIO(b"".join(blocks)).readlines()]
    assert numbered(blocks) == list(enumerate(expected, 1))


def test_a_line_of_any_length_is_kept_in_bounded_memory() -> None:
    million = b"x" * 1_000_000
    (first, second) = numbered([million] * 50 + [b"\nshort"])
    assert LONGEST < len(first[1]) < LONGEST + 3 * len(million)
    assert second == (2, b"short")


@given(st.binary(max_size=50))
def test_decoded_keeps_every_byte_and_is_utf8(raw: bytes) -> None:
    text = decoded(raw)
    text.encode()
    try:
        assert text == raw.decode()
    except UnicodeDecodeError:
        assert "\\x" in text


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda raw: pa.compress(raw, codec="zstd", asbytes=True)])
@given(raw=st.binary(min_size=1, max_size=400).filter(lambda raw: not raw.startswith(BOMS)))
def test_compression_is_seen_through(folder: Path, pack, raw: bytes) -> None:
    (folder / "plain-name").write_bytes(pack(raw))
    if pack is not bytes or not raw.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert read(folder / "plain-name") == (raw, False)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbftext")
    assert read(tmp_path / "f") == (b"text", False)


@pytest.mark.parametrize("ending", [b"", b"garbage"])
def test_joined_gzip_members_are_read_and_what_follows_is_reported(tmp_path: Path, ending: bytes) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n") + ending)
    assert read(tmp_path / "f") == (b"a\nb\n", bool(ending))


SKIPPED = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"  # RFC 8878, 3.1.2; pzstd begins each of its frames with one


@pytest.mark.parametrize("form", ["SA", "SSA", "SAS", "ASA", "SASA", "AA"])
def test_zstd_frames_and_frames_to_skip_in_any_order(tmp_path: Path, form: str) -> None:
    frame = pa.compress(b"a\n", codec="zstd", asbytes=True)
    (tmp_path / "f").write_bytes(b"".join({"S": SKIPPED, "A": frame}[each] for each in form))
    assert read(tmp_path / "f") == (b"a\n" * form.count("A"), False)


@pytest.mark.skipif(shutil.which("pzstd") is None, reason="pzstd is not installed")
def test_what_pzstd_writes(tmp_path: Path) -> None:
    raw = b"".join(b"line %d\n" % number for number in range(200_000))
    (tmp_path / "f").write_bytes(raw)
    subprocess.run(["pzstd", "-q", "-p", "2", tmp_path / "f"], check=True)
    assert read(tmp_path / "f.zst") == (raw, False)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_of_a_truncated_stream_what_was_readable_is_read(tmp_path: Path, codec: str) -> None:
    raw = random.Random(0).randbytes(500_000).hex().encode()  # compresses evenly, by half
    packed = pa.compress(raw, codec=codec, asbytes=True)
    (tmp_path / "f").write_bytes(packed[: len(packed) // 2])
    content, broke = read(tmp_path / "f")
    assert broke
    assert raw.startswith(content)
    assert len(content) > len(raw) / 4


def test_the_line_where_an_input_breaks_off_is_skipped_not_yielded() -> None:
    def blocks():
        yield b"one\ntw"
        raise zlib.error("corrupt")

    skipped: list[Skipped] = []
    assert list(lines(Input("f", None, b"", blocks()), skipped.append)) == [(1, b"one")]
    assert skipped == [Skipped("the input breaks off: corrupt", "f:2", "tw")]


def test_what_cannot_be_opened_is_an_input_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "locked").write_text("text")
    (tmp_path / "locked").chmod(0)
    cases = [("missing", "no such file"), ("", "a folder"), ("empty", "empty"), ("nul\0", "cannot be read")]
    if os.geteuid() != 0:  # root reads everything
        cases.append(("locked", "Permission denied"))
    for name, why in cases:
        with pytest.raises(InputError, match=why) as caught, open_input(tmp_path / name):
            pass
        assert name in str(caught.value)


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.txt"
    Path(os.fsdecode(path)).write_text("x")
    with open_input(os.fsdecode(path)) as source:
        assert source.name.encode().endswith(b"/\\udcff.txt")


def test_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="no standard input"), open_input("-"):
        pass


@pytest.mark.parametrize(("inner", "name"), [(b"\x1f\x8b\x08\0", "gzip"), (b"\x28\xb5\x2f\xfd\0", "zstd")])
def test_what_is_compressed_twice_is_refused_by_name(tmp_path: Path, inner: bytes, name: str) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(inner + bytes(20)))
    with pytest.raises(InputError, match=f"{name} inside of another compression"):
        load_events(tmp_path / "a.log.gz")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_wide_text_with_a_byte_order_mark_is_read_as_what_it_says(read, encoding: str, pack: Any) -> None:
    """PowerShell writes UTF-16 where it is not told otherwise: `Export-Csv -Encoding Unicode`, `... > events.json`."""
    contents = {
        "a.csv": 'text,label\r\n"é 日 😀\' or 1=1",x\r\n',
        "a.json": '{"text": "é 日 😀\' or 1=1", "label": "x"}\r\n',
        "a.log": "Jan  5 07:00:00 web1 sshd[4]: é 日 😀\n" * 3000,
        "a.txt": "é\n\n日",
    }
    for name, content in contents.items():
        plain, _ = read(name, content.encode())
        table, rejects = read(name, pack(f"\ufeff{content}".encode(encoding)))
        assert table.equals(plain) and rejects.total == 0
    table, _ = read("a.txt", "\ufeffcut\nx".encode(encoding)[:-1])
    assert table["text"][0].as_py() == "cut" and table.num_rows == 2, "half a character at the end is kept"
