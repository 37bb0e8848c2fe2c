from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.scores import softmax
from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.distillation.teachers.softlabels import load_file
from overproof.errors import InputError
from overproof.events.schema import event_table

EVENTS = event_table({"text": ['b,\n"x"', "a"], "origin": ["e:2", "e:3"]})
ROWS = [{"text": "a", "p_benign": 0.9, "p_sqli": 0.1}, {"text": 'b,\n"x"', "p_benign": 0.25, "p_sqli": 0.75}]
EXPECTED = [[0.25, 0.75], [0.9, 0.1]]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    if ".parquet" in path.name:
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if ".jsonl" in path.name:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        quoted = [['"' + str(v).replace('"', '""') + '"' for v in row.values()] for row in rows]
        text = "\n".join(",".join(cells) for cells in [list(rows[0]), *quoted]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.jsonl", "s.jsonl.gz", "s.parquet"])
@pytest.mark.parametrize("form", ["{}", "labels:{}"])
def test_joined_by_text(name: str, form: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, [{**row, "other": "x"} for row in ROWS])
    teacher = load_teacher([form.format(path)], classes=["benign"])
    reported: list[int] = []
    logits = teacher.logits(EVENTS, reported.append)
    assert teacher.classes == ("benign", "sqli")
    assert logits.dtype == np.float32
    assert np.allclose(np.exp(logits), EXPECTED, atol=1e-6)
    assert reported == [2]
    assert not teacher.labels_new_events
    assert (teacher.card.parameters, teacher.card.bytes) == (None, None)


def test_texts_that_are_not_utf8_join_with_the_events_read_from_them(tmp_path: Path) -> None:
    from overproof.events.sources import load_events

    (tmp_path / "events.csv").write_bytes(b"text,label\n\xff\xfe/etc,sqli\nhello,benign\n")
    (tmp_path / "soft.csv").write_bytes(b"\xef\xbb\xbftext,benign,sqli\n\xff\xfe/etc,0.1,0.9\nhello,1,0\n")
    events = load_events([tmp_path / "events.csv"])
    logits = load_teacher([str(tmp_path / "soft.csv")]).logits(events)
    assert np.allclose(np.exp(logits), [[0.1, 0.9], [1, 0]], atol=1e-6)


def test_joined_by_row_without_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", [{"benign": p, "sqli": q} for p, q in EXPECTED])
    assert np.allclose(np.exp(load_teacher([str(path)]).logits(EVENTS)), EXPECTED, atol=1e-6)
    with pytest.raises(InputError, match="2 rows for 1 events"):
        load_teacher([str(path)]).logits(EVENTS.slice(0, 1))


def test_events_without_a_soft_label_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ROWS)
    events = event_table({"text": ["a", "new", "newer"], "origin": ["e:2", "e:3", "e:4"]})
    with pytest.raises(InputError, match="2 of 3 events have no soft label there, the first is e:3"):
        load_teacher([str(path)]).logits(events)


def test_sums_near_one_are_made_one_and_others_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [{"text": "a", "x": 0.33, "y": 0.33, "z": 0.33}])
    logits = load_teacher([str(path)]).logits(event_table({"text": ["a"]}))
    assert np.allclose(np.exp(logits), 1 / 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"p_benign": 0.9, "p_sqli": 0.3}, "no distribution"),
        ({"p_benign": 1.1, "p_sqli": -0.1}, "no distribution"),
        ({"p_benign": "nan", "p_sqli": 1}, "finite number"),
        ({"p_benign": "", "p_sqli": 1}, "finite number"),
        ({"p_benign": "much", "p_sqli": 1}, "p_benign is 'much'"),
    ],
)
@pytest.mark.parametrize("name", ["s.csv", "s.jsonl"])
def test_rows_that_are_no_distribution_are_named(
    name: str, row: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, [ROWS[0], {"text": "c", **row}])
    with pytest.raises(InputError, match=message) as raised:
        load_teacher([str(path)])
    assert str(raised.value).startswith(f"{path}:{3 if name == 's.csv' else 2}: ")


