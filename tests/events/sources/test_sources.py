"""The table of formats, and reading through it."""

from __future__ import annotations

import gzip
import io
import types
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.sources import FORMATS, Columns, Rejects, load_events, read_events


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))


@pytest.mark.parametrize("extension", [*FORMATS, "gz", "zst", "csv.gz", "jsonl.zst", "unknown", "log"])
@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(gzip.compress), prefix=st.sampled_from(
    [b"", b"text,label\n", b'{"text": "', b"PAR1", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"]
))  # fmt: skip
def test_any_bytes_give_events_or_an_input_error(read, extension: str, data: bytes, prefix: bytes) -> None:
    try:
        table, _ = read(f"any.{extension}", prefix + data)
    except InputError as error:
        assert f"any.{extension}" in str(error)
    else:
        assert table.num_rows > 0
        assert table.schema.names[: len(SCHEMA)] == SCHEMA.names


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'\n {"text":"a"}\n', ["a"]),
        (b'id,"payload"\n1,a\n', ["a"]),
        (b"id\tText\n1\ta\n", ["a"]),
        (b"some, text\n", ["a"]),
        (b"GET /text HTTP/1.1\n", ["GET /text HTTP/1.1"]),
        (gzip.compress(b"text\na\n"), ["a"]),
    ],
)
def test_standard_input_is_detected_by_its_content(monkeypatch, data: bytes, texts: list[str]) -> None:
    give_stdin(monkeypatch, data if texts != ["a"] or b"some" not in data else data + b"1,a\n")
    table = load_events("-")
    assert table["text"].to_pylist() == texts
    assert table["origin"][0].as_py().startswith("-:")


def test_standard_input_counts_lines_and_obeys_the_options(monkeypatch) -> None:
    give_stdin(monkeypatch, b"body,label\n" + b"x,y\n" * 20)
    assert load_events("-", columns=Columns(text="body"))["origin"][15].as_py() == "-:17"
    give_stdin(monkeypatch, b"text,label\n")
    assert load_events("-", format="lines")["text"].to_pylist() == ["text,label"]
    give_stdin(monkeypatch, b"PAR1")
    with pytest.raises(InputError, match="-: parquet is read from an uncompressed file only"):
        load_events("-")


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "E.CSV", "e.jsonl", "e.ndjson", "e.tsv"])
def test_the_extension_decides(read, name: str) -> None:
    content = {"c": b"text,label\na,b\n", "t": b"text\tlabel\na\tb\n"}.get(name[2].lower(), b'{"text":"a","label":"b"}')
    table, _ = read(name, content)
    assert table.select(["text", "label"]).to_pylist() == [{"text": "a", "label": "b"}]


@pytest.mark.parametrize("data", [b"PK\x03\x04..", "text\na".encode("utf-16-le"), b"BZh91AY&SY", b"\xfd7zXZ\x00"])
def test_what_people_pass_by_mistake_is_named(read, data: bytes) -> None:
    with pytest.raises(InputError, match="expected csv, jsonl, parquet or plain lines, in UTF-8"):
        read("a.csv", data)


def test_an_unknown_format() -> None:
    with pytest.raises(InputError, match=r"format 'xml': expected auto or one of csv, tsv, jsonl, parquet, lines"):
        load_events("a", format="xml")
    with pytest.raises(InputError, match="no files"):
        load_events([])


def test_several_files_become_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\na,x\n")
    (tmp_path / "b.jsonl").write_text('{"text":"b","n":2,"m":1}\n')
    (tmp_path / "c.jsonl").write_text('{"text":"c","m":1.5}\n')
    table = load_events([tmp_path / "a.csv", str(tmp_path / "b.jsonl"), tmp_path / "c.jsonl"])
    assert table["text"].to_pylist() == ["a", "b", "c"]
    assert table["n"].to_pylist() == ["x", "2", None]
    assert table["m"].to_pylist() == [None, 1.0, 1.5]
    assert table.schema.field("text") == SCHEMA.field("text")


def test_one_file_without_a_usable_event_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\n")
    (tmp_path / "b.jsonl").write_text('[1]\n{"text":null}\n{"text":null}\n')
    rejects = Rejects()
    why = r"b\.jsonl: no usable event: text is null \(2\); JSON is not an object \(1\)$"
    with pytest.raises(InputError, match=why):
        load_events([tmp_path / "a.txt", tmp_path / "b.jsonl"], rejects=rejects)
    assert rejects.total == 3


def test_skipped_records_are_warned_of_where_no_one_counts_them(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text":"a"}\n[1]\n')
    with pytest.warns(UserWarning, match="1 skipped: JSON is not an object"):
        load_events(tmp_path / "a.jsonl")


def test_a_truncated_gzip_gives_what_was_readable_and_one_skipped_record(read) -> None:
    lines = b"".join(b'{"text":"%d"}\n' % i for i in range(200_000))
    packed = gzip.compress(lines)
    table, rejects = read("a.jsonl.gz", packed[: len(packed) // 2])
    assert 50_000 < table.num_rows < 200_000
    assert table["text"].to_pylist() == [str(i) for i in range(table.num_rows)]
    (skipped,) = rejects.first
    assert skipped.reason.startswith("the input breaks off: ")
    assert skipped.origin.endswith(f"a.jsonl.gz:{table.num_rows + 1}")


def test_batches_have_at_most_so_many_rows_and_may_go_without_extras(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,x\n" + "a,b\n" * 10)
    batches = list(read_events([path], on_skip=Rejects(), batch_rows=4, extra=False))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert all(batch.schema.equals(SCHEMA) for batch in batches)


def test_the_real_payloads_load_with_no_options(shared_data: Path) -> None:
    table = load_events(shared_data / "http" / "train.csv.gz")
    assert table.num_rows == 25_620
    assert len(table["family"].unique()) == 14
    assert table["label"].equals(table["family"])
    assert table.column_names[len(SCHEMA) :] == ["source", "license"]


def test_the_other_real_files_load_with_no_options(shared_data: Path) -> None:
    names = ["logs/crowdsec-hub.jsonl.gz", "shell/atomic_red_team.jsonl.gz", "shell/nl2bash_benign.txt.gz"]
    assert load_events(shared_data / names[0]).num_rows == 6_665
    assert all(isinstance(load_events(shared_data / name), pa.Table) for name in names[1:])
