"""The evidence: sealed, the bundle's own, and never half written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.bundle.arrays import to_npz
from overproof.bundle.evidence_store import (
    EVENTS,
    FORMAT,
    INDEX,
    SCORES,
    EvidenceStore,
    open_evidence,
    require_free,
    write_evidence_store,
)
from overproof.bundle.manifest import MODEL, Bundle, digest
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.events.schema import event_table
from overproof.files import atomic_folder

TRAIN = event_table({"text": ["a", "b", "c"], "label": ["x", None, "y"], "source": ["s", "t", "s"]})
VALIDATION = event_table({"text": ["d"], "label": ["x"], "source": ["t"]})
LOGITS = np.array([[1.5, -2.0]], dtype=np.float32)
OWNER = Bundle(Path("bundle"), None, {MODEL: b"model"})  # type: ignore[arg-type]

STORE = EvidenceStore(
    Path("evidence"),
    ("x", "y"),
    TRAIN,
    VALIDATION,
    {"full": LOGITS, "distilled + INT8": LOGITS + 1},
    b"baseline",
    config={"job": "compress", "seed": 3},
    teacher={"kind": "own"},
    control_seed=4,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "evidence"
    with atomic_folder(out) as aside:
        write_evidence_store(replace(STORE, path=aside), b"model")
    return out


def test_what_was_kept_comes_back(folder: Path) -> None:
    kept = open_evidence(folder, OWNER)
    assert kept.train.equals(TRAIN) and kept.validation.equals(VALIDATION)
    assert kept.events.num_rows == 4
    assert (kept.path, kept.classes, kept.baseline) == (folder, ("x", "y"), b"baseline")
    assert (kept.config, kept.teacher, kept.control_seed) == (STORE.config, STORE.teacher, 4)
    assert kept.format == FORMAT
    assert np.array_equal(kept.scores["distilled + INT8"], LOGITS + 1)


def test_format_1_still_opens_with_what_its_recipe_says(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    for name in ("config", "teacher", "control_seed"):
        del index[name]
    recipe = {"student": "tiny-student", "seed": 3, "control_seed": 4, "teacher": {"kind": "own"}}
    (folder / INDEX).write_text(json.dumps({**index, "format": 1, "recipe": recipe}))
    kept = open_evidence(folder, OWNER)
    assert (kept.format, kept.config) == (1, {"student": "tiny-student", "seed": 3})
    assert (kept.teacher, kept.control_seed) == ({"kind": "own"}, 4)


@pytest.mark.parametrize("name", ["config", "teacher", "control_seed", "files", "classes"])
def test_an_entry_that_is_missing_is_named(folder: Path, name: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    del index[name]
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(TamperedBundle, match=f"not what was written .*{name}"):
        open_evidence(folder, OWNER)


def test_it_belongs_to_one_bundle(folder: Path) -> None:
    with pytest.raises(BundleError, match="another bundle"):
        open_evidence(folder, replace(OWNER, files={MODEL: b"other"}))


@pytest.mark.parametrize("name", [EVENTS, SCORES, "baseline.npz"])
def test_a_changed_or_missing_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b"x")
    with pytest.raises(TamperedBundle, match=name):
        open_evidence(folder, OWNER)
    (folder / name).unlink()
    with pytest.raises(TamperedBundle, match="missing"):
        open_evidence(folder, OWNER)


def test_a_file_of_another_size_is_not_read(folder: Path) -> None:
    os.truncate(folder / SCORES, 1 << 40)  # sparse, and larger than memory
    with pytest.raises(TamperedBundle, match=f"{SCORES}: changed since it was written"):
        open_evidence(folder, OWNER)


def test_what_is_no_evidence_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no evidence\.json"):
        open_evidence(tmp_path, OWNER)
    index = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        open_evidence(folder, OWNER)
    (folder / INDEX).write_text("[]")
    with pytest.raises(TamperedBundle, match="not what was written"):
        open_evidence(folder, OWNER)


def test_nothing_half_written_takes_its_place(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_folder(folder) as aside:
        (aside / "half").write_text("")
        raise RuntimeError
    assert open_evidence(folder, OWNER).train.equals(TRAIN)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not evidence"):
        require_free(tmp_path / "mine")


VALUES = [None, True, 0, -1, 1.5, 10**400, "", "a", [], {}, [1], [[]], {"a": 1}, ["x", "x"]]


@pytest.mark.parametrize("name", ["format", "model", "classes", "config", "teacher", "control_seed", "files"])
def test_any_entry_that_was_changed_is_read_or_refused_in_a_line(folder: Path, name: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    for value in VALUES:
        (folder / INDEX).write_text(json.dumps({**index, name: value}))
        try:
            open_evidence(folder, OWNER)
        except BundleError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", [EVENTS, SCORES])
def test_files_that_are_none_though_their_hashes_hold(folder: Path, name: str) -> None:
    index, before = json.loads((folder / INDEX).read_text()), (folder / name).read_bytes()
    other = pa.table({"overproof_part": ["train"], "text": pa.array([1])})
    sink = pa.BufferOutputStream()
    pq.write_table(other, sink)
    for content in (
        b"",
        b"PAR1PAR1",
        b"x" * 999,
        before[: len(before) // 2],
        before[::-1],
        sink.getvalue().to_pybytes(),
    ):
        (folder / name).write_bytes(content)
        index["files"][name] = digest(content)
        (folder / INDEX).write_text(json.dumps(index))
        with pytest.raises(BundleError, match=name) as raised:
            open_evidence(folder, OWNER)
        assert "\n" not in str(raised.value)


def test_scores_of_other_events_are_refused(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    for logits in (LOGITS[:0], LOGITS[:, :1], LOGITS * np.float32(np.nan), LOGITS[0]):
        content = to_npz({"full": logits})
        (folder / SCORES).write_bytes(content)
        index["files"][SCORES] = digest(content)
        (folder / INDEX).write_text(json.dumps(index))
        with pytest.raises(BundleError, match="expected finite numbers of shape"):
            open_evidence(folder, OWNER)