def test_logits_only_if_said_so(tmp_path: Path) -> None:
    path = write(tmp_path / "z.csv", [{"text": "a", "z_benign": 3.5, "z_sqli": -2}])
    events = event_table({"text": ["a"]})
    for spec in (f"logits:{path}", f"logits:labels:{path}"):
        teacher = load_teacher([spec])
        assert teacher.classes == ("benign", "sqli")
        assert teacher.logits(events).tolist() == [[3.5, -2]]
    with pytest.raises(InputError, match="logits:"):
        load_teacher([str(path)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("text,p_a,p_b\n", "no rows"),
        ("text,p_a\nx,1\n", "two or more"),
        ("text,p_a,p_a\nx,1,0\n", ":1: a column name stands twice"),
        ("text,p_a,p_b\nx,1\n", ":2: 2 fields, expected 3"),
        ('text,p_a,p_b\n"x,1,0\n', ":2: broken csv record"),
        ("text,p_a,p_b\nx,1,0\ny,0,1\nx,0,1\n", ":4: another soft label for the text of .*:2"),
        ("text,a,b,source\nx,1,0,web\n", "column source is 'web', .* begin the names .* with p_"),
    ],
)
def test_broken_tables(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        load_teacher([str(tmp_path / "s.csv")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":1: not JSON"),
        ("\n[1]", ":2: expected a JSON object"),
        ('{"text": 1, "a": 1, "b": 0}', ":1: column text"),
    ],
)
def test_broken_json_lines(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        load_teacher([str(tmp_path / "s.jsonl")])


@given(data=st.binary(max_size=200), kind=st.sampled_from(["csv", "jsonl", "parquet", "csv.gz", "jsonl.zst"]))
def test_arbitrary_bytes_never_give_a_traceback(data: bytes, kind: str, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"s.{kind}"
    path.write_bytes(data)
    with pytest.raises(InputError):
        load_file(path)


def test_columns_of_the_events(tmp_path: Path) -> None:
    events = event_table({"text": ["a", "b"], "p_benign": ["0.25", "0.9"], "p_sqli": ["0.75", "0.1"], "other": [1, 2]})
    teacher = load_teacher(["columns:p_"], classes=["benign", "sqli"], columns=events.column_names)
    assert teacher.classes == ("benign", "sqli")
    assert np.allclose(np.exp(cached_logits(teacher, events, tmp_path)), EXPECTED, atol=1e-6)
    assert not list(tmp_path.iterdir())  # the texts do not tell these labels, so they are never cached


def test_columns_may_be_logits() -> None:
    events = event_table({"text": ["a"], "z_a": [2.0], "z_b": [-3.0]})
    teacher = load_teacher(["logits:columns:z_"], columns=events.column_names)
    assert np.allclose(softmax(teacher.logits(events)), softmax(np.array([[2.0, -3.0]], dtype=np.float32)))


def test_broken_columns() -> None:
    events = event_table({"text": ["a", "b"], "p_a": [1.0, None], "p_b": [0.0, 1.0]})
    with pytest.raises(InputError, match="event:2: column p_a is None"):
        load_teacher(["columns:p_"], columns=events.column_names).logits(events)
    with pytest.raises(InputError, match="no column p_a"):
        load_teacher(["columns:p_"], columns=events.column_names).logits(events.drop_columns(["p_a"]))
    with pytest.raises(InputError, match="two or more columns"):
        load_teacher(["columns:q_"], columns=events.column_names)


@pytest.mark.parametrize(("value", "refused"), [("1e39", True), ("-1e39", True), ("1e30", False)])
def test_a_logit_that_float32_cannot_hold_is_refused(tmp_path: Path, value: str, refused: bool) -> None:
    """It became infinite, and the loss of its row no number."""
    path = tmp_path / "soft.csv"
    path.write_text(f"text,z_benign,z_malicious\na,{value},0\n")
    events = event_table({"text": ["a"], "origin": ["a:1"]})
    expected = pytest.raises(InputError, match=r"soft\.csv:2: column z_benign is .*, too large for a logit")
    with expected if refused else contextlib.nullcontext():
        assert np.isfinite(load_teacher([f"logits:{path}"]).logits(events)).all()


TWICE = '{"text": "b", "p_benign": 0.5, "p_sqli": 0.5'


@pytest.mark.parametrize(
    ("second", "name"),
    [
        (TWICE + ', "p_benign": 0.9, "p_sqli": 0.1}', "p_benign"),
        (TWICE + r', "p_\u0062enign": 0.5}', "p_benign"),
        (TWICE + ', "text": "c"}', "text"),
        (TWICE + ', "of": {"a": 1, "a": 2}}', "a"),
    ],
)
def test_a_name_twice_in_a_line_is_refused(second: str, name: str, tmp_path: Path) -> None:
    """The last of them counted, without a word."""
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + second + "\n")
    with pytest.raises(InputError, match=rf"s\.jsonl:2: the name '{name}' stands twice in an object"):
        load_teacher([str(path)])


def test_a_name_twice_in_a_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    columns = [["a"], [0.5], [0.5], [0.9]]
    table = pa.table([pa.array(column) for column in columns], names=["text", "p_benign", "p_sqli", "p_benign"])
    pq.write_table(table, tmp_path / "s.parquet")
    with pytest.raises(InputError, match=r"^\S+s\.parquet: a column name stands twice: .*p_benign$"):
        load_teacher([str(tmp_path / "s.parquet")])


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_class_that_some_lines_lack_is_refused(at: int, value: float, tmp_path: Path) -> None:
    """One that came after the first line was left out."""
    rows: list[dict[str, object]] = [dict(row) for row in ROWS]
    rows[at] = {**rows[at], "p_xss": value}
    path = write(tmp_path / "s.jsonl", rows)
    with pytest.raises(InputError, match=rf"s\.jsonl:{2 - at}: has no column p_xss, which other rows have"):
        load_teacher([str(path)])


def test_a_text_that_comes_later_is_not_overlooked(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [{"p_benign": 0.5, "p_sqli": 0.5}, ROWS[1]])
    with pytest.raises(InputError, match=r"s\.jsonl:1: column text is None, expected a string"):
        load_teacher([str(path)])


@pytest.mark.parametrize("name", ["P_xss", " p_xss", "p-xss"])
def test_a_column_that_nearly_is_of_a_class_is_refused(name: str, tmp_path: Path) -> None:
    """It was left out, as columns of other uses are."""
    path = write(tmp_path / "s.csv", [{**row, name: 0} for row in ROWS])
    with pytest.raises(InputError, match=rf"column '{name}' nearly begins with p_, as 'p_benign', 'p_sqli' do"):
        load_teacher([str(path)])
    with pytest.raises(InputError, match=rf"columns:p_: column '{name}' nearly begins with p_"):
        load_teacher(["columns:p_"], columns=["text", "p_benign", "p_sqli", name])


def test_lines_that_are_not_utf8_join_with_the_events_read_from_them(tmp_path: Path) -> None:
    from overproof.events.sources import load_events

    (tmp_path / "s.jsonl").write_bytes(
        b'{"text": "\xff/etc", "label": "sqli", "p_benign": 0.1, "p_sqli": 0.9}\n'
        b'{"text": "\\ud800", "label": "benign", "p_benign": 1, "p_sqli": 0}\n'
    )
    events = load_events([tmp_path / "s.jsonl"])
    logits = load_teacher([str(tmp_path / "s.jsonl")]).logits(events)
    assert np.allclose(np.exp(logits), [[0.1, 0.9], [1, 0]], atol=1e-6)
