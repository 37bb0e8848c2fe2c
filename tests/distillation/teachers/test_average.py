from __future__ import annotations

import numpy as np
import pytest

from overproof.distillation.teachers import load_teacher
from overproof.distillation.teachers.average import average
from overproof.errors import InputError
from overproof.events.schema import event_table

EVENTS = event_table({"text": ["a", "b"]})


def test_the_weighted_geometric_mean_of_probabilities_in_any_order_of_classes(fixed_teacher) -> None:
    one = fixed_teacher({"a": (0.9, 0.1), "b": (0.2, 0.8)})
    two = fixed_teacher({"a": (0.5, 0.5), "b": (1.0, 1e-9)}, classes=("sqli", "benign"))
    joined = average([one, two], [3, 1])
    least = 1e-7  # of any probability
    products = np.array([[0.9**0.75 * 0.5**0.25, 0.1**0.75 * 0.5**0.25], [0.2**0.75 * least**0.25, 0.8**0.75]])
    expected = products / products.sum(axis=1, keepdims=True)
    assert joined.classes == ("benign", "sqli")
    assert joined.weights == (0.75, 0.25)
    assert np.allclose(np.exp(joined.logits(EVENTS)), expected, atol=1e-6)


def test_progress_is_told_once_for_all_members(fixed_teacher) -> None:
    members = [fixed_teacher({"a": (0.5, 0.5), "b": (0.5, 0.5)}) for _ in range(3)]
    reported: list[int] = []
    average(members, [1, 1, 1]).logits(EVENTS, reported.append)
    assert sum(reported) == 2


def test_the_card_sums_sizes_and_needs_every_fingerprint(fixed_teacher) -> None:
    known, unknown = fixed_teacher({}), fixed_teacher({}, fingerprint=None)
    both = average([known, known], [1, 1]).card
    assert (both.parameters, both.bytes) == (4, 16)
    assert both.fingerprint != average([known, known], [1, 2]).card.fingerprint
    assert average([known, unknown], [1, 1]).card.fingerprint is None


def test_new_events_need_every_member(fixed_teacher) -> None:
    asked, computed = fixed_teacher({}), fixed_teacher({}, labels_new_events=False)
    assert average([asked, asked], [1, 1]).labels_new_events
    assert not average([asked, computed], [1, 1]).labels_new_events


def test_different_classes_are_listed(fixed_teacher) -> None:
    with pytest.raises(InputError, match="only one of them knows sqli, xss"):
        average([fixed_teacher({}), fixed_teacher({}, classes=("benign", "xss"))], [1, 1])


def test_weights_are_above_zero(tmp_path) -> None:
    (tmp_path / "s.csv").write_text("text,p_a,p_b\nx,0.5,0.5\n")
    with pytest.raises(InputError, match="above 0"):
        load_teacher([f"{tmp_path}/s.csv@0", f"{tmp_path}/s.csv@1"], classes=None)
