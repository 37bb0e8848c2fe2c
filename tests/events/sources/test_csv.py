from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.sources import Columns, Rejects
from overproof.events.sources.csv import MOST_LINES, _Feed
from overproof.events.sources.stream import LONGEST

# everything but surrogates, which no file holds; the characters csv cares about come often
cell = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\n\r\t\0\\'), max_size=8)
rows = st.lists(st.tuples(cell.filter(bool), cell, cell), min_size=1, max_size=8)


def written(records: list[tuple[str, ...]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(records)
    return out.getvalue().encode()


cell_of_a_line = cell.map(lambda text: text.replace("\n", "").replace("\t", ""))


@given(st.lists(st.tuples(cell_of_a_line, cell_of_a_line), min_size=1, max_size=8))
def test_between_tabs_every_character_is_itself(read, rows: list[tuple[str, str]]) -> None:
    """Tab-separated values have no quotes: https://www.iana.org/assignments/media-types/text/tab-separated-values."""
    body = "".join(f"{text}\t{note}|\n" for text, note in rows)
    rejects = Rejects()
    try:
        table, _ = read("a.tsv", b"text\tnote\n" + body.encode(), rejects)
    except InputError:
        table = None
    kept = [(text, f"{note}|") for text, note in rows if text]
    assert rejects.total == len(rows) - len(kept)
    if table is not None:
        assert list(zip(table["text"].to_pylist(), table["note"].to_pylist(), strict=True)) == kept


@given(rows)
def test_what_the_csv_module_writes_is_read_back(read, rows: list[tuple[str, str, str]]) -> None:
    table, rejects = read("a.csv", written([("text", "label", "note"), *rows]))
    assert rejects.total == 0
    assert table["text"].to_pylist() == [text for text, _, _ in rows]
    assert table["label"].to_pylist() == table["family"].to_pylist() == [label or None for _, label, _ in rows]
    assert table["note"].to_pylist() == [note for _, _, note in rows]


@given(rows)
def test_what_pyarrow_writes_is_read_as_pyarrow_reads_it(read, folder, rows: list[tuple[str, str, str]]) -> None:
    expected = pa.table(dict(zip(("text", "label", "note"), map(list, zip(*rows, strict=True)), strict=True)))
    out = io.BytesIO()
    pa.csv.write_csv(expected, out)
    table, rejects = read("pyarrow.csv", out.getvalue())
    again = pa.csv.read_csv(
        io.BytesIO(out.getvalue()),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types=expected.schema, strings_can_be_null=False),
    )
    assert rejects.total == 0
    assert table["text"].to_pylist() == again["text"].to_pylist()
    assert table["note"].to_pylist() == again["note"].to_pylist()


@given(st.lists(st.sampled_from([b"a", b'"', b",", b"\n", b"\r", b"\xff", b"\0", b'"x, y",b\n', b'"a"b']), max_size=40))
def test_every_line_of_any_text_is_an_event_a_part_of_one_or_skipped(read, pieces: list[bytes]) -> None:
    rejects = Rejects(examples=1000)
    body = b"".join(pieces)
    try:
        table, _ = read("any.csv", b"text,label\n" + body, rejects)
    except InputError:
        origins = []
    else:
        origins = table["origin"].to_pylist()
    starts = {int(origin.rsplit(":", 1)[1]): "event" for origin in origins}
    for skipped in rejects.first:
        line = int(skipped.origin.rsplit(":", 1)[1])
        assert line not in starts
        starts[line] = skipped.reason
    # a line that starts nothing is blank, or continues a record of several lines that was read whole
    for number, line in enumerate(body.split(b"\n"), 2):
        if number not in starts and line.strip(b"\r"):
            before = max(start for start in starts if start < number)
            assert starts[before] in ("event", "empty text")


def test_origin_is_the_line_a_record_starts_in_and_blank_lines_are_none(read) -> None:
    table, rejects = read("a.csv", b'\ntext,label\r\n"two\nlines",x\n\nlast,y')
    assert [origin.rsplit(":", 1)[1] for origin in table["origin"].to_pylist()] == ["3", "6"]
    assert table["text"].to_pylist() == ["two\nlines", "last"]
    assert rejects.total == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"one", "wrong number of fields"),
        (b"one,two,three", "wrong number of fields"),
        (b",label", "empty text"),
        (b'"unclosed,label', "broken csv record: ',' expected after '\"'"),
        (b'"a"b,label', "broken csv record: ',' expected after '\"'"),
        (b"a\rb,label", "broken csv record: carriage return outside quotes"),
    ],
)
def test_a_broken_record_is_skipped_with_its_reason_and_nothing_else_is(read, line: bytes, reason: str) -> None:
    table, rejects = read("a.csv", b'text,label\nbefore,x\n%b\nafter,y\n"last",z\n' % line)
    assert table["text"].to_pylist() == ["before", "after", "last"]
    (skipped,) = rejects.first
    assert skipped.reason == reason
    assert skipped.origin.endswith("a.csv:3")
    assert skipped.raw == line.decode()


