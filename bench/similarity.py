"""How well similar events are found: the student's embeddings in INT8 against in FP32, the full model's and n-grams.

Training payloads are what is searched, test payloads what is asked for. The student is the one that `accuracy` made,
its files given the output that later ones have anyway: not a bit of its logits changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
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
from overproof.bundle import MODEL, open_bundle
from overproof.compression.embedding import with_embedding
from overproof.compression.teachers import huggingface
from overproof.runtime import OnnxScorer
from overproof.similar.integers import rounded

K = 10
PLACE = OUT / "embedding"
FULL, FP32, INT8, STORED, NGRAMS = "full model", "student FP32", "student INT8", "student INT8, as indexed", "TF-IDF"
Floats = NDArray[np.float32]
Near = NDArray[np.intp]


def student(place: Path) -> Path:
    """The same bundle, its model with the embedding as an output."""
    out = PLACE / place.name
    if not out.exists():
        opened = open_bundle(place)
        sealed(opened, with_embedding(onnx.load_from_string(opened.files[MODEL])), out)
    return out


def by_student(place: Path) -> Callable[[Sequence[str]], Floats]:
    return OnnxScorer(open_bundle(student(place))).embed


def by_teacher(texts: Sequence[str]) -> Floats:
    """What the full model's classifier reads, each of length 1."""
    teacher = huggingface.load(TEACHER)
    read: list[torch.Tensor] = []
    network: Any = teacher.network.model
    with_hook = network.classifier.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    ids = teacher.encode(texts)
    rows = list(huggingface.by_length([len(row) for row in ids], huggingface.BATCH))
    with torch.inference_mode():
        for batch in rows:
            teacher.network(torch.from_numpy(huggingface.padded([ids[i] for i in batch], teacher.network.pad_id)))
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
    """Recall@10 and the neighbours' families."""
    indexed, asked = (distinct(overproof.load_events([file])) for file in (TRAIN, TEST))
    texts = indexed["text"].to_pylist(), asked["text"].to_pylist()
    families, wanted = (np.array(events["family"].to_pylist()) for events in (indexed, asked))
    vectors = {name: embedded(name, texts) for name in EMBEDDINGS}
    near = {name: nearest(*pair) for name, pair in vectors.items()}
    stored = rounded(vectors[INT8][0]).astype(np.float32)
    near[STORED] = nearest(stored / np.linalg.norm(stored, axis=1, keepdims=True), vectors[INT8][1])
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2, dtype=np.float32)
    near[NGRAMS] = nearest(words.fit_transform(texts[0]), words.transform(texts[1]))
    attacks = wanted != "benign"
    return {
        "indexed": len(texts[0]),
        "asked": len(texts[1]),
        "attacks": int(attacks.sum()),
        "rows": {name: _row(name, near, families, wanted, attacks) for name in (FULL, FP32, INT8, STORED, NGRAMS)},
    }


def _row(name: str, near: dict[str, Near], families: Any, wanted: Any, attacks: Any) -> dict[str, Any]:
    same = (families[near[name]] == wanted[:, None]).mean(axis=1)
    common = [family for family in np.unique(wanted) if (wanted == family).sum() >= 15]
    return {
        "of_fp32": recall(near[name], near[FP32]),
        "of_int8": recall(near[name], near[INT8]),
        "of_full": recall(near[name], near[FULL]),
        "attacks": float(same[attacks].mean()),
        "all": float(same.mean()),
        "families": float(np.mean([same[wanted == family].mean() for family in common])),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """A table: whose neighbours are found, and whether they are of the event's family."""
    head = [
        "embedding",
        "recall@10 of FP32's",
        "of the full model's",
        "neighbours of the family, all",
        "mean of families",
    ]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, row in result["rows"].items():
        cells = [f"{100 * row[of]:.1f} %" for of in ("of_fp32", "of_full", "all", "families")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"\n{result['asked']:,} test payloads, their ten nearest of {result['indexed']:,} training payloads.")
    return "\n".join(lines)
