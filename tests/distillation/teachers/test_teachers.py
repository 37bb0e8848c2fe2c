"""`load_teacher`, `align` and `union_classes`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.scores import softmax
from overproof.distillation.teachers import align, load_teacher, union_classes
from overproof.distillation.teachers.average import AverageTeacher
from overproof.errors import InputError, MissingExtra
from overproof.events.schema import event_table


@pytest.fixture
def soft(tmp_path: Path) -> Path:
    path = tmp_path / "soft.csv"
    path.write_text("text,p_benign,p_sqli\na,0.8,0.2\n")
    return path


def test_several_are_averaged_with_their_weights(soft: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("text,p_sqli,p_benign\na,0.6,0.4\n")
    teacher = load_teacher([f"{soft}@0.75", f"{tmp_path / 'b.csv'}@.25"])
    assert isinstance(teacher, AverageTeacher)
    products = np.array([[0.8**0.75 * 0.4**0.25, 0.2**0.75 * 0.6**0.25]])
    assert np.allclose(np.exp(teacher.logits(event_table({"text": ["a"]}))), products / products.sum())


def test_a_path_that_ends_like_a_weight_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "v@2").mkdir()
    with pytest.raises(InputError, match=r"v@2: neither manifest\.json"):
        load_teacher([str(tmp_path / "v@2")])


@pytest.mark.parametrize("spec", ["nothing", "no/such/folder", "a:b:c", "", "p_", "http://example.org/model"])
def test_what_means_nothing_lists_what_is_accepted(spec: str) -> None:
    with pytest.raises(InputError, match=r"(?s)accepted are\n.*FILE\.onnx.*columns:PREFIX"):
        load_teacher([spec])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pkl", "never loaded; expected module:attribute"),
        ("model.JOBLIB", "never loaded; expected module:attribute"),
        ("model.skops", "never loaded; expected module:attribute"),
        ("model.txt", "of no known form of teacher"),
    ],
)
def test_a_file_that_is_no_teacher_says_what_to_give(name: str, message: str, tmp_path: Path) -> None:
    """It was said to be no file, though it was there."""
    (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        load_teacher([str(tmp_path / name)])
    with pytest.raises(InputError, match="no such file or folder" if name == "model.txt" else message):
        load_teacher([str(tmp_path / "absent" / name)])


def test_no_teacher_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no teacher given"):
        load_teacher([])
    with pytest.raises(InputError, match=r"neither manifest\.json nor config\.json"):
        load_teacher([str(tmp_path)])
    with pytest.raises(InputError, match="no such file"):
        load_teacher(["labels:none.csv"])
    with pytest.raises(InputError, match="no such file"):
        load_teacher(["none.onnx"])


def test_classes_must_meet_the_labels(soft: Path) -> None:
    assert load_teacher([str(soft)], classes=["benign", "xss"]).classes == ("benign", "sqli")
    with pytest.raises(InputError, match=r"knows benign, sqli, and the events are labelled LABEL_0, LABEL_1"):
        load_teacher([str(soft)], classes=["LABEL_0", "LABEL_1"])


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    package = sys.modules["overproof.distillation.teachers"]
    monkeypatch.delitem(sys.modules, "overproof.distillation.teachers.huggingface", raising=False)
    monkeypatch.delattr(package, "huggingface", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"transformers: pip install 'overproof\[compress\]'"):
        load_teacher([str(tmp_path)])


def test_union_keeps_the_teachers_order_first() -> None:
    assert union_classes(("xss", "benign"), ["sqli", "benign", "cmdi"]) == ("xss", "benign", "cmdi", "sqli")


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), max_size=5), st.permutations("abcd"))
def test_align_changes_no_probability_at_any_temperature(rows: list[list[float]], order: list[str]) -> None:
    logits = np.array(rows, dtype=np.float32).reshape(-1, 3)
    out = align(logits, ("a", "b", "c"), order)
    assert out.shape == (len(rows), 4)
    assert out.dtype == np.float32
    assert np.allclose(out[:, order.index("d")], np.log(1e-7))
    for temperature in (1, 4):
        columns = out[:, [order.index(name) for name in "abc"]]
        assert np.allclose(softmax(columns, temperature), softmax(logits, temperature), atol=1e-5)
    assert np.allclose(np.exp(out).sum(axis=1), 1, atol=1e-5)


def test_align_drops_no_class() -> None:
    with pytest.raises(InputError, match="also knows b"):
        align(np.zeros((1, 2), np.float32), ("a", "b"), ("a",))
