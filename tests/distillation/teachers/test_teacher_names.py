"""Class names of a teacher that are not those of the events' labels, in every kind of teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overproof.distillation.teachers import load_teacher, named
from overproof.errors import InputError
from overproof.events.schema import event_table

EVENTS = event_table({"text": ["a", "b"], "p_Benign": [0.9, 0.2], "p_Malicious": [0.1, 0.8]})
LABELS = ("benign", "malicious")
MAPPED = "names:Malicious=malicious,Benign=benign:"


class Predictor:
    classes_ = np.array(["Benign", "Malicious"])

    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        return [[0.9, 0.1] if text == "a" else [0.2, 0.8] for text in texts]


predictor = Predictor()


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "soft.csv"
    path.write_text("text,Benign,Malicious\na,0.9,0.1\nb,0.2,0.8\n")
    return f"labels:{path}"


@pytest.mark.parametrize("kind", ["table", "columns", "callable"])
def test_every_kind_of_teacher_is_refused_by_a_near_name_and_taken_once_it_is_mapped(
    kind: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    spec = {"table": table, "columns": "columns:p_", "callable": "test_teacher_names:predictor"}[kind]
    with pytest.raises(
        InputError,
        match=r"'Malicious' and 'malicious' differ in case alone; .*names:Benign=benign,Malicious=malicious:",
    ):
        load_teacher([spec], classes=LABELS, columns=EVENTS.column_names)
    teacher = load_teacher([f"{MAPPED}{spec}"], classes=LABELS, columns=EVENTS.column_names)
    assert teacher.classes == LABELS
    assert np.allclose(np.exp(teacher.logits(EVENTS)), [[0.9, 0.1], [0.2, 0.8]], atol=1e-6)


def test_an_average_of_mapped_and_unmapped(table: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("text,malicious,benign\na,0.1,0.9\nb,0.8,0.2\n")
    teacher = load_teacher([f"{MAPPED}{table}@2", str(plain)], classes=LABELS)
    assert np.allclose(np.exp(teacher.logits(EVENTS)), [[0.9, 0.1], [0.2, 0.8]], atol=1e-6)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("names:", "expected names:OLD=NEW"),
        ("names:Benign:", "expected names:OLD=NEW"),
        ("names:Benign=a,Benign=b:", "each old name once"),
        ("names:Other=benign:", "'Other', expected some of its classes: Benign, Malicious"),
        ("names:Benign=malicious,Malicious=malicious:", "stands twice"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused(before: str, message: str, table: str) -> None:
    with pytest.raises(InputError, match=message):
        load_teacher([before + table], classes=LABELS)


def test_a_specification_without_names_is_as_it_was() -> None:
    assert named("columns:p_") == ({}, "columns:p_")
    assert named("names:a b=c:logits:columns:p_") == ({"a b": "c"}, "logits:columns:p_")
