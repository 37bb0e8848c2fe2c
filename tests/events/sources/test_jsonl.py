from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.sources import Columns, Rejects, json_columns, read_events
from overproof.events.sources.stream import LONGEST

value = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
record = st.dictionaries(st.sampled_from(["text", "payload", "label", "family", "group", "x", "origin"]), value)
line = (
    record.map(lambda record: json.dumps(record).encode())
    | st.binary(max_size=20).filter(lambda raw: b"\n" not in raw)
    | st.sampled_from([b"", b"  ", b"[1]", b"{", b'{"text":"\\ud800"}', b'{"text":"\xff"}', b'{"text":"\\\xff"}'])
)


@given(st.lists(line, max_size=12))
def test_every_line_that_is_not_blank_is_an_event_or_skipped(read, lines: list[bytes]) -> None:
    rejects = Rejects()
    try:
        events = read("any.jsonl", b"\n".join(lines), rejects, format="jsonl")[0].num_rows
    except InputError:
        events = 0
    data = b"\n".join(lines)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert events + rejects.total == sum(bool(line.strip()) for line in data.split(b"\n"))


ALIKE = [b'{"text":"a %d","label":"benign","n":%d}' % (i, i) for i in range(3)]
ODD = [
    b'{"text":"id=1 or 1=1","text":"a","label":"benign","n":1}',
    rb'{"te\u0078t":"id=2 or 1=1","text":"a","label":"benign","n":1}',
    rb'{"text":"a","label":"sqli","lab\u0065l":"benign","n":1}',
    b'{"text":"a","label":"sqli","label":"benign","n":1}',
    rb'{"te\u0078t":"alone","label":"benign","n":1}',
    rb'{"text":"\u00e9\u00e9\"","label":"benign","n":1}',
    b'{"text":"text","label":"label","n":1}',
    b'{"text":"","label":"benign","n":1}',
    b'{"text":null,"label":"benign","n":1}',
    b'{"text":3,"label":"benign","n":1}',
    b'{"text":{"a":1},"label":"benign","n":1}',
    b'{"n":1,"label":"benign","text":"in another order"}',
    b'{"payload":"another name","label":"benign"}',
    b'{"process":{"command_line":"id"},"event":{"category":["process"]},"message":"shipped","label":"benign"}',
    b'{"text":"a","label":"benign","n":NaN}',
    b'{"text":"\xff","label":"benign","n":1}',
    rb'{"text":"\ud800","label":"benign","n":1}',
    b'{"text":"cut',
    b'["text"]',
    b"",
]


@pytest.mark.parametrize("seed", range(30))
def test_a_line_among_others_is_what_it_is_alone(read, seed: int) -> None:
    """Lines are parsed and looked through many at once; a hundred that are alike must not carry an odd one along."""
    random = Random(seed)
    lines = random.choices(ALIKE, k=random.choice([3, 200, 600]))
    for _ in range(random.choice([1, 2, 40])):
        lines[random.randrange(len(lines))] = random.choice(ODD)

    def found(lines: list[bytes]) -> tuple[list[object], int]:
        rejects = Rejects()
        try:  # a file in which no line is an event is refused
            table, _ = read("a.jsonl", b"\n".join(lines), rejects, format="jsonl")
        except InputError:
            return [], rejects.total
        return table.select(["text", "label"]).to_pylist(), rejects.total

    alone = {line: found([line]) for line in {*lines} - {b""}} | {b"": ([], 0)}
    events = [event for line in lines for event in alone[line][0]]
    assert found(lines) == (events, sum(alone[line][1] for line in lines))


