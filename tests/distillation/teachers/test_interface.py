from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overproof.distillation.teachers.interface import by_length, fingerprint_files, log_probabilities, padded


@given(st.lists(st.integers(0, 20)), st.integers(1, 7), st.booleans())
def test_batches_hold_every_event_once_shortest_first(lengths: list[int], size: int, equal: bool) -> None:
    batches = list(by_length(lengths, size, equal=equal))
    flat = [int(i) for batch in batches for i in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths)
    assert all(1 <= len(batch) <= size for batch in batches)
    if equal:
        assert all(len({lengths[i] for i in batch}) == 1 for batch in batches)


def test_padding_fills_up_to_the_longest_or_the_given_length() -> None:
    assert padded([[5, 6], [7]], 9).tolist() == [[5, 6], [7, 9]]
    assert padded([[5]], 0, 3).tolist() == [[5, 0, 0]]
    assert padded([[]], 4).tolist() == [[4]]  # a model needs one token at least


def test_log_probabilities_have_a_floor() -> None:
    assert np.allclose(log_probabilities([[0.25, 0.0]]), [[np.log(0.25), np.log(1e-7)]])


def test_the_fingerprint_follows_content_and_name(tmp_path) -> None:  # type: ignore[no-untyped-def]
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"1")
    before = fingerprint_files(a)
    assert before == fingerprint_files(a) != fingerprint_files(b)
    a.write_bytes(b"2")
    assert fingerprint_files(a) != before
