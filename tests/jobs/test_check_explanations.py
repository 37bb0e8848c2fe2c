"""Alerts of a check are explained by the bundle's student, and compared with other places of the same length."""

from __future__ import annotations

import numpy as np
import pytest

from overproof.inference.explanation import Span
from overproof.jobs.check_explanations import elsewhere


@pytest.mark.parametrize(("start", "end"), [(0, 3), (2, 5), (7, 10)], ids=["first", "between", "last"])
def test_another_place_is_any_but_the_spans_own(start: int, end: int) -> None:
    random = np.random.default_rng(0)
    drawn = [elsewhere(Span(start, end, 1.0), 10, random) for _ in range(4_000)]
    assert {stop - begin for begin, stop in drawn} == {3}
    counts = np.bincount([begin for begin, _ in drawn], minlength=8)
    assert len(counts) == 8
    assert counts[start] == 0
    assert counts[counts > 0].min() > 4_000 / 7 * 0.8
    assert (counts > 0).sum() == 7
