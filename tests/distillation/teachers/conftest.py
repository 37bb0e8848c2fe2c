"""Small events, a tiny tokenizer, and a teacher that gives the probabilities of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from overproof.bundle.scores import Floats
from overproof.distillation.teachers import Report, TeacherCard
from overproof.events.schema import event_table

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "select", "from", "users", "hello", "world", "alert", "1", "=", "or", "a"]
TEXTS = ["hello world", "select 1 from users", "1 = 1 or 1 = 1", "alert 1", "hello", "", "a " * 40, "hello world"]


@dataclass
class FixedTeacher:
    """Gives the probabilities of a table, and counts how often it was asked."""

    table: Mapping[str, tuple[float, ...]]
    classes: tuple[str, ...] = ("benign", "sqli")
    fingerprint: str | None = "f"
    labels_new_events: bool = True
    asked: list[int] = field(default_factory=list)

    @property
    def card(self) -> TeacherCard:
        return TeacherCard("fixed", "fixed", 2, 8, "python", self.fingerprint)

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        self.asked.append(events.num_rows)
        if report is not None:
            report(events.num_rows)
        return np.log(np.array([self.table[t] for t in events.column("text").to_pylist()], dtype=np.float32))


@pytest.fixture
def events() -> pa.Table:
    return event_table({"text": TEXTS, "origin": [f"e.csv:{i + 2}" for i in range(len(TEXTS))]})


@pytest.fixture
def fixed_teacher() -> type[FixedTeacher]:
    return FixedTeacher


@pytest.fixture(scope="session")
def wordpiece() -> Callable[[Path], None]:
    """Writes a WordPiece tokenizer with [CLS] … [SEP] as `tokenizer.json`."""

    def write(path: Path) -> None:
        tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        tokenizer.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        tokenizer.save(str(path))

    return write