@pytest.mark.parametrize("after", [3, 3 * MOST_LINES])
def test_an_unclosed_quote_does_not_swallow_the_rest(read, after: int) -> None:
    table, rejects = read("a.csv", b'text,label\n"never closed,x\n' + b"good,y\n" * after)
    assert table.num_rows == after
    assert rejects.summary() == {"broken csv record: unclosed quote": 1}
    assert table["origin"][0].as_py().endswith(":3")


def test_a_record_of_many_lines_is_read(read) -> None:
    text = "\n".join(["line"] * MOST_LINES)
    table, _ = read("a.csv", written([("text", "label"), (text, "x"), ("more", "y")]))
    assert table["text"].to_pylist() == [text, "more"]


def test_a_hostile_file_is_not_read_over_and_over(read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line leaves a quote open, whether or not one was open before it."""
    again = 0
    given_back = _Feed._given_back

    def counted(feed: _Feed) -> Iterator[tuple[int, bytes]]:
        nonlocal again
        for line in given_back(feed):
            again += 1
            yield line

    monkeypatch.setattr(_Feed, "_given_back", counted)
    lines = 20_000
    with pytest.raises(InputError, match="no usable event: broken csv record"):
        read("a.csv", b"text,label\n" + b'a"b,"c\n' * lines)
    assert lines // 2 < again < 4 * lines


def test_a_record_that_is_too_long_is_skipped(read) -> None:
    table, rejects = read("a.csv", b"text,label\n" + b"x" * (LONGEST + 1) + b",y\nshort,z\n" + b"y" * 200_000 + b",z")
    assert [len(text) for text in table["text"].to_pylist()] == [5, 200_000]
    assert rejects.summary() == {"broken csv record: longer than 16 MiB": 1}
    assert len(rejects.first[0].raw) < 100_000


def test_raw_bytes_and_nul_are_kept(read) -> None:
    table, _ = read("a.csv", b"text\n\xff\xfe' or 1=1\na\0b\n")
    assert table["text"].to_pylist() == ["\\xff\\xfe' or 1=1", "a\0b"]


def test_columns_of_names_already_taken_are_kept(read) -> None:
    table, _ = read("a.csv", b"text,origin,label,label,text\na,b,c,d,e\n")
    assert table.column_names[len(SCHEMA) :] == ["source_origin", "source_label", "source_text"]
    assert table.to_pylist()[0] | {"origin": None} == {
        "text": "a", "label": "c", "family": "c", "time": None, "group": None, "origin": None, "overflow": False,
        "source_origin": "b", "source_label": "d", "source_text": "e",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b\n1,2\n", r"a\.csv:1: no text column: .*found 'a', 'b'"),
        (b"text\n", "no usable event: it holds no records"),
        (b'text\n""\n', r"no usable event: empty text \(1\)"),
        (b'"te"xt,b\n', r"a\.csv:1: expected a csv header"),
        (b"\n\n", "no usable event"),
    ],
)
def test_a_file_without_any_event_says_why(read, data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read("a.csv", data)


def test_named_columns(read) -> None:
    table, _ = read("a.csv", b"text,body,kind\nno,yes,sqli\n", columns=Columns(text="body", label="kind"))
    assert table.select(["text", "label", "family"]).to_pylist() == [{"text": "yes", "label": "sqli", "family": "sqli"}]
    assert table.column_names[len(SCHEMA) :] == ["source_text"]
    with pytest.raises(InputError, match=r"b\.csv:1: no column 'nope'; found 'text'"):
        read("b.csv", b"text\nx\n", columns=Columns(time="nope"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_that_comes_again_is_no_record(read, name: str, mark: str) -> None:
    cells = "," if name == "a.csv" else "\t"
    table, rejects = read(name, (f"text{cells}label\na{cells}x\n" * 2).replace("text", f"{mark}text").encode())
    assert table["text"].to_pylist() == ["a", "a"]
    assert (rejects.summary(), rejects.first[0].origin[-2:]) == ({"the header again": 1}, ":3")


def test_columns_stand_in_the_order_of_the_last_header(read) -> None:
    tables = b"text,label,note\na,x,1\n\nlabel,note,text\ny,2,b\nz,3,c\ntext,label,note\nd,w,4\n"
    table, rejects = read("a.csv", tables)
    assert table.select(["text", "label", "note"]).to_pylist() == [
        {"text": text, "label": label, "note": note}
        for text, label, note in (("a", "x", "1"), ("b", "y", "2"), ("c", "z", "3"), ("d", "w", "4"))
    ]
    assert rejects.summary() == {"the header again": 2}


@given(rows, st.sampled_from(";|"), st.booleans())
def test_semicolons_or_bars_divide_where_commas_do_not(
    read, rows: list[tuple[str, str, str]], delimiter: str, said: bool
) -> None:
    body = written([("note", "text", "label"), *((note, text, label) for text, label, note in rows)], delimiter)
    table, rejects = read("a.csv", f"sep={delimiter}\r\n".encode() * said + body)
    assert rejects.total == 0
    assert table["text"].to_pylist() == [text for text, _, _ in rows]
    assert table["note"].to_pylist() == [note for _, _, note in rows]
    assert table["origin"][0].as_py().endswith(f":{2 + said}")


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
@pytest.mark.parametrize("head", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', ""])
def test_such_a_table_is_told_by_its_first_lines(read, name: str, head: str) -> None:
    table, rejects = read(name, f"{head}time;message;label\n1;a, b;x\n2;'--;y\n".encode())
    assert (table["text"].to_pylist(), rejects.total) == (["a, b", "'--"], 0)
    table, _ = read("a.csv", f"{head}time;cmd;label\n1;a, b;x\n".encode(), columns=Columns(text="cmd"))
    assert table["text"].to_pylist() == ["a, b"]


def test_commas_divide_where_they_can(read) -> None:
    table, _ = read("a.csv", b"text,a;b\nx;y,z\n")
    assert table["text"].to_pylist() == ["x;y"]
    with pytest.raises(InputError, match="found 'a;b'"):
        read("a.csv", b"a;b\nx;y\n")


@pytest.mark.parametrize("head", [b'sep="\n', b"sep=\xe9\n", b"sep=a\n", b"sep=\n", b"\r;text\n"])
def test_odd_first_lines_are_no_crash(read, head: bytes) -> None:
    with pytest.raises(InputError):
        read("a.csv", head + b"message_;x\n1;2\n")


TITLED = [
    ("Report of the firewall\n\n", ",", 3, 1),
    ("Report,,\n,,\n", ",", 3, 2),
    ("# made by x\r\n# of 5; 6\r\n", ";", 3, 2),
    ("Report\tof the day\n\n\n", "\t", 4, 1),
]


@pytest.mark.parametrize(("titles", "delimiter", "line", "rejected"), TITLED)
def test_titles_above_the_header_are_counted(read, titles: str, delimiter: str, line: int, rejected: int) -> None:
    rows = delimiter.join(["time", "message", "label"]) + "\n" + delimiter.join(["1", "a' or 1=1", "x"]) + "\n"
    name = "a.tsv" if delimiter == "\t" else "a.csv"
    table, rejects = read(name, f"{titles}{rows}".encode())
    assert table.select(["text", "time", "label"]).to_pylist() == [{"text": "a' or 1=1", "time": "1", "label": "x"}]
    assert table["origin"].to_pylist()[0].rpartition(":")[2] == str(line + 1)
    assert rejects.summary() == {"a line above the header": rejected}
    table, _ = read(name, f"{titles}{rows}".replace("message", "what").encode(), columns=Columns(text="what"))
    assert table["text"].to_pylist() == ["a' or 1=1"]


@pytest.mark.parametrize(
    "rows",
    [
        "id,cmd,user\n7,message,bob\n8,x,y\n",
        "Payloads\ntext\na\n",
        "Report\nid,,text\n1,2,a\n",
        "x\n" * 30 + "a,text\n",
    ],
)
def test_a_row_is_no_header_below_titles(read, rows: str) -> None:
    """A table without a column of text may hold the name of one in a row, whose cells are no more than those above."""
    with pytest.raises(InputError, match="no text column"):
        read("a.csv", rows.encode())


@given(rows)
def test_rows_that_a_carriage_return_ends(read, rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r", quoting=csv.QUOTE_ALL).writerows([("text", "label", "note"), *rows])
    table, rejects = read("a.csv", out.getvalue().encode(), format="csv")
    assert rejects.total == 0
    assert table["text"].to_pylist() == [text for text, _, _ in rows]
    assert table["note"].to_pylist() == [note for _, _, note in rows]


def test_lines_that_carriage_returns_end_are_counted_as_lines(read) -> None:
    table, rejects = read("a.tsv", b"text\tlabel\rone\tx\r\rtwo\ty\rthree")
    assert table["origin"].to_pylist()[-1].endswith(":4")
    assert (table["text"].to_pylist(), rejects.summary()) == (["one", "two"], {"wrong number of fields": 1})
    for ending in ("\r\n", "\r\r\n"):
        table, rejects = read("a.csv", f"text,label{ending}a,x{ending}".encode())
        assert (table["text"].to_pylist(), rejects.total) == (["a"], 0)


# as the csv module writes it, and MySQL and Spark: only a quote or a backslash is escaped
plain_cell = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\t\0\\'), max_size=8).map(
    lambda text: text.replace("\n", " ").replace("\r", " ")
)


@given(st.lists(st.tuples(plain_cell.filter(bool), plain_cell), max_size=8))
def test_quotes_behind_backslashes_are_read_where_nothing_else_is_meant(read, rows: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    rows = [('say "x" or \\"y\\"', "b"), *rows]
    body = "".join(f"{quoted(text)},{quoted(note)}\n" for text, note in rows)
    table, rejects = read("a.csv", b"text,note\n" + body.encode(), format="csv")
    assert rejects.total == 0
    assert table.select(["text", "note"]).to_pylist() == [{"text": text, "note": note} for text, note in rows]


def test_backslashes_before_quotes_are_refused_where_others_double_them(read) -> None:
    rows = b'text,label\n"say \\"x\\" now",a\n"C:\\dir\\",b\n"a\\""b",c\n'
    table, rejects = read("a.csv", rows)
    assert table["text"].to_pylist() == ["C:\\dir\\", 'a\\"b']
    (reason,) = rejects.summary()
    assert reason.startswith("broken csv record: a quote behind a backslash") and '\\" in all' in reason
