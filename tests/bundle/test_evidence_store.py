"""The evidence: sealed, the bundle's own, and never half written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.evidence_store import EVENTS, INDEX, SCORES, fill, open_evidence, require_free
from overproof.bundle.manifest import MODEL, Bundle
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.events.schema import event_table
from overproof.files import atomic_folder

TRAIN = event_table({"text": ["a", "b", "c"], "label": ["x", None, "y"], "source": ["s", "t", "s"]})
VALIDATION = event_table({"text": ["d"], "label": ["x"], "source": ["t"]})
LOGITS = np.array([[1.5, -2.0]], dtype=np.float32)
OWNER = Bundle(Path("bundle"), None, {MODEL: b"model"})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "evidence"
    with atomic_folder(out) as aside:
        fill(
            aside,
            model=b"model",
            classes=("x", "y"),
            train=TRAIN,
            validation=VALIDATION,
            scores={"full": LOGITS, "distilled + INT8": LOGITS + 1},
            baseline=b"rival",
            recipe={"student": "tiny-student", "seed": 3},
        )
    return out


def test_what_was_kept_comes_back(folder: Path) -> None:
    kept = open_evidence(folder, OWNER)
    assert kept.train.equals(TRAIN) and kept.validation.equals(VALIDATION)
    assert kept.events.num_rows == 4
    assert (kept.classes, kept.baseline, kept.recipe["seed"]) == (("x", "y"), b"rival", 3)
    assert np.array_equal(kept.scores["distilled + INT8"], LOGITS + 1)


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


def test_what_is_no_evidence_is_told(folder: Path, tmp_path: Path) -> None:
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
