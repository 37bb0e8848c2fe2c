"""Events as tables: what is written is read back with the same texts, in every form."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import Skipped, event_table
from overproof.events.sources import load_events
from overproof.events.sources.csv import MOST_LINES
from overproof.events.tables import COLUMNS, FORMS, form_of, table_batch, writable

ODD = {
    "line ends": "a\r\nb\rc\nd\n",
    "quotes": '"a" "" \'b\' \\" \\\\"',
    "NULs": "\0a\0b\0c\0",
    "a byte that is no UTF-8": "\\xff\\xfe",
    "half a character": "\\ud800",
    "a byte order mark": "\ufefftext",
    "spaces": "  a  ",
    "the header": "text,label",
    "a quote at the end": 'a\\"',
    "another delimiter": "a;b|c\td",
    "JSON": '{"text": "b", "label": null}',
    "a formula": "=1+1",
    "null": "null",
    "characters of two bytes": "a\0" * 4096,
    "line separators": "a\u2028b\x0bc\x0cd\x85e",
}


def batch_of(texts: list[str], **columns: Any) -> pa.RecordBatch:
    (batch,) = event_table({"text": texts, **columns}).combine_chunks().to_batches()
    return table_batch(batch)


def written(texts: list[str], form: str, skipped: list[Skipped] | None = None) -> bytes:
    file = BytesIO()
    writer = FORMS[form].open(file, COLUMNS)
    writer.write(writable(batch_of(texts), FORMS[form], ([] if skipped is None else skipped).append))
    writer.close()
    return file.getvalue()


def read_back(content: bytes, form: str) -> list[str]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"events.{form}"
        path.write_bytes(content)
        texts: list[str] = load_events([path])["text"].to_pylist()
        return texts


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_text_comes_back_as_it_was(text: str, form: str) -> None:
    for texts in ([text], ["plain", text, "plain"], [text] * 3):
        assert read_back(written(texts, form), form) == texts


# what attackers write beside what anybody does: everything that a table's form has a meaning for
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
        st.text(st.sampled_from(list('a",;|\t\r\n\\\0{}[]:= \ufeff\x1e\x85\u2028')), min_size=1, max_size=60),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("form", FORMS)
@given(texts=TEXTS)
@settings(max_examples=150)
def test_whatever_the_texts_are_they_come_back(texts: list[str], form: str) -> None:
    assert read_back(written(texts, form), form) == texts


def test_a_csv_record_of_more_lines_than_are_read_is_rejected() -> None:
    most, more = "\n".join("x" * MOST_LINES), "\n".join("x" * (MOST_LINES + 1))
    skipped: list[Skipped] = []
    assert read_back(written([most, more, "plain"], "csv", skipped), "csv") == [most, "plain"]
    assert [(one.reason, one.origin) for one in skipped] == [
        ("more than 1,000 lines, as no record of .csv has: expected --to jsonl", "event:2")
    ]
    assert read_back(written([more], "jsonl"), "jsonl") == [more]


@pytest.mark.parametrize(
    ("form", "text"), [("csv", '"' * (9 << 20)), ("jsonl", "\0" * (3 << 20))], ids=["quotes doubled", "NULs escaped"]
)
def test_what_is_too_long_once_it_is_written_is_rejected(form: str, text: str) -> None:
    skipped: list[Skipped] = []
    assert read_back(written([text, "plain"], form, skipped), form) == ["plain"]
    assert [one.reason for one in skipped] == [f"longer than 16 MiB in the form .{form}"]


def test_a_tables_own_source_and_label_stay() -> None:
    own = event_table(
        {"text": ["a", "b"], "label": ["benign", None], "source": ["simulated", None], "src_port": ["x", "7"]}
    )
    (read,) = own.replace_schema_metadata({"format": "csv"}).combine_chunks().to_batches()
    table = table_batch(read)
    assert table.column("source").to_pylist() == ["simulated", "csv"]
    assert table.column("label").to_pylist() == ["benign", None]
    assert table.column("src_port").to_pylist() == [None, 7]


@pytest.mark.parametrize(
    ("to", "out", "form"),
    [
        (None, "a.csv", "csv"),
        (None, "a.JSONL", "jsonl"),
        (None, "a.parquet", "parquet"),
        (None, "-", "csv"),
        ("jsonl", "a.csv", "jsonl"),
    ],
)
def test_the_form_goes_by_name_unless_it_is_said(to: str | None, out: str, form: str) -> None:
    assert form_of(to, out) == form


@pytest.mark.parametrize(
    ("to", "out", "said"),
    [
        ("xml", "a.csv", "form 'xml': expected one of csv, jsonl, parquet"),
        (None, "a.csv.gz", "a.csv.gz: events are not written compressed, expected another name, or - and a pipe"),
    ],
    ids=["no such form", "compressed"],
)
def test_forms_that_are_refused(to: str | None, out: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        form_of(to, out)
    assert str(error.value) == said