@given(
    st.lists(
        st.fixed_dictionaries({"text": st.text(min_size=1), "label": st.text(), "n": st.integers(-9, 9)}), min_size=1
    )
)
def test_what_json_writes_is_read_back(read, records: list[dict[str, object]]) -> None:
    """Lone surrogates too, which JSON can carry and UTF-8 cannot: they are written out."""
    data = "\n".join(json.dumps(record) for record in records).encode()
    table, rejects = read("a.jsonl", data)
    assert rejects.total == 0
    escaped = [{k: _escaped(v) if isinstance(v, str) else v for k, v in record.items()} for record in records]
    assert table["text"].to_pylist() == [record["text"] for record in escaped]
    assert table["label"].to_pylist() == [record["label"] or None for record in escaped]
    assert table["n"].to_pylist() == [record["n"] for record in records]


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'{"text":"a\ud800b"}', r"a\ud800b"),
        (rb'{"text":"\ud83d\ude00"}', "😀"),
        (rb'{"text":"\ude00\ud83d\ud83d\ude00"}', r"\ude00\ud83d😀"),
        (rb'{"text":"\\ud800\ud800"}', r"\ud800\ud800"),
        (b'{"text":"\xff\\n\xc3\xa9\\ud800"}', "\\xff\né\\ud800"),
        (b'{"text":"a\\u0000b"}', "a\0b"),
        (b'{"text":12}', "12"),
        (b'{"text":1.5}', "1.5"),
        (b'{"text":"n","x":NaN}', "n"),
        (b'{"text":123456789012345678901234567890}', None),
    ],
)
def test_odd_texts_are_judged_not_rejected(read, raw: bytes, text: str | None) -> None:
    table, rejects = read("a.jsonl", raw)
    assert rejects.total == 0
    assert text is None or table["text"].to_pylist() == [text]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "JSON does not parse"),
        (b'{"text":' + b"[" * 100_000, "JSON does not parse"),
        (b'["text"]', "JSON is not an object"),
        (b'{"label":"x"}', "no text column; name it with --text, as --text 'label'"),
        (b'{"text":null}', "text is null"),
        (b'{"text":{}}', "column 'text' holds an object, not text"),
        (b'{"text":[1]}', "column 'text' holds a list, not text"),
        (b'{"text":true,"x":1}', "column 'text' holds true or false, not text"),
        (
            b'{"request":{"uri":"/?id=1","n":1},"ts":"2026"}',
            "column 'request' holds an object, not text; name it with --text, as --text 'request.uri'",
        ),
        (b'{"text":""}', "empty text"),
        (b'{"text":"' + b"x" * LONGEST + b'"}', "longer than 16 MiB"),
    ],
)
def test_a_broken_record_is_skipped_with_its_reason(read, raw: bytes, reason: str) -> None:
    table, rejects = read("a.jsonl", b'\n{"text":"before"}\n%b\r\n{"text":"after"}' % raw)
    assert table["text"].to_pylist() == ["before", "after"]
    (skipped,) = rejects.first
    assert (skipped.reason, skipped.origin.rsplit("/", 1)[1]) == (reason, "a.jsonl:3")
    assert raw.decode().startswith(skipped.raw.removesuffix("\r"))


def test_every_record_finds_its_own_columns(read) -> None:
    data = b'{"text":"a"}\n{"payload":"b","class":1}\n{"text":"c","label":"x","attack":["y"]}'
    table, _ = read("a.jsonl", data)
    assert table.select(["text", "label", "family"]).to_pylist() == [
        {"text": "a", "label": None, "family": None},
        {"text": "b", "label": "1", "family": "1"},
        {"text": "c", "label": "x", "family": '["y"]'},
    ]


def test_further_keys_keep_their_type_where_they_have_one(read) -> None:
    data = b"\n".join(
        [
            b'{"text":"a","i":1,"f":1,"s":"x","mixed":1,"deep":{"k":[1]},"b":true,"huge":1,"origin":"o"}',
            b'{"text":"b","i":2,"f":0.5,"mixed":"y","huge":123456789012345678901234567890}',
        ]
    )
    table, _ = read("a.jsonl", data)
    found = {name: table[name].to_pylist() for name in table.column_names[len(SCHEMA) :]}
    assert {name: found[name] for name in ("i", "f", "s", "mixed", "deep", "b", "source_origin")} == {
        "i": [1, 2],
        "f": [1.0, 0.5],
        "s": ["x", None],
        "mixed": ["1", "y"],
        "deep": ['{"k": [1]}', None],
        "b": [True, None],
        "source_origin": ["o", None],
    }


def test_the_text_is_the_first_usual_name_that_holds_text(read) -> None:
    lines = [
        {"event": {"kind": "event", "original": "raw"}, "message": "line", "@timestamp": "2026-01-05T07:00:00Z"},
        {"event": {"kind": "event", "original": "raw"}},
        {"event": {"kind": "event"}, "log": {"original": "logged"}},
        {"event.original": "flat"},
        {"request": ["no text"], "process": {"command_line": "ls -l"}},
        {"event": "text itself", "message": "line"},
    ]
    table, rejects = read("a.json", b"\n".join(json.dumps(line).encode() for line in lines))
    assert rejects.total == 0
    assert table["text"].to_pylist() == ["line", "raw", "logged", "flat", "ls -l", "text itself"]
    assert table["time"].to_pylist()[:2] == ["2026-01-05T07:00:00Z", None]


