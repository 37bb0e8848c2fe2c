from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from overproof.results import Labelled, Share, measure

CLASSES = ("benign", "sqli", "xss")
BENIGN = ("benign", "normal")


def logits_of(*names: str) -> np.ndarray:
    """One row for each name, highest there."""
    return np.array([[4.0 if name == c else 0.5 for c in CLASSES] for name in names], dtype=np.float32)


def test_counts_by_hand() -> None:
    logits = logits_of("benign", "sqli", "benign", "xss", "sqli", "benign")
    labels = ["benign", "benign", "sqli", "sqli", "sqli", None]
    families = ["plain", "o'brien", "union", "union", "tautology", None]
    teacher = logits_of("benign", "benign", "sqli", "sqli", "sqli", "xss")
    found = measure(logits, CLASSES, Labelled(labels, families, BENIGN), teacher, min_support=3)
    assert found.n == 5
    assert found.correct == Share(2, 5)
    assert found.accuracy == 0.4
    assert found.missed == Share(1, 3)
    assert found.flagged == Share(1, 2)
    assert found.agreed == Share(2, 6)  # the unlabelled event counts here
    assert found.families == {
        "o'brien": Share(0, 1),
        "plain": Share(1, 1),
        "tautology": Share(1, 1),
        "union": Share(0, 2),
    }
    assert found.macro_f1 == pytest.approx(2 * 1 / (3 + 2))  # sqli alone has 3 events
    assert found.macro_f1_all == pytest.approx((2 * 1 / (2 + 2) + 2 * 1 / (3 + 2)) / 2)


NAMES = st.sampled_from([*CLASSES, "unknown-to-the-model"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(CLASSES)), min_size=1, max_size=60), st.integers(1, 10))
def test_against_scikit_learn(pairs: list[tuple[str, str]], support: int) -> None:
    truth, predicted = [t for t, _ in pairs], [s for _, s in pairs]
    found = measure(logits_of(*predicted), CLASSES, Labelled(truth, truth, BENIGN), None, min_support=support)
    names = sorted(set(truth))
    frequent = [name for name in names if truth.count(name) >= support]
    options = {"average": "macro", "zero_division": 0}
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.macro_f1_all == pytest.approx(f1_score(truth, predicted, labels=names, **options))
    if frequent:
        assert found.macro_f1 == pytest.approx(f1_score(truth, predicted, labels=frequent, **options))
    else:
        assert found.macro_f1 is None
    recalls = recall_score(truth, predicted, labels=names, average=None, zero_division=0)
    assert [share.rate for share in found.families.values()] == pytest.approx(list(recalls))
    attacks = [t != "benign" for t in truth]
    called = [s != "benign" for s in predicted]
    if any(attacks):
        assert found.fn_rate == pytest.approx(1 - recall_score(attacks, called))
    if not all(attacks):
        assert found.fp_rate == pytest.approx(1 - recall_score(attacks, called, pos_label=False))


def test_nothing_to_count_is_not_zero() -> None:
    empty = measure(np.zeros((0, 3), np.float32), CLASSES, Labelled([], [], BENIGN), None)
    for value in (empty.accuracy, empty.macro_f1, empty.macro_f1_all, empty.fn_rate, empty.fp_rate, empty.agreement):
        assert value is None
    only_attacks = measure(logits_of("sqli"), CLASSES, Labelled(["sqli"], ["sqli"], BENIGN), None)
    assert (only_attacks.fn_rate, only_attacks.fp_rate) == (0.0, None)
    unlabelled = measure(logits_of("sqli"), CLASSES, Labelled([None], [None], BENIGN), logits_of("sqli"))
    assert (unlabelled.n, unlabelled.accuracy, unlabelled.agreement) == (0, None, 1.0)


def test_without_a_benign_class_nothing_is_said_of_misses() -> None:
    found = measure(logits_of("sqli", "xss"), CLASSES, Labelled(["sqli", "benign"], [None, None], ("harmless",)), None)
    assert (found.fn_rate, found.fp_rate) == (None, None)


def test_several_benign_labels_are_one_side() -> None:
    classes = ("benign", "normal", "sqli")
    logits = np.eye(3, dtype=np.float32)[[1, 0, 2]]
    found = measure(logits, classes, Labelled(["benign", "sqli", "normal"], [None] * 3, BENIGN), None)
    assert found.missed == Share(1, 1)
    assert found.flagged == Share(1, 2)  # normal called sqli; benign called normal is no false alarm


@pytest.mark.parametrize(
    ("labels", "families", "teacher"),
    [(["a", "b"], ["a"], None), (["a"], ["a"], None), (["a", "b"], ["a", "b"], np.zeros((2, 2), np.float32))],
)
def test_lengths_must_fit(labels: list[str], families: list[str], teacher: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        measure(logits_of("sqli", "xss"), CLASSES, Labelled(labels, families, BENIGN), teacher)
