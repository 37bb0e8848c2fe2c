"""Find what resembles an event: an index of embeddings to search in, and groups of near-duplicates.

`build` writes an index, `search` asks it; `store` is its folder, `integers` how its embeddings are rounded. `SEARCHES`
is the whole list of ways to search one: how to prepare it, and how to open it.
"""

from __future__ import annotations

from overproof.inference.similarity.exact import open_exact, write_exact
from overproof.inference.similarity.hnsw import open_hnsw, write_hnsw
from overproof.inference.similarity.interface import Open, Write

SEARCHES: dict[str, tuple[Write, Open]] = {
    "exact": (write_exact, open_exact),
    "hnsw": (write_hnsw, open_hnsw),
}