def test_columns_inside_columns_can_be_named(read) -> None:
    lines = [
        {"a": {"b.c": {"d": "one"}, "label": "x"}, "text": "no"},
        {"a.b": {"c.d": "two"}, "a": {"label": 2}, "text": "no"},
        {"a.b.c.d": "three", "a": {"b": {"c": {"d": "no"}}}, "text": "no"},
        {"a": {"b": {"c": {"d": ["no text"]}}}, "text": "no"},
        {"a": {"b": {"c": {"d": None}}}, "text": "no"},
        {"a": {"b": "no object"}, "text": "no"},
    ]
    data = b"\n".join(json.dumps(line).encode() for line in lines)
    table, rejects = read("a.json", data, columns=Columns(text="a.b.c.d", label="a.label"))
    assert table["text"].to_pylist() == ["one", "two", "three"]
    assert table["label"].to_pylist() == table["family"].to_pylist() == ["x", "2", None]
    hint = "; name it with --text, as --text 'text'"
    assert rejects.summary() == {
        f"column 'a.b.c.d' holds a list, not text{hint}": 1, "text is null": 1, f"no text column{hint}": 1,
    }  # fmt: skip
    with pytest.raises(InputError, match=r"a\.json:1: no column 'a\.b\.x'; found 'a\.b\.c\.d', 'a\.label', 'text'$"):
        read("a.json", data, columns=Columns(text="text", label="a.b.x"))


def test_what_journald_writes_as_bytes_is_text(read) -> None:
    data = [{"MESSAGE": [97, 255, 98]}, {"MESSAGE": ["a", [98], None]}, {"MESSAGE": None}, {"MESSAGE": [256]}]
    table, rejects = read(
        "a.json", b"\n".join(json.dumps(line).encode() for line in data), columns=Columns(text="MESSAGE")
    )
    assert table["text"].to_pylist() == ["a\\xffb", "a\nb"]
    assert rejects.summary() == {"text is null": 1, "column 'MESSAGE' holds a list, not text": 1}


def test_a_named_column_that_no_record_has(read) -> None:
    table, _ = read("a.jsonl", b'{"text":"a"}\n{"text":"b","kind":"x"}', columns=Columns(label="kind"))
    assert table["label"].to_pylist() == [None, "x"]
    with pytest.raises(InputError, match=r"a\.jsonl:1: no column 'nope'; found 'text'"):
        read("a.jsonl", b'{"text":"a"}', columns=Columns(label="nope"))


