"""What quantization changed: against scipy, and on cases small enough to count by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr
from scipy.special import softmax as reference

from overproof.results.divergence import Detected, Divergence, Truth, changes, judge, truth
from overproof.results.typed_json import from_json

CLASSES, BENIGN = ("benign", "sqli", "xss"), ("benign", "normal")
UNKNOWN = Truth(np.array([False, False, False]), [None] * 50, 0.5)


def of_attack(*probabilities: float) -> np.ndarray:
    """Logits of (benign, sqli, xss) whose two attacks together have these probabilities, sqli the larger share."""
    p = np.array(probabilities)
    return np.log(np.stack([1 - p, 0.8 * p, 0.2 * p], axis=1)).astype(np.float32)


logits = arrays(np.float32, (50, 3), elements=st.floats(-60, 60, width=32))


@given(logits, logits)
def test_kl_is_scipys_and_never_negative(before: np.ndarray, after: np.ndarray) -> None:
    p, q = (reference(z.astype(np.float64), axis=1) for z in (before, after))
    found = judge(before, after, UNKNOWN)
    assert found.kl == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), rel=1e-6, abs=1e-12)
    assert found.kl >= 0


@given(logits)
def test_equal_logits_diverge_by_nothing(z: np.ndarray) -> None:
    found = judge(z, z.copy(), UNKNOWN)
    assert (found.kl, found.flips, found.max_difference, found.flip_rate) == (0, 0, 0, 0)


@given(logits, st.floats(-5, 5, width=32))
def test_only_differences_of_logits_count(z: np.ndarray, shift: float) -> None:
    assert judge(z, z + np.float32(shift), UNKNOWN).kl < 1e-9


def test_a_probability_of_nothing_is_no_division_by_zero() -> None:
    before, after = np.float32([[0, 500, 0]]), np.float32([[500, 0, 0]])
    assert judge(before, after, replace(UNKNOWN, families=[None])).kl == pytest.approx(500)


def test_flips_and_the_largest_difference() -> None:
    before = np.float32([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 2, 0]])
    after = np.float32([[0, 1, 0], [0.6, 0.5, 0], [0, 0, 4], [0, 2, 0]])
    found = judge(before, after, replace(UNKNOWN, families=[None] * 4))
    assert (found.events, found.flips, found.flip_rate, found.max_difference) == (4, 1, 0.25, 3)


@pytest.mark.parametrize(("count", "allowed"), [(100, 1), (199, 1), (200, 2), (700, 7), (2900, 29)])
def test_the_threshold_lets_exactly_one_in_a_hundred_benign_events_through(count: int, allowed: int) -> None:
    attack = np.random.default_rng(count).permutation(np.linspace(0.001, 0.6, count))
    z = np.concatenate([of_attack(*attack), of_attack(0.99, 0.98)])
    labels = ["benign"] * (count // 2) + ["normal"] * (count - count // 2) + ["sqli", None]
    known = truth(z, CLASSES, BENIGN, labels, labels)
    assert known.threshold == pytest.approx(np.sort(attack)[-1 - allowed], abs=1e-6)
    above = 1 - reference(z[:count].astype(np.float64), axis=1)[:, 0] > known.threshold + 1e-6
    assert above.sum() == allowed


@pytest.mark.parametrize(("count", "benign"), [(99, BENIGN), (100, ())])
def test_half_where_there_is_nothing_to_find_a_threshold_on(count: int, benign: tuple[str, ...]) -> None:
    z = of_attack(*np.linspace(0.001, 0.6, count))
    assert truth(z, CLASSES, benign, ["benign"] * count, ["benign"] * count).threshold == 0.5


def test_families_are_those_of_known_attacks() -> None:
    labels = ["benign", "sqli", "xss", None, "normal"]
    kinds = ["plain", "union", None, "stray", "quiet"]
    z = of_attack(0.1, 0.9, 0.9, 0.9, 0.1)
    assert list(truth(z, CLASSES, BENIGN, labels, kinds).families) == [None, "union", None, None, None]
    assert list(truth(z, CLASSES, (), labels, kinds).families) == [None] * 5, "no class is known to be harmless"


def test_recall_lost_in_each_family_by_hand() -> None:
    known = Truth(
        np.array([True, False, False]), ["sqli", "sqli", "sqli", "sqli", "xss", "xss", None, "rce"], threshold=0.4
    )
    before = of_attack(0.9, 0.9, 0.9, 0.1, 0.9, 0.3, 0.9, 0.9)
    after = of_attack(0.9, 0.39, 0.3, 0.1, 0.9, 0.5, 0.1, 0.9)
    found = judge(before, after, known)
    assert found.families == {
        "sqli": Detected(4, 3, 1, 2),
        "xss": Detected(2, 1, 2, 0),
        "rce": Detected(1, 1, 1, 0),
    }
    assert {name: detected.recall_lost for name, detected in found.families.items()} == {
        "sqli": 0.5,
        "xss": 0,
        "rce": 0,
    }
    assert found.worst == ("sqli", Detected(4, 3, 1, 2))
    assert judge(before, before, known).worst is None


def test_what_a_family_gains_hides_nothing_that_it_loses() -> None:
    known = Truth(np.array([True, False, False]), ["sqli"] * 4, threshold=0.5)
    before, after = of_attack(0.9, 0.9, 0.1, 0.1), of_attack(0.1, 0.9, 0.9, 0.9)
    assert judge(before, after, known).families == {"sqli": Detected(4, 2, 3, 1)}
    each = changes(before, after, known)
    assert each.lost.tolist() == [True, False, False, False]
    assert each.flipped.tolist() == [True, False, True, True]


@pytest.mark.parametrize("counts", [(3, 3, 1, 1), (3, 2, 2, 3), (4, 2, 3, 3), (3, 0, 0, -1)])
def test_counts_that_contradict_each_other(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"lost|detected"):
        Detected(*counts)


def test_recall_may_be_lost_where_no_label_changes() -> None:
    """The threshold is not where labels change: that is why families have guards of their own."""
    known = Truth(np.array([True, False, False]), ["sqli"] * 3, threshold=0.9)
    found = judge(of_attack(0.95, 0.95, 0.95), of_attack(0.95, 0.85, 0.85), known)
    assert found.flips == 0
    assert found.families["sqli"].recall_lost == pytest.approx(2 / 3)


def test_json_there_and_back() -> None:
    found = judge(of_attack(0.9, 0.2), of_attack(0.3, 0.2), Truth(np.array([True, False, False]), ["sqli", "x"], 0.4))
    assert from_json(Divergence, json.loads(json.dumps(asdict(found)))) == found
