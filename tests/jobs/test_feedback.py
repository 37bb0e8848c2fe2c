"""What analysts corrected: judged, parted cleanly and for ever, learned from with a weight."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.scores import Floats
from overproof.cli import app
from overproof.distillation.dataset import as_examples, corrected
from overproof.distillation.rare_families import repeats_of
from overproof.distillation.teachers import TeacherCard
from overproof.distillation.training_set import Rows, joined
from overproof.errors import InputError
from overproof.events.feedback import WEIGHT, weighed
from overproof.events.feedback.given import read_feedback
from overproof.events.feedback.sides import to_check
from overproof.events.schema import event_table
from overproof.events.sources import Rejects
from overproof.jobs.config import DataConfig
from overproof.jobs.feedback import Given, Parting, feedback


def verdict(origin: str, text: str, label: str = "attack") -> dict[str, Any]:
    student = {"probabilities": {"attack": 0.9, "benign": 0.1}}
    return {"origin": origin, "text": text, "label": label, "time": None, "student": student}


def jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


VERDICTS = [verdict(f"log:{i}", f"customer {'abcdefghij'[i % 10] * (i + 1)}") for i in range(40)]


def corrections(tmp_path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> tuple[Given, Path]:
    verdicts = jsonl(tmp_path / "verdicts.jsonl", [*VERDICTS, verdict("log:7", "another of that origin")])
    out = tmp_path / "feedback"
    return feedback(verdicts, jsonl(tmp_path / "corrected.jsonl", rows), out=out, **options), out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_corrections_become_events_on_two_sides(tmp_path: Path) -> None:
    rows = [{"origin": f"log:{i}", "label": "benign", "who": "J. Doe", "note": "a name"} for i in range(40) if i != 7]
    given, out = corrections(tmp_path, rows)
    train, check = lines(out / "train.jsonl"), lines(out / "check.jsonl")
    assert (len(train), len(check)) == (given.train["benign"], given.check["benign"])
    assert given.changed == len(train) + len(check) == 39 and train and check
    assert {row["text"] for row in [*train, *check]} == {v["text"] for v in VERDICTS if v["origin"] != "log:7"}
    assert {(row["label"], row["labelled_by"], row["verdict"], row["who"]) for row in train} == {
        ("benign", "analyst", "attack", "J. Doe")
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"origin": "log:1", "label": "harmless"}, "label 'harmless': expected one of attack, benign"),
        ({"origin": "log:1"}, "no label"),
        ({"label": "benign"}, "neither origin nor text"),
        ({"origin": "log:99", "label": "benign"}, "no event of the verdicts"),
        ({"text": "never judged", "label": "benign"}, "no event of the verdicts"),
        ({"origin": "log:1", "text": "of another", "label": "benign"}, "the text is not that of the origin's event"),
        ({"origin": "log:7", "label": "benign"}, "the origin is that of several events, expected their text with it"),
    ],
    ids=["label", "no label", "nothing", "origin", "text", "both", "several"],
)
def test_a_correction_that_cannot_be_used_is_kept_with_its_reason(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    rejects = tmp_path / "rejects.jsonl"
    given, _ = corrections(tmp_path, [row, {"origin": "log:2", "label": "benign"}], rejects=rejects)
    assert given.rejected == {reason: 1} and reason in given.render()
    (kept,) = lines(rejects)
    assert (kept["reason"], kept["origin"], json.loads(kept["raw"])) == (reason, f"{tmp_path}/corrected.jsonl:1", row)


def test_what_contradicts_itself_is_not_used_and_what_is_said_twice_counts_once(tmp_path: Path) -> None:
    rows = [
        {"origin": "log:1", "label": "benign"},
        {"text": VERDICTS[1]["text"], "label": "attack"},
        {"origin": "log:2", "label": "benign"},
        {"origin": "log:2", "label": "benign", "note": "again"},
    ]
    given, _ = corrections(tmp_path, rows)
    assert given.rejected == {"another correction of the event has another label": 2}
    assert (given.again, sum(given.train.values()) + sum(given.check.values())) == (1, 1)


def test_a_csv_does_as_well(tmp_path: Path) -> None:
    verdicts = jsonl(tmp_path / "verdicts.jsonl", VERDICTS)
    table = tmp_path / "corrected.csv"
    table.write_text(f'origin,label,note\nlog:3,benign,"two\nlines"\nlog:4,{"x" * 9},\n')
    done = CliRunner().invoke(app, ["feedback", str(verdicts), str(table), "--out", str(tmp_path / "f"), "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["changed"], sum(found["rejected"].values())) == (0, 1, 1)


def test_whatever_was_judged_can_be_corrected(tmp_path: Path) -> None:
    odd = verdict("log:1", "\ud800 and \x00")  # which JSON can carry, and UTF-8 cannot
    verdicts = gzip.compress(f"{json.dumps(odd)}\n\n".encode())
    (tmp_path / "v.jsonl.gz").write_bytes(verdicts)
    table = jsonl(tmp_path / "c.jsonl", [{"origin": "log:1", "label": "benign"}])
    feedback(tmp_path / "v.jsonl.gz", table, out=tmp_path / "f", parting=Parting(0.0))
    assert [row["text"] for row in lines(tmp_path / "f" / "train.jsonl")] == ["\\ud800 and \x00"]


def test_both_tables_are_written_or_none(tmp_path: Path) -> None:
    rows = [{"origin": f"log:{i}", "label": "benign"} for i in range(6)]
    _, out = corrections(tmp_path, rows)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "check.jsonl").unlink()
    (out / "check.jsonl").mkdir()  # where no file can be written
    with pytest.raises(OSError):
        corrections(tmp_path, rows[:2])
    assert (out / "train.jsonl").read_bytes() == before["train.jsonl"]


@pytest.mark.parametrize(
    ("verdicts", "corrected", "message"),
    [
        ([{"origin": "a", "student": {}}], "origin,label\na,benign\n", "expected `overproof triage --with-text`"),
        ([{"finding": 1}], "origin,label\na,benign\n", "no verdict, expected JSON lines of"),
        ([], "origin,label\na,benign\n", "holds no verdicts"),
        (VERDICTS, "where,what\na,benign\n", "expected a header with label, and with origin or text"),
        (VERDICTS, "origin,label\nlog:99,benign\n", "no correction of these verdicts can be used"),
    ],
    ids=["no text", "another form", "empty", "other columns", "none usable"],
)
def test_what_is_none_is_refused(tmp_path: Path, verdicts: list[Any], corrected: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(corrected)
    words = [
        "feedback",
        str(jsonl(tmp_path / "v.jsonl", verdicts)),
        str(tmp_path / "c.csv"),
        "--out",
        str(tmp_path / "f"),
    ]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1) and message in done.stderr


def test_near_duplicates_are_on_one_side_and_every_event_stays_on_its_side() -> None:
    texts = [f"Customer {'x' * i} 17" for i in range(200)]
    before = [to_check(text, 0.3, 0) for text in texts]
    assert before == [to_check(text.lower().replace("17", "93"), 0.3, 0) for text in texts]
    assert 30 < sum(before) < 90
    assert all(to_check(text, 0.6, 0) for text, there in zip(texts, before, strict=True) if there)
    assert before != [to_check(text, 0.3, 1) for text in texts]


def given_folder(folder: Path, train: list[tuple[str, str]], check: list[tuple[str, str]]) -> Path:
    folder.mkdir()
    for name, rows in (("train", train), ("check", check)):
        jsonl(folder / f"{name}.jsonl", [{"text": text, "label": label} for text, label in rows])
    return folder


def test_nothing_that_nearly_is_a_corrected_event_is_left_on_the_other_side(tmp_path: Path) -> None:
    folder = given_folder(tmp_path / "f", [("order 17", "benign")], [("bill 4", "benign")])
    given, said = read_feedback([f"{folder}@5"], Rejects()), list[str]()
    events = event_table({"text": ["ORDER 99", "bill 5", "else"], "label": ["attack", "attack", "benign"]})
    assert given.train is not None and given.train[WEIGHT].to_pylist() == [5.0]
    learned = given.apart(events, said.append, learned_from=True)
    measured = given.apart(events, said.append, learned_from=False)
    assert learned is not None and learned["text"].to_pylist() == ["else"]
    assert measured is not None and measured["text"].to_pylist() == ["bill 5", "else"]
    assert [line.split(" events ")[0] for line in said] == ["feedback: 2", "feedback: 1"]


def test_a_later_round_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    one = given_folder(tmp_path / "1", [("order", "benign"), ("other", "benign")], [])
    two = given_folder(tmp_path / "2", [("order", "attack")], [])
    train = read_feedback([str(one), str(two)], Rejects()).train
    assert train is not None
    assert dict(zip(train["text"].to_pylist(), train["label"].to_pylist(), strict=True)) == {
        "order": "attack",
        "other": "benign",
    }


def test_folders_that_part_differently_are_refused(tmp_path: Path) -> None:
    one = given_folder(tmp_path / "1", [("order 1", "benign")], [])
    two = given_folder(tmp_path / "2", [], [("order 2", "benign")])
    with pytest.raises(InputError, match="expected the same --seed and --check-share for all of them"):
        read_feedback([str(one), str(two)], Rejects())
    with pytest.raises(InputError, match=r"has no train\.jsonl, expected a folder that `overproof feedback` wrote"):
        read_feedback([str(tmp_path)], Rejects())


def test_an_analysts_label_stands_in_for_a_teacher_that_contradicts_it_and_is_shown_by_its_weight() -> None:
    events = event_table({"text": ["a", "b", "c"], "label": ["benign", "benign", "attack"], WEIGHT: [None, 4.0, 4.0]})
    soft = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2]], dtype=np.float32))
    found = corrected(soft, events, ("attack", "benign"))
    assert np.exp(found).round(2).tolist() == pytest.approx(np.array([[0.9, 0.1], [0.01, 0.99], [0.8, 0.2]]))
    examples = as_examples(events, found, ("attack", "benign"))
    plain = as_examples(events.drop_columns([WEIGHT]), soft, ("attack", "benign"))
    assert joined([plain, examples]).every_weight.tolist() == [1, 1, 1, 1, 4, 4]
    rows = Rows([np.zeros(1, dtype=np.int64)] * 3, examples.targets, weights=examples.weights)
    assert repeats_of(rows).tolist() == [1.0, 4.0, 4.0]


@pytest.mark.parametrize("weight", ["0", "-1", "1001", "nan"])
def test_a_weight_that_is_none_is_refused(weight: str) -> None:
    with pytest.raises(InputError, match="expected a weight above 0, 1000 at most"):
        DataConfig(("a.csv",), feedback=(f"folder@{weight}",))


def test_a_folder_may_have_the_sign_of_a_weight_in_its_name() -> None:
    assert [weighed(spec) for spec in ("a@b", "a@b@2.5", "a")] == [
        (Path("a@b"), 1.0),
        (Path("a@b"), 2.5),
        (Path("a"), 1.0),
    ]


class CountsQuotes:
    """A teacher that takes whoever has an apostrophe in the name for an attack."""

    classes = ("attack", "benign")
    labels_new_events = True
    card = TeacherCard("test", "counts quotes", None, None, "python", "counts quotes")

    def logits(self, events: pa.Table, report: Any = None) -> Floats:
        quotes = np.array([2 * text.count("'") for text in events["text"].to_pylist()], dtype=np.float32)
        return np.stack([quotes - 1, 1 - quotes], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("student", "epochs"), [("ngram-student", None), ("tiny-student", 12)])
def test_feedback_changes_wrong_verdicts_and_its_weight_matters(
    student: str, epochs: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.2)
    texts = [f"page {i * 7919} of {i * 104729}" + " or ''='" * (i % 2) for i in range(300)]
    parts = ("orders", "writes", "asks", "pays")
    # The events have the teacher's mistake too: customers of other names, called attacks.
    mistaken = [
        f"customer o'{chr(97 + i)}{chr(97 + j)}ley {part}" for i in range(6) for j in range(4) for part in parts
    ]
    labels = ["attack" if "'" in text else "benign" for text in [*texts, *mistaken]]
    groups = [str(i) for i in range(len(labels))]
    events = event_table({"text": [*texts, *mistaken], "label": labels, "group": groups})
    names = "brien hara neill connor leary sullivan keefe malley dowd grady reilly toole shea rourke".split()
    people = [f"customer o'{name} {part}" for name in names for part in parts]
    verdicts = jsonl(tmp_path / "v.jsonl", [verdict(f"log:{i}", text) for i, text in enumerate(people)])
    table = jsonl(tmp_path / "c.jsonl", [{"origin": f"log:{i}", "label": "benign"} for i in range(len(people))])
    feedback(verdicts, table, out=tmp_path / "feedback", parting=Parting(0.5))
    kept_apart = [row["text"] for row in lines(tmp_path / "feedback" / "check.jsonl")]
    called = {}
    for weight in (0.02, 10.0):
        out = tmp_path / f"bundle-{weight:g}"
        overproof.compress(
            events,
            teacher=CountsQuotes(),
            out=out,
            student=student,
            feedback=[f"{tmp_path}/feedback@{weight}"],
            transfer=0.0,
            epochs=epochs,
            cache=tmp_path / "cache",
        )
        found = [one.label for one in overproof.open(out).judge(kept_apart)]
        called[weight] = found.count("benign") / len(found)
        attacks = [one.label for one in overproof.open(out).judge([text for text in texts if "'" in text])]
        assert attacks.count("attack") >= 0.95 * len(attacks)
    assert called[10.0] >= 0.9 and called[0.02] <= 0.3
