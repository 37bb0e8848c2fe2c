"""Search approximately in usearch's graph of neighbours (Malkov and Yashunin 2016); its finds are compared exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overproof.errors import MissingExtra
from overproof.files import utf8_path
from overproof.inference.similarity.graph import require_graph
from overproof.inference.similarity.integers import Integers, cosines, wide
from overproof.inference.similarity.interface import Near, Search, best

GRAPH = "graph.usearch"  # ends the name of the file
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 128
CANDIDATES = 4  # found for each that is wanted, before they are compared exactly
BLOCK = 1 << 14


def write_hnsw(rows: Integers, folder: Path, prefix: str = "") -> None:
    """Build the graph, in `PREFIXgraph.usearch`; on one thread, so that the same rows give the same graph."""
    graph = _index(rows.shape[1])
    for start in range(0, len(rows), BLOCK):
        block = np.ascontiguousarray(rows[start : start + BLOCK])
        graph.add(np.arange(start, start + len(block), dtype=np.uint64), block, threads=1)
    with utf8_path(folder) as name:
        graph.save(f"{name}/{prefix}{GRAPH}")


def open_hnsw(rows: Integers, folder: Path, prefix: str = "") -> Search:
    """Search in `rows` through the graph, which stays on the disk; ValueError where it is no graph of these."""
    graph = _index(rows.shape[1])
    # usearch itself ends the process where a number in it is wrong
    require_graph(folder / f"{prefix}{GRAPH}", rows, CONNECTIVITY)
    with utf8_path(folder) as name:
        graph.view(f"{name}/{prefix}{GRAPH}")

    def search(queries: Integers, k: int) -> list[Near]:
        wanted = min(len(rows), max(CANDIDATES * k, EXPANSION_SEARCH))
        return [_compared(graph.search(query, wanted, threads=1).keys, query, k) for query in queries]

    def _compared(keys: Any, query: Integers, k: int) -> Near:
        found = np.sort(np.asarray(keys, dtype=np.intp))
        return best(cosines(wide(query[None]), wide(rows[found]))[0], min(k, len(found)), found)

    return search


def require_usearch() -> Any:
    """Return the package's class; MissingExtra if it is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtra("a search among many needs the package usearch: pip install 'overproof[similar]'") from None
    return Index


def _index(hidden: int) -> Any:
    return require_usearch()(
        ndim=hidden,
        metric="cos",
        dtype="i8",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
