"""First whether an event is an attack, then which: the one rule for labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overproof.bundle.scores import Scores, confidence_of, labels_of, softmax

CLASSES = ("benign", "sqli", "known-good", "xss", "rce")
BENIGN = np.array([True, False, True, False, False])


def test_attacks_that_share_their_probability_are_attacks() -> None:
    p = np.array([[0.45, 0.30, 0.0, 0.25, 0.0], [0.30, 0.45, 0.25, 0.0, 0.0], [0.1, 0.6, 0.1, 0.1, 0.1]], np.float32)
    assert p.argmax(axis=1).tolist() == [0, 1, 1]
    assert labels_of(p, BENIGN).tolist() == [1, 0, 1]


@given(arrays(np.float32, (7, len(CLASSES)), elements=st.floats(-30, 30, width=32)))
def test_a_label_never_contradicts_the_probability_of_an_attack(logits: np.ndarray) -> None:
    scores = Scores(logits, CLASSES, np.ones(7, np.int32), np.zeros(7, bool), benign=BENIGN)
    for p, label, sure in zip(scores.probabilities, scores.labels, scores.confidence(1.0), strict=True):
        attack = np.float32(1) - np.ascontiguousarray(p[BENIGN]).sum()
        side = [i for i in range(len(CLASSES)) if BENIGN[i] == (attack <= 0.5)]
        assert label == max(side, key=lambda i: p[i]) and sure == p[label]


@given(arrays(np.float32, (9, 2), elements=st.floats(-30, 30, width=32)))
def test_of_two_classes_it_is_the_likelier_one(logits: np.ndarray) -> None:
    p = softmax(logits)
    told = np.abs(p[:, 0] - p[:, 1]) > 1e-6
    assert (labels_of(p, [True, False]) == p.argmax(axis=1))[told].all()


@pytest.mark.parametrize("benign", [None, [False] * 5, [True] * 5])
def test_without_two_sides_it_is_the_likeliest_class(benign: list[bool] | None) -> None:
    p = softmax(np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32))
    assert (labels_of(p, benign) == p.argmax(axis=1)).all()


def test_what_is_no_number_stays_where_it_is() -> None:
    p = np.array([[np.nan] * 5, [0.2, 0.2, 0.2, np.nan, 0.2], [0.45, 0.3, 0.0, 0.25, 0.0]], np.float32)
    assert labels_of(p, BENIGN).tolist() == [0, 3, 1]
    assert labels_of(p[:0], BENIGN).tolist() == []


def test_the_temperature_of_a_confidence_changes_no_label() -> None:
    logits = np.log(np.array([[0.45, 0.30, 0.01, 0.23, 0.01]], np.float32))
    assert confidence_of(logits, BENIGN) == pytest.approx(0.30, abs=1e-6)
    assert confidence_of(logits, BENIGN, 1e6) == pytest.approx(0.2, abs=1e-4)
    assert confidence_of(logits, BENIGN, 0.01) < 1e-9, "another class is likelier: nothing is sure"
