"""Exact search against arithmetic, the graph against exact search."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overproof.errors import BundleError, MissingExtra
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.hnsw import GRAPH
from overproof.inference.similarity.integers import LEVELS, Integers, cosines, numbers, rounded, wide
from overproof.inference.similarity.interface import best

FLOATS = st.floats(-1, 1, width=32)


def rows_of(count: int, hidden: int = 64, seed: int = 0) -> Integers:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(50, hidden))
    return rounded((centres[random.integers(0, 50, count)] + random.normal(size=(count, hidden))).astype(np.float32))


@given(arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 9)), elements=FLOATS))
def test_rounding_fills_the_range_and_moves_nothing_by_more_than_half_a_step(embeddings: np.ndarray) -> None:
    rows = rounded(embeddings)
    for row, before in zip(rows.astype(float), embeddings.astype(float), strict=True):
        largest = np.abs(before).max()
        assert np.abs(row).max() == (LEVELS if largest else 0)
        assert np.abs(row * largest / LEVELS - before).max() <= largest / LEVELS * 0.5001


@given(arrays(np.int8, (5, 7), elements=st.integers(-LEVELS, LEVELS)))
def test_cosines_are_those_of_fractions(rows: Integers) -> None:
    found = cosines(wide(rows), wide(rows))
    exact = [[int(x) for x in row] for row in rows]
    for i, a in enumerate(exact):
        for j, b in enumerate(exact):
            dot, aa, bb = (sum(x * y for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (a, a), (b, b)))
            square = Fraction(dot * dot, max(aa, 1) * max(bb, 1))
            assert float(found[i, j]) ** 2 == pytest.approx(float(square), rel=1e-12)
            assert np.sign(found[i, j]) == np.sign(dot)


@pytest.mark.parametrize("hidden", [32, 1040, 1041, 4096])
def test_products_are_exact_at_any_width(hidden: int) -> None:
    rows = np.full((2, hidden), LEVELS, dtype=np.int8)
    rows[1, ::2] = 126
    ready = wide(rows)
    expected = rows.astype(np.int64) @ rows.astype(np.int64).T
    np.testing.assert_array_equal(ready.rows @ ready.rows.T, expected)
    np.testing.assert_array_equal(ready.squared, expected.diagonal())


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=30), st.data())
def test_the_best_are_those_of_a_stable_sort(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    near = best(np.array(values), k)
    assert near.rows.tolist() == sorted(range(len(values)), key=lambda i: -values[i])[:k]
    assert near.cosines.tolist() == [values[row] for row in near.rows]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_no_number_is_refused(value: float) -> None:
    embeddings = np.eye(3, dtype=np.float32)
    assert numbers(embeddings) is embeddings
    embeddings[1, 2] = value
    with pytest.raises(BundleError, match="no finite embedding of 1 of 3 events"):
        numbers(embeddings)


@pytest.mark.parametrize("name", SEARCHES)
def test_every_row_is_its_own_nearest_alone_and_in_company(name: str, tmp_path: Path) -> None:
    rows = rows_of(3000)
    write, opened = SEARCHES[name]
    write(rows, tmp_path)
    search = opened(rows, tmp_path)
    asked = rows[::60]
    together = search(asked, 5)
    assert [int(near.rows[0]) for near in together] == list(range(0, 3000, 60))
    for near, query in zip(together, asked, strict=True):
        assert near.cosines[0] == 1.0 and (np.diff(near.cosines) <= 0).all()
        (alone,) = search(query[None], 5)
        np.testing.assert_array_equal(alone.rows, near.rows)
        np.testing.assert_array_equal(alone.cosines, near.cosines)


def test_the_graph_finds_nearly_all_that_exact_search_finds(tmp_path: Path) -> None:
    rows, asked = rows_of(4000), rows_of(200, seed=1)
    SEARCHES["hnsw"][0](rows, tmp_path)
    exact, graph = (SEARCHES[name][1](rows, tmp_path)(asked, 10) for name in ("exact", "hnsw"))
    shared = [len(set(a.rows) & set(b.rows)) / 10 for a, b in zip(exact, graph, strict=True)]
    assert np.mean(shared) > 0.9
    for a, b in zip(exact, graph, strict=True):
        same = np.isin(b.rows, a.rows)
        assert set(b.cosines[same]) <= set(a.cosines)  # what it finds is compared exactly


def test_the_same_rows_give_the_same_graph(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        SEARCHES["hnsw"][0](rows_of(500), tmp_path / name)
    a, b = (next((tmp_path / name).iterdir()).read_bytes() for name in ("a", "b"))
    assert a == b


CRASHING = """
import sys
from pathlib import Path
import numpy as np
from overproof.inference.similarity.hnsw import GRAPH, open_hnsw

rows, path = np.load(sys.argv[1]), Path(sys.argv[2]) / GRAPH
whole, random = path.read_bytes(), np.random.default_rng(15)
refused = 0
for number in range(300):
    changed = bytearray(whole)
    for at in random.integers(rows.size, len(whole), 1 + number % 4):
        changed[at] = random.integers(256)
    path.write_bytes(changed[: random.integers(len(whole))] if number % 10 == 9 else changed)
    try:
        open_hnsw(rows, path.parent)(rows[:4], 3)
    except ValueError as error:
        assert str(error).startswith("no graph of these events: "), error
        refused += 1
print(refused)
"""


def test_a_changed_graph_is_refused_and_never_ends_the_process(tmp_path: Path) -> None:
    """usearch trusts the numbers in its file, and ends the process with some of these."""
    rows = rows_of(400, hidden=16)
    np.save(tmp_path / "rows.npy", rows)
    SEARCHES["hnsw"][0](rows, tmp_path)
    command = [sys.executable, "-c", CRASHING, str(tmp_path / "rows.npy"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (-132, 33, "a node has too many neighbours"),
        (-128, 400, "a neighbour that it does not have"),
        (0, 399, "it has other vectors"),
        (8, 0x01010101, "it has other vectors"),
        (8 + 400 * 16, 0, "it is of another version"),
        (8 + 400 * 16 + 33, 17, "it is of another kind"),
        (8 + 400 * 16 + 64 + 8, 17, "it is of another kind"),
        (8 + 400 * 16 + 64 + 32, 400, "a level is impossible"),
        (8 + 400 * 16 + 64 + 40 + 800, 7, "a key is wrong"),
    ],
)
def test_what_is_wrong_with_a_graph_is_said(at: int, value: int, why: str, tmp_path: Path) -> None:
    rows = rows_of(400, hidden=16)
    SEARCHES["hnsw"][0](rows, tmp_path)
    graph = bytearray((tmp_path / GRAPH).read_bytes())
    place = at % len(graph)
    graph[place : place + 4] = value.to_bytes(4, "little")
    (tmp_path / GRAPH).write_bytes(graph)
    with pytest.raises(ValueError, match=why):
        SEARCHES["hnsw"][1](rows, tmp_path)


def test_without_usearch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    with pytest.raises(MissingExtra, match=r"overproof\[similar\]"):
        SEARCHES["hnsw"][0](rows_of(5), tmp_path)
