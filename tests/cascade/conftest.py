"""A bundle and a full model to be in reserve for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.bundle import FORMAT, Manifest, digest, write_bundle
from overproof.cascade.full import Full
from overproof.cascade.signals import signals
from overproof.runtime import OnnxScorer, WindowScorer
from overproof.runtime import open as open_scorer
from overproof.scores import Floats
from overproof.tokenize import Windowing

if TYPE_CHECKING:
    from ..conftest import Made

CLASSES = ("benign", "sqli", "xss")
WINDOWING = Windowing(size=16, overlap=4, limit=3)
TEXTS = ["select * from users", "<script>", "GET /index.html " * 4, "é\x00", "a" * 700, "id=1", "union all"]


@pytest.fixture(scope="session")
def bundle(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, so that what it says is arbitrary, and the same for everybody."""
    files = {"model.onnx": made.int8.SerializeToString(), "tokenizer.json": made.tokenizer.to_str().encode()}
    scorer = WindowScorer(files["model.onnx"], made.tokenizer, classes=CLASSES, benign=("benign",), windowing=WINDOWING)
    validation = scorer.score([f"id={i} select {'x' * (i % 37)}" for i in range(1000)])
    manifest = Manifest(
        format=FORMAT,
        overproof="0",
        classes=CLASSES,
        benign=("benign",),
        windowing=WINDOWING,
        normalization="none",
        thresholds={},
        temperature=2.0,
        hard_weight=0.5,
        seed=0,
        precision="int8",
        network={"parameters": 1},
        data={},
        teacher={},
        parity=(),
        versions={},
        files={name: digest(content) for name, content in files.items()},
        calibration=1.5,
        signals=signals(validation.logits, 1.5),
    )
    out = tmp_path_factory.mktemp("cascade") / "bundle"
    write_bundle(out, manifest, files)
    return out


@pytest.fixture(scope="session")
def student(bundle: Path) -> OnnxScorer:
    return open_scorer(bundle)


def always(label: str, classes: Sequence[str] = CLASSES) -> Full:
    """A full model that is sure of one label."""

    def ask(texts: Sequence[str]) -> Floats:
        return np.tile(np.array([name == label for name in classes], dtype=np.float32), (len(texts), 1))

    return Full(tuple(classes), ask, f"always {label}")
