"""A small bundle, and events that repeat themselves as logs do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.events.schema import event_table

if TYPE_CHECKING:
    pass

WORDS = ["select", "*", "from", "users", "<script>", "GET", "/index.html", "é\x00\ud7ff", "id=1"]


@pytest.fixture(scope="session")
def bundle(small_bundle: Path) -> Path:
    """An untrained student as a bundle."""
    return small_bundle


@pytest.fixture(scope="session")
def scorer(student: OnnxScorer) -> OnnxScorer:
    """That bundle, opened."""
    return student


def batches_of(count: int, rows: int = 50, seed: int = 0) -> list[pa.RecordBatch]:
    """Batches of made-up events, some texts several times, some longer than a model's window."""
    make = random.Random(seed)
    texts = [" ".join(make.choices(WORDS, k=make.choice([1, 2, 5, 40]))) for _ in range(count * rows)]
    table = event_table({"text": texts, "origin": [f"made:{i + 1}" for i in range(len(texts))]})
    return table.to_batches(max_chunksize=rows)
