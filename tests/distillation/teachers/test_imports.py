"""What opening a teacher imports: its own kind, and nothing that trained it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = {"torch", "sklearn", "transformers", "safetensors", "scipy", "threadpoolctl"}
PACKAGE = "overproof.distillation.teachers"
KINDS = ("own", "onnxfile", "callable", "huggingface", "ray")
LIGHT = (
    PACKAGE,
    *(f"{PACKAGE}.{name}" for name in ("interface", "own", "onnxfile", "callable", "softlabels", "average", "cache")),
)


def loaded_by(code: str, folder: Path | None = None) -> set[str]:
    """Return the modules that a fresh interpreter holds after running some code."""
    code = f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=folder)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", LIGHT)
def test_the_protocol_and_its_kinds_need_nothing_that_trains(module: str) -> None:
    assert {name.partition(".")[0] for name in loaded_by(f"import {module}")} & TRAINING == set()


def test_no_kind_is_imported_before_it_is_asked_for() -> None:
    assert loaded_by(f"import {PACKAGE}") & {f"{PACKAGE}.{kind}" for kind in KINDS} == set()


def test_a_kind_that_is_asked_for_is_the_only_one_imported(tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,p_benign,p_sqli\na,0.9,0.1\n")
    (tmp_path / "mine.py").write_text(
        "class Predictor:\n    classes_ = ['benign', 'sqli']\n    def predict_proba(self, texts):\n"
        "        return [[0.5, 0.5]] * len(texts)\n\npredictor = Predictor()\n"
    )
    for spec, expected in (("soft.csv", set()), ("mine:predictor", {"callable"})):
        found = loaded_by(f"from {PACKAGE} import load_teacher\nload_teacher([{spec!r}])", tmp_path)
        assert {kind for kind in KINDS if f"{PACKAGE}.{kind}" in found} == expected
        assert {name.partition(".")[0] for name in found} & TRAINING == set()