NEW_KEYS = """
import resource, sys
from overproof.events.sources import Rejects, read_events
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(batch.num_rows for batch in read_events([sys.argv[1]], on_skip=Rejects()))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_ever_new_keys_take_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    records = [{"text": f"event {i}", **{f"k{i}_{j}": j for j in range(30)}} for i in range(2048)]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    done = subprocess.run([sys.executable, "-c", NEW_KEYS, str(file)], capture_output=True, text=True, check=True)
    rows, added = map(int, done.stdout.split())
    assert rows == 2048
    assert added < 500, f"{added} MiB for {file.stat().st_size} bytes"  # it was more than 1,500


def test_columns_are_the_same_however_few_records_are_one_batch(
    read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"text": f"event {i}", f"k{i % 7}": i, "n": i, **({"time": "t"} if i % 3 else {})} for i in range(50)]
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    expected, _ = read("a.jsonl", data)
    for cells in (1, 20, 100):
        monkeypatch.setattr(json_columns, "CELLS", cells)
        batches = list(read_events([folder / "a.jsonl"], on_skip=Rejects()))
        assert len(batches) > 1
        rows = [{k: v for k, v in row.items() if v is not None} for batch in batches for row in batch.to_pylist()]
        assert rows == [{k: v for k, v in row.items() if v is not None} for row in expected.to_pylist()]


def test_a_record_of_too_many_keys_keeps_them_as_one(read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_columns, "MOST_COLUMNS", 3)
    records = [{"text": "a", "n": 1}, {"text": "b", "k": 1, "l": "\ud800", "m": [None]}, {"text": "c", "n": 2}]
    table, rejects = read("a.jsonl", "".join(json.dumps(record) + "\n" for record in records).encode())
    assert (table["text"].to_pylist(), rejects.total) == (["a", "b", "c"], 0)
    assert table["n"].to_pylist() == [1, None, 2]
    further = table["further"].to_pylist()
    assert (further[0], further[2]) == (None, None)
    assert json.loads(further[1]) == {"k": 1, "l": "\\ud800", "m": [None]}


@pytest.mark.parametrize("line", [b'{"text":"one","x":{"text":"in"},"text":"two"}', b'{"text":"one", "text" : "two"}'])
def test_a_text_that_comes_twice_is_both(read, line: bytes) -> None:
    table, rejects = read("a.jsonl", b'{"text":"a"}\n' + line)
    assert (table["text"].to_pylist(), rejects.total) == (["a", "one\ntwo"], 0)
    request = line.replace(b"text", b"request")
    assert read("a.jsonl", request + b"\n" + request)[0]["text"].to_pylist() == ["one\ntwo"] * 2


@pytest.mark.parametrize("again", [r"te\u0078t", r"\u0074ext", "text"])
def test_a_text_that_comes_twice_in_two_spellings_is_both(read, again: str) -> None:
    lines = ['{"text": "usual", "n": 1}', f'{{"text": "attack", "{again}": "shown", "n": 1}}']
    table, _ = read("a.jsonl", "\n".join(lines).encode())
    assert table["text"].to_pylist() == ["usual", "attack\nshown"]


@pytest.mark.parametrize("name", ["t\u00ebxt", "te\u00a0xt", "te\U0001f600"], ids=["umlaut", "space", "emoji"])
def test_a_named_text_of_other_letters_that_comes_twice_is_both(read, name: str) -> None:
    raw, escaped = json.dumps(name, ensure_ascii=False), json.dumps(name)
    lines = [f'{{{raw}: "usual"}}', f'{{{raw}: "attack", {escaped}: "shown"}}']
    table, _ = read("a.jsonl", "\n".join(lines).encode("utf-8", "surrogatepass"), columns=Columns(text=name))
    assert table["text"].to_pylist() == ["usual", "attack\nshown"]


@pytest.mark.parametrize("column", ["label", "family"])
@pytest.mark.parametrize("escaped", [False, True], ids=["as it is", "escaped"])
def test_a_label_that_stands_twice_is_none(read, column: str, escaped: bool) -> None:
    other = rf"\u00{ord(column[0]):x}{column[1:]}" if escaped else column
    lines = [f'{{"text": "a", "{column}": "x"}}'] * 2 + [f'{{"text": "b", "{column}": "attack", "{other}": "benign"}}']
    table, rejects = read("a.jsonl", "\n".join(lines).encode())
    assert table["text"].to_pylist() == ["a", "a"]
    assert rejects.summary() == {f"column '{column}' stands twice, with different values": 1}


def test_a_label_that_stands_twice_with_one_value_has_it(read) -> None:
    table, rejects = read("a.jsonl", b'{"text":"a","label":"x"}\n{"text":"b","label":"x","label":"x"}')
    assert (table["label"].to_pylist(), rejects.total) == (["x", "x"], 0)


def test_a_text_in_an_object_that_stands_twice_is_both(read) -> None:
    table, _ = read("a.jsonl", b'{"event":{"original":"attack"},"event":{"original":"shown"}}')
    assert table["text"].to_pylist() == ["attack\nshown"]


def test_escapes_in_values_are_no_second_text(read) -> None:
    lines = [r'{"text": "usual", "n": 1}', r'{"text": "a \u003c \" \u0022text\u0022: b", "n": 1}']
    table, _ = read("a.jsonl", "\n".join(lines).encode())
    assert table["text"].to_pylist() == ["usual", 'a < " "text": b']


def test_a_text_whose_words_are_its_columns_name_stays_as_it_is(read) -> None:
    table, _ = read("a.jsonl", b'{"text":"a \\"text\\" b","keys":["text","text"]}')
    assert table["text"].to_pylist() == ['a "text" b']


def test_files_with_a_byte_order_mark_behind_each_other(read) -> None:
    table, rejects = read("a.jsonl", '\ufeff{"text":"a"}\n\ufeff{"text":"b"}\n'.encode())
    assert (table["text"].to_pylist(), rejects.total) == (["a", "b"], 0)


def test_records_that_differ_in_whether_a_name_is_dotted_or_nested_are_read_together(read) -> None:
    """Their keys and those inside are the same names; the column that one of them lacks is null there."""
    data = (
        b'{"event": {"a": 1}, "event.original": "one", "log": {"b": 1}, "log.original": "y"}\n'
        b'{"event": {"a": 1}, "event.original": "two", "log": {"original": "y"}}\n'
    )
    table, rejects = read("a.jsonl", data)
    assert (table["text"].to_pylist(), rejects.total) == (["one", "two"], 0)
    assert table["log.original"].to_pylist() == ["y", None]


def test_escapes_in_a_long_text_are_looked_through_once(read) -> None:
    """Each quote in it could begin a key: a megabyte of them would take hours."""
    text = '\\"' * 500_000 + "\\u0041"
    table, _ = read("a.jsonl", ('{"text": "x"}\n{"text": "' + text + '"}\n').encode())
    assert table["text"].to_pylist() == ["x", '"' * 500_000 + "A"]
