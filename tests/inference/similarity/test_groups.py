"""Groups depend on the events and their order alone, and survive being written down."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.inference.similarity.groups import BLOCK, Groups


def events(seed: int, count: int, centres: int = 12, hidden: int = 48) -> Floats:
    """Points scattered so widely about a few centres that some pairs lie just at any threshold."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(centres, hidden))[random.integers(0, centres, count)]
    found = (points + random.normal(size=points.shape) * random.choice([0, 0.2, 0.5], (count, 1))).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def texts(count: int) -> list[str]:
    return [f"event {i}" for i in range(count)]


def one_by_one(embeddings: Floats, threshold: float, capacity: int) -> list[int]:
    """The same, written down plainly in whole numbers of Python."""
    rows = [np.rint(e * (127 / np.abs(e).max())).astype(int).tolist() for e in embeddings]
    leaders: list[list[int]] = []  # [group, used, *row], oldest place first
    found, started = [], 0
    for now, row in enumerate(rows):
        best, near = -2.0, None
        for leader in leaders:
            dot, a, b = (sum(x * y for x, y in zip(p, q, strict=True)) for p, q in (
                (row, leader[2:]), (row, row), (leader[2:], leader[2:])
            ))  # fmt: skip
            if dot / (a * b) ** 0.5 > best:
                best, near = dot / (a * b) ** 0.5, leader
        if near is None or best < threshold:
            near = [started, now, *row]
            started += 1
            if len(leaders) < capacity:
                leaders.append(near)
            else:
                leaders[min(range(capacity), key=lambda i: leaders[i][1])] = near
        near[1] = now
        found.append(near[0])
    return found


@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 40), min_size=1, max_size=6),
    st.sampled_from([0.5, 0.8, 0.9, 1.0]),
    st.sampled_from([1, 3, 8, 100]),
)
def test_any_batching_gives_the_groups_of_one_by_one(
    seed: int, sizes: list[int], threshold: float, capacity: int
) -> None:
    embeddings, groups, found, start = events(seed, sum(sizes)), Groups(threshold, capacity), [], 0
    for size in sizes:
        part = slice(start, start + size)
        found += groups.assign(embeddings[part], texts(sum(sizes))[part])
        start += size
    assert found == one_by_one(embeddings, threshold, capacity)
    assert groups.count == len(set(found))


@given(st.integers(0, 1000), st.integers(0, 60), st.sampled_from([2, 50]))
def test_a_run_goes_on_from_what_was_written_down(seed: int, place: int, capacity: int) -> None:
    embeddings, told = events(seed, 60), texts(60)
    whole = Groups(0.8, capacity)
    expected = whole.assign(embeddings, told)
    first = Groups(0.8, capacity)
    found = first.assign(embeddings[:place], told[:place])
    again = Groups.from_json(json.loads(json.dumps(first.to_json())))
    found += again.assign(embeddings[place:], told[place:])
    assert found == expected
    assert again.to_json() == whole.to_json()


def test_more_events_than_a_block() -> None:
    embeddings = events(1, 2 * BLOCK + 7)
    at_once = Groups(0.8).assign(embeddings, texts(len(embeddings)))
    single = Groups(0.8)
    assert at_once == [single.assign(e[None], ["x"])[0] for e in embeddings]
    assert 1 < len(set(at_once)) < len(embeddings)


def test_the_group_joined_longest_ago_is_forgotten() -> None:
    a, b, c = np.eye(3, 8, dtype=np.float32)
    groups = Groups(0.9, capacity=2)
    assert groups.assign(np.stack([a, b, a, c, a, b]), texts(6)) == [0, 1, 0, 2, 0, 3]
    assert [(group.number, group.size, group.text) for group in groups.largest()] == [
        (0, 3, "event 0"),
        (3, 1, "event 5"),
    ]


def test_equal_events_share_a_group_at_any_threshold() -> None:
    embeddings = np.repeat(events(3, 20, centres=20), 2, axis=0)
    found = Groups(1.0).assign(embeddings, texts(40))
    assert found[0::2] == found[1::2]


def test_nothing_to_group() -> None:
    groups = Groups()
    assert groups.assign(np.zeros((0, 16), np.float32), []) == []
    assert Groups.from_json(groups.to_json()).to_json() == groups.to_json()
    assert groups.count == 0


def test_embeddings_of_zeros_are_no_neighbours_of_anything() -> None:
    assert Groups(0.5).assign(np.zeros((2, 16), np.float32), texts(2)) == [0, 1]


@pytest.mark.parametrize(("threshold", "capacity"), [(0.0, 5), (1.1, 5), (float("nan"), 5), (0.9, 0)])
def test_settings_that_cannot_be(threshold: float, capacity: int) -> None:
    with pytest.raises(InputError, match="threshold"):
        Groups(threshold, capacity)
