"""Measure how well similar events are found: embeddings in INT8 and FP32, the full model's, n-grams.

Training payloads are what is searched, test payloads what is asked for. A classifier's embeddings of one class lie
close together, so that which ten of some thousands are nearest hangs on very little: beside the share of the same ten
the table says how near those found are by the full model's own embeddings. The student is the one that `accuracy` made,
its files given the output that later ones have anyway: not a bit of its logits changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import torch
from accuracy import STUDENT, TEACHER, bundle, kept
from numpy.typing import NDArray
from sabotage import sealed
from settings import OUT, TEST, TRAIN
from sklearn.feature_extraction.text import TfidfVectorizer

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.distillation.embedding_output import with_embedding
from overproof.distillation.teachers import huggingface
from overproof.distillation.teachers.interface import by_length, padded
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.integers import rounded

K = 10
ALONE = 200  # queries that are timed one by one
PLACE = OUT / "embedding"
FULL, FP32, INT8, NGRAMS = "full model", "student FP32", "student INT8", "character n-grams, TF-IDF"
INDEXED = {"exact": "student INT8, indexed, exact", "hnsw": "student INT8, indexed, graph"}
NAMES = (FULL, FP32, INT8, *INDEXED.values(), NGRAMS)
Floats = NDArray[np.float32]
Near = NDArray[np.intp]


def student(place: Path) -> Path:
    """Return the same bundle, its model with the embedding as an output."""
    out = PLACE / place.name
    if not out.exists():
        opened = open_bundle(place)
        sealed(opened, with_embedding(onnx.load_from_string(opened.files[MODEL])), out)
    return out


def by_student(place: Path) -> Callable[[Sequence[str]], Floats]:
    return OnnxScorer(open_bundle(student(place))).embed


def by_teacher(texts: Sequence[str]) -> Floats:
    """Return what the full model's classifier reads, each of length 1."""
    teacher = huggingface.load(TEACHER)
    read: list[torch.Tensor] = []
    network: Any = teacher.network.model
    with_hook = network.classifier.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    ids = teacher.encode(texts)
    rows = list(by_length([len(row) for row in ids], huggingface.BATCH))
    with torch.inference_mode():
        for batch in rows:
            teacher.network(torch.from_numpy(padded([ids[i] for i in batch], teacher.network.pad_id)))
    with_hook.remove()
    found = np.concatenate([part.numpy() for part in read])[np.argsort(np.concatenate(rows))]
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


EMBEDDINGS: dict[str, Callable[[], Callable[[Sequence[str]], Floats]]] = {
    FULL: lambda: by_teacher,
    FP32: lambda: by_student(kept(STUDENT, 0)),
    INT8: lambda: by_student(bundle(STUDENT, 0)),
}


def distinct(events: pa.Table) -> pa.Table:
    """Each text once, the first time it comes."""
    first = {text: row for row, text in reversed(list(enumerate(events["text"].to_pylist())))}
    return events.take(sorted(first.values()))


def embedded(name: str, texts: tuple[Sequence[str], Sequence[str]]) -> tuple[Floats, Floats]:
    """Embeddings of indexed and of asked texts, kept on the disk."""
    PLACE.mkdir(parents=True, exist_ok=True)
    file = PLACE / f"{name.replace(' ', '-')}.npz"
    if not file.exists():
        embed = EMBEDDINGS[name]()
        np.savez(file, *(embed(part) for part in texts))
    with np.load(file) as found:
        return found["arr_0"], found["arr_1"]


def nearest(indexed: Any, asked: Any) -> Near:
    """Places of the K nearest, (asked, K): the rows are of length 1, their products cosines."""
    found = []
    for start in range(0, asked.shape[0], 256):
        product = asked[start : start + 256] @ indexed.T
        cosines = product if isinstance(product, np.ndarray) else product.toarray()
        found.append(np.argpartition(-cosines, K, axis=1)[:, :K])
    return np.concatenate(found)


def recall(near: Near, truth: Near) -> float:
    """Share of the true K nearest that are among the K found."""
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(near.tolist(), truth.tolist(), strict=True)]))


def measured() -> dict[str, Any]:
    """Recall@10, how near the neighbours are by the full model, their families, and the index's speed."""
    indexed, asked = (distinct(overproof.load_events([file])) for file in (TRAIN, TEST))
    texts = indexed["text"].to_pylist(), asked["text"].to_pylist()
    vectors = {name: embedded(name, texts) for name in EMBEDDINGS}
    near = {name: nearest(*pair) for name, pair in vectors.items()}
    seconds = {}
    for way, name in INDEXED.items():
        near[name], seconds[name] = _by_index(way, *vectors[INT8])
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2, dtype=np.float32)
    near[NGRAMS] = nearest(words.fit_transform(texts[0]), words.transform(texts[1]))
    families = [np.array(events["family"].to_pylist()) for events in (indexed, asked)]
    return {
        "indexed": len(texts[0]),
        "asked": len(texts[1]),
        "ms": {name: 1000 * taken for name, taken in seconds.items()},
        "rows": {
            name: {
                "of_fp32": recall(near[name], near[FP32]),
                "of_full": recall(near[name], near[FULL]),
                "cosine": _cosine(near[name], *vectors[FULL]),
                **_of_the_family(near[name], *families),
            }
            for name in NAMES
        },
    }


def _by_index(way: str, indexed: Floats, asked: Floats) -> tuple[Near, float]:
    """Return what an index finds, and the seconds that one query takes alone."""
    rows, queries = rounded(indexed), rounded(asked)
    write, opened = SEARCHES[way]
    write(rows, PLACE)
    search = opened(rows, PLACE)
    begin = perf_counter()
    for query in queries[:ALONE]:
        search(query[None], K)
    taken = (perf_counter() - begin) / ALONE
    return np.stack([one.rows for one in search(queries, K)]), taken


def _cosine(near: Near, indexed: Floats, asked: Floats) -> float:
    """Mean cosine of events and their neighbours."""
    return float(np.mean([float((indexed[rows] @ one).mean()) for rows, one in zip(near, asked, strict=True)]))


def _of_the_family(near: Near, families: Any, wanted: Any) -> dict[str, float]:
    """Share of neighbours that are of the event's family: of attacks, and the mean over families of 15 rows or more."""
    same = (families[near] == wanted[:, None]).mean(axis=1)
    common = [family for family in np.unique(wanted) if (wanted == family).sum() >= 15]
    means = [same[wanted == family].mean() for family in common]
    return {"attacks": float(same[wanted != "benign"].mean()), "families": float(np.mean(means))}


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table: whose neighbours are found, how near they are, and whether they are of the event's family."""
    head = ["ten nearest by", "of student FP32's ten", "of the full model's ten", "full model's cosine"]
    head += ["same family, attacks", "same family, mean of families"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, row in result["rows"].items():
        found, full, attacks, families = (
            f"{100 * row[share]:.1f} %" for share in ("of_fp32", "of_full", "attacks", "families")
        )
        lines.append(f"| {name} | {found} | {full} | {row['cosine']:.4f} | {attacks} | {families} |")
    exact, graph = (result["ms"][name] for name in INDEXED.values())
    lines.append(
        f"\n{result['asked']:,} test payloads, their ten nearest of {result['indexed']:,} training payloads; one "
        f"search takes {exact:.1f} ms exactly and {graph:.1f} ms in the graph, besides the embedding."
    )
    return "\n".join(lines)
