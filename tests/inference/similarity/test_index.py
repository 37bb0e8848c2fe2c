"""An index is written whole, opened only unchanged, asked only with its own model, and finds what it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import MODEL, digest, open_bundle, write_bundle
from overproof.bundle.readers import TOKENIZER
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import BundleError, InputError, MissingExtra, OverproofError, TamperedBundle
from overproof.events.schema import event_table
from overproof.events.sources import Rejects
from overproof.inference.similarity import hnsw
from overproof.inference.similarity.build import IndexConfig, build_index
from overproof.inference.similarity.search import Searcher, search, search_files
from overproof.inference.similarity.space import SPELLED_WEIGHT, of_length_1
from overproof.inference.similarity.spelling import spelling
from overproof.inference.similarity.store import CARD, COUNTS, EVENTS, OF_KIND, SPACE, _hash
from overproof.report.layout import within

TEXTS = [
    *(f"GET /index.html?id={i}" for i in range(40)),
    *(f"select * from users where id={i}" for i in range(40)),
    *(f"<script>alert({i})</script>" for i in range(20)),
    "a very long event " * 40,
    "é\x00\x1b[31m\n",
]


def family(text: str) -> str | None:
    return {"G": None, "s": "sqli", "<": "xss"}.get(text[0], "other")


@pytest.fixture(scope="module")
def events() -> object:
    labels = ["attack" if family(text) else "benign" for text in TEXTS]
    families = [family(text) for text in TEXTS]
    twice = TEXTS + TEXTS[:5]
    return event_table({"text": twice, "label": labels + labels[:5], "family": families + families[:5]})


@pytest.fixture(scope="module", params=["exact", "hnsw"])
def index(request: pytest.FixtureRequest, small_bundle: Path, events: object, tmp_path_factory: object) -> Path:
    out = tmp_path_factory.mktemp("index") / request.param  # type: ignore[attr-defined]
    limit = 1000 if request.param == "exact" else 10
    built = build_index(IndexConfig(small_bundle, events, out, exact_rows=limit))
    assert built.search == request.param
    assert built.to_json()["distinct"] == built.rows == len(TEXTS)
    assert built.events == len(TEXTS) + 5
    assert f"{built.bytes:,} bytes" in built.render()
    return Path(out)


def test_every_event_finds_itself_first(small_bundle: Path, index: Path) -> None:
    for text, found in zip(TEXTS, search(small_bundle, index, TEXTS, k=3), strict=True):
        assert found.text == text and len(found.neighbours) == 3
        same = [near for near in found.neighbours if near.text == text]
        assert [near.similarity for near in same] == [1.0]
        assert same[0].family == family(text)
        assert same[0].count == (2 if text in TEXTS[:5] else 1)
        assert same[0].origin == f"event:{TEXTS.index(text) + 1}"


def test_similarities_are_cosines_of_the_embeddings(small_bundle: Path, index: Path, student: OnnxScorer) -> None:
    asked = "select name from users"
    (found,) = search(small_bundle, index, asked, k=8)
    query, *others = places(student, [asked, *(near.text for near in found.neighbours)])
    told = [near.similarity for near in found.neighbours]
    np.testing.assert_allclose(told, np.array(others) @ query, atol=0.01)  # rounded to eight bits
    assert told == sorted(told, reverse=True)
    every = places(student, TEXTS) @ query
    assert min(told) > np.sort(every)[::-1][8] - 0.01


def places(student: OnnxScorer, texts: list[str]) -> np.ndarray:
    """Where texts lie in the space of fewer events than one is fitted to, each of length 1."""
    spelled = of_length_1(spelling(texts))
    return of_length_1(np.hstack([student.embed(texts), SPELLED_WEIGHT * spelled]))


def test_what_is_found_does_not_depend_on_the_company(small_bundle: Path, index: Path) -> None:
    ask = Searcher(small_bundle, index)
    together = ask(TEXTS, 4)
    assert together == [ask([text], 4)[0] for text in TEXTS]


def test_as_json_and_as_text(small_bundle: Path, index: Path) -> None:
    (found,) = search(small_bundle, index, ["é\x00\x1b[31m\n"], k=200)
    data = json.loads(json.dumps(found.to_json()))
    assert len(data["neighbours"]) == len(TEXTS)  # all there are
    assert data["families"] == found.families == {"sqli": 40, "benign": 40, "xss": 20, "other": 2}
    lines = found.render().splitlines()
    assert len(lines) == 2 + len(TEXTS)
    assert "\x1b" not in found.render() and "\\x1b[31m\\n" in lines[0]
    assert max(map(len, lines)) <= 100
    with within(40):
        assert max(map(len, found.render().splitlines())) <= 40


def test_nothing_asked_and_nothing_wanted(small_bundle: Path, index: Path) -> None:
    assert search(small_bundle, index, []) == []
    with pytest.raises(InputError, match="expected 1 or more"):
        search(small_bundle, index, "x", k=0)


def test_files_in_and_files_asked(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("text,label\nid=1,benign\nid=2,benign\n,benign\nid=1,benign\n")
    (tmp_path / "asked.txt").write_text("id=2\nid=1\n")
    rejects = Rejects()
    built = build_index(IndexConfig(small_bundle, tmp_path / "events.csv", tmp_path / "index"), rejects=rejects)
    assert (built.events, built.rows, rejects.total) == (3, 2, 1)
    found = list(search_files(Searcher(small_bundle, built.path), tmp_path / "asked.txt", 1, on_skip=Rejects()))
    assert [(one.text, one.neighbours[0].text, one.neighbours[0].count) for one in found] == [
        ("id=2", "id=2", 1),
        ("id=1", "id=1", 2),
    ]
    with pytest.warns(UserWarning, match="1 skipped"):
        build_index(IndexConfig(small_bundle, tmp_path / "events.csv", tmp_path / "index"))


def test_one_text_under_two_labels_is_two_events(small_bundle: Path, tmp_path: Path) -> None:
    table = event_table({"text": ["id=1"] * 3, "label": ["benign", "attack", "benign"]})
    build_index(IndexConfig(small_bundle, table, tmp_path / "index"))
    (found,) = search(small_bundle, tmp_path / "index", "id=1")
    assert [(near.label, near.count) for near in found.neighbours] == [("benign", 2), ("attack", 1)]


def test_blocks_do_not_change_the_index(
    small_bundle: Path, events: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(IndexConfig(small_bundle, events, tmp_path / "whole"))
    monkeypatch.setattr("overproof.inference.similarity.writer.ROWS", 7)
    build_index(IndexConfig(small_bundle, events, tmp_path / "blocks"))
    for file in ("text.embeddings.i8", "text.spellings.i8"):
        a, b = ((tmp_path / name / file).read_bytes() for name in ("whole", "blocks"))
        assert a == b
    assert search(small_bundle, tmp_path / "whole", TEXTS) == search(small_bundle, tmp_path / "blocks", TEXTS)


@pytest.mark.parametrize(
    "name",
    [
        "text.embeddings.i8",
        "text.spellings.i8",
        "events.parquet",
        "counts.npy",
        "kinds.npy",
        "space.npz",
        "text.graph.usearch",
        "text.spelled.graph.usearch",
        CARD,
    ],
)
def test_a_changed_file_is_named(small_bundle: Path, events: object, tmp_path: Path, name: str) -> None:
    build_index(IndexConfig(small_bundle, events, tmp_path / "index", exact_rows=10))
    file = tmp_path / "index" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(TamperedBundle, match=name):
        search(small_bundle, tmp_path / "index", "x")


def test_missing_and_extra_files_are_named(small_bundle: Path, index: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(index, tmp_path / "copy")
    (copy / "further").touch()
    with pytest.raises(TamperedBundle, match="further: not listed"):
        search(small_bundle, copy, "x")
    (copy / "further").unlink()
    (copy / "counts.npy").unlink()
    with pytest.raises(TamperedBundle, match=r"counts\.npy: missing"):
        search(small_bundle, copy, "x")


def test_another_models_bundle_is_refused(small_bundle: Path, index: Path, tmp_path: Path) -> None:
    import onnx

    opened = open_bundle(small_bundle)
    model = onnx.load_from_string(opened.files[MODEL])
    model.doc_string = "another"
    files = {**opened.files, MODEL: model.SerializeToString()}
    manifest = replace(opened.manifest, files={name: digest(content) for name, content in files.items()})
    write_bundle(tmp_path / "other", manifest, files)
    with pytest.raises(InputError, match="another model"):
        search(tmp_path / "other", index, "x")


def test_a_bundle_without_embeddings_is_told_to_compress_again(small_bundle: Path, index: Path, tmp_path: Path) -> None:
    import onnx

    opened = open_bundle(small_bundle)
    model = onnx.load_from_string(opened.files[MODEL])
    del model.graph.output[1:]
    files = {MODEL: model.SerializeToString(), TOKENIZER: opened.files[TOKENIZER]}
    manifest = replace(opened.manifest, files={name: digest(content) for name, content in files.items()})
    write_bundle(tmp_path / "old", manifest, files)
    with pytest.raises(BundleError, match="compress it again"):
        build_index(IndexConfig(tmp_path / "old", event_table({"text": ["x"]}), tmp_path / "index"))
    with pytest.raises(BundleError, match="no embedding"):
        search(tmp_path / "old", index, "x")


def test_no_events_leave_nothing_behind(small_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no events"):
        build_index(IndexConfig(small_bundle, event_table({"text": []}), tmp_path / "index"))
    (tmp_path / "empty.csv").write_text("text\n")
    with pytest.raises(InputError, match="no usable event"):
        build_index(IndexConfig(small_bundle, tmp_path / "empty.csv", tmp_path / "index"))
    assert not (tmp_path / "index").exists()


def test_a_folder_of_something_else_is_left_alone(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("keep")
    with pytest.raises(InputError, match="not an index"):
        build_index(IndexConfig(small_bundle, event_table({"text": ["x"]}), tmp_path / "mine"))
    assert (tmp_path / "mine" / "notes").read_text() == "keep"
    with pytest.raises(InputError, match="expected an index"):
        search(small_bundle, tmp_path / "mine", "x")


def test_an_index_is_replaced(small_bundle: Path, tmp_path: Path) -> None:
    for text in ("one", "two"):
        build_index(IndexConfig(small_bundle, event_table({"text": [text]}), tmp_path / "index"))
    (found,) = search(small_bundle, tmp_path / "index", "one")
    assert [near.text for near in found.neighbours] == ["two"]


def test_usearch_is_missed_at_once(
    small_bundle: Path, events: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtra("usearch")

    monkeypatch.setattr("overproof.inference.similarity.build.require_usearch", missing)
    monkeypatch.setattr(hnsw, "require_usearch", lambda: pytest.fail("told too late"))
    with pytest.raises(MissingExtra):
        build_index(IndexConfig(small_bundle, events, tmp_path / "index", exact_rows=10))


VALUES = [None, True, 0, -1, 7, 1 << 70, 1.5, "", "hnsw", "exact", "../x", [], {}, [1], {"a": 1}]


def test_any_entry_of_a_card_that_was_sealed_anew(index: Path, small_bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "index"
    shutil.copytree(index, place)
    card = json.loads((place / CARD).read_bytes())
    card.pop("sha256")
    student, refused = OnnxScorer(open_bundle(small_bundle)), 0
    for name in card:
        for value in VALUES:
            changed = {**card, name: value}
            (place / CARD).write_text(json.dumps({**changed, "sha256": _hash(changed)}))
            try:
                Searcher(student, place)(["GET /index.html"], 3)
            except OverproofError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 100


@pytest.mark.parametrize("name", ["text.embeddings.i8", "text.spellings.i8", EVENTS, COUNTS, OF_KIND, SPACE])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x93NUMPY\x01\x00v\x00{'descr': 'O'}", b"x" * 5000, None])
def test_any_file_that_was_sealed_anew(
    name: str, content: bytes | None, index: Path, small_bundle: Path, tmp_path: Path
) -> None:
    place = tmp_path / "index"
    shutil.copytree(index, place)
    before = (place / name).read_bytes()
    (place / name).write_bytes(before[: len(before) // 2] if content is None else content)
    card = json.loads((place / CARD).read_bytes())
    card.pop("sha256")
    card["files"][name] = digest((place / name).read_bytes())
    (place / CARD).write_text(json.dumps({**card, "sha256": _hash(card)}))
    with pytest.raises(OverproofError) as raised:
        Searcher(OnnxScorer(open_bundle(small_bundle)), place)(["GET /index.html"], 3)
    assert "\n" not in str(raised.value)


def test_two_runs_to_one_place_do_not_collide(small_bundle: Path, tmp_path: Path) -> None:
    """The second one ends in one line and exit code 2, and what the first one writes is whole."""
    out = tmp_path / "index"
    (tmp_path / "events.csv").write_text("text\na\nb\n")
    os.mkfifo(tmp_path / "fifo")
    program = [sys.executable, "-m", "overproof", "index", str(small_bundle)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*program, str(tmp_path / "fifo"), "--out", str(out)], env=environment) as first:
        with (tmp_path / "fifo").open("w") as events:
            events.write("c\nd\n")
            events.flush()
            while not (tmp_path / ".index.lock").exists():
                time.sleep(0.01)
            command = [*program, str(tmp_path / "events.csv"), "--out", str(out)]
            second = subprocess.run(command, env=environment, capture_output=True, text=True)
        first.wait(60)
    assert (second.returncode, second.stderr) == (2, f"error: {out}: another run is writing there\n")
    assert first.returncode == 0
    assert search(small_bundle, out, ["c"], k=1)[0].neighbours[0].text == "c"
