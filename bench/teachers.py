"""Distil other kinds of teachers: scikit-learn, soft labels somebody else ran, an average of two."""

from __future__ import annotations

import csv
from typing import Any

from accuracy import TEACHER
from settings import OUT, TEST, TRAIN
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import overproof
from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.progress import terminal

SOFT = OUT / "soft.csv"
KINDS: dict[str, tuple[list[str], str]] = {
    "scikit-learn": (["teachers:pipeline"], "small-student"),
    "soft-labels": ([f"labels:{SOFT}"], "small-student"),
    "average": ([f"{TEACHER}@1", "teachers:pipeline@1"], "tutorial-student"),
}


def pipeline() -> Pipeline:
    """Character n-grams and logistic regression, fitted on the training rows: what `module:attribute` names."""
    events = overproof.load_events([TRAIN])
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2)
    return make_pipeline(words, LogisticRegression(C=10, max_iter=300)).fit(
        events["text"].to_pylist(), events["label"].to_pylist()
    )


def soft_labels() -> None:
    """Write what the pipeline thinks of every training and test row, as a black box would hand it over."""
    model = pipeline()
    texts = [t for file in (TRAIN, TEST) for t in overproof.load_events([file])["text"].to_pylist()]
    with SOFT.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *model.classes_])
        writer.writerows([t, *(f"{x:.6f}" for x in p)] for t, p in zip(texts, model.predict_proba(texts), strict=True))


def distilled(kind: str) -> dict[str, Any]:
    """Return a student of one kind of teacher: the teacher's and the INT8 student's figures."""
    specs, student = KINDS[kind]
    if kind == "soft-labels":
        soft_labels()
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        teacher=specs,
        out=OUT / f"from-{kind}",
        student=student,
        cache=OUT / "cache",
        console=terminal(),
    )
    rows = [report.comparison.row(name).metrics for name in (FULL, QUANTIZED)]  # type: ignore[union-attr]
    return {
        name: {"accuracy": m.accuracy, "macro_f1": m.macro_f1, "fn": m.fn_rate, "fp": m.fp_rate}  # type: ignore[union-attr]
        for name, m in zip((FULL, QUANTIZED), rows, strict=True)
    }


def to_markdown(results: dict[str, dict[str, Any]]) -> str:
    """Two rows for each kind of teacher: itself, and its INT8 student."""
    lines = ["| teacher | | accuracy | macro-F1 | FN | FP |", "| --- | --- |" + " ---: |" * 4]
    for kind, result in results.items():
        for name, who in ((FULL, "itself"), (QUANTIZED, f"{KINDS[kind][1]} INT8")):
            r = result[name]
            rates = [f"{100 * r[figure]:.2f} %" for figure in ("accuracy", "fn", "fp")]
            cells = [kind if name == FULL else "", who, rates[0], f"{r['macro_f1']:.4f}", *rates[1:]]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
