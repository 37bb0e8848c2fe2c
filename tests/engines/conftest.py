"""A small bundle, and events that repeat themselves as logs do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from overproof.bundle import MODEL, TOKENIZER, Manifest, digest, write_bundle
from overproof.event import event_table
from overproof.runtime import OnnxScorer
from overproof.runtime import open as open_scorer
from overproof.tokenize import Windowing

if TYPE_CHECKING:
    from ..conftest import Made

WORDS = ["select", "*", "from", "users", "<script>", "GET", "/index.html", "é\x00\ud7ff", "id=1"]


def write_small(place: Path, made: Made, *, precision: str) -> Path:
    """Write the untrained student as a bundle."""
    model = made.int8 if precision == "int8" else made.fp32
    files = {MODEL: model.SerializeToString(), TOKENIZER: made.tokenizer.to_str().encode()}
    manifest = Manifest(
        format=1,
        overproof="0",
        classes=("benign", "sqli", "xss"),
        benign=("benign",),
        windowing=Windowing(size=16, overlap=4, limit=3),
        normalization="none",
        thresholds={},
        temperature=1.0,
        hard_weight=0.5,
        seed=0,
        precision=precision,
        network={"parameters": 1},
        data={},
        teacher={},
        parity=(),
        versions={},
        files={name: digest(content) for name, content in files.items()},
    )
    write_bundle(place, manifest, files)
    return place


@pytest.fixture(scope="session")
def bundle(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained student as a bundle."""
    return write_small(tmp_path_factory.mktemp("engines") / "bundle", made, precision="int8")


@pytest.fixture(scope="session")
def scorer(bundle: Path) -> OnnxScorer:
    """That bundle, opened."""
    return open_scorer(bundle)


def batches_of(count: int, rows: int = 50, seed: int = 0) -> list[pa.RecordBatch]:
    """Batches of made-up events, some texts several times, some longer than a model's window."""
    make = random.Random(seed)
    texts = [" ".join(make.choices(WORDS, k=make.choice([1, 2, 5, 40]))) for _ in range(count * rows)]
    table = event_table({"text": texts, "origin": [f"made:{i + 1}" for i in range(len(texts))]})
    return table.to_batches(max_chunksize=rows)
