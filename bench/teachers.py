"""Other kinds of teachers, really distilled: a scikit-learn pipeline, and a file of soft labels somebody else ran."""

from __future__ import annotations

import csv
from typing import Any

from settings import OUT, TEST, TRAIN
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import overproof
from overproof.compare import FULL, INT8
from overproof.progress import terminal

SOFT = OUT / "soft.csv"


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
    """A small student of one kind of teacher: the teacher's and the INT8 student's figures."""
    if kind == "soft-labels":
        soft_labels()
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        teacher={"scikit-learn": "teachers:pipeline", "soft-labels": f"labels:{SOFT}"}[kind],
        out=OUT / f"from-{kind}",
        student="small-student",
        epochs=6,
        cache=OUT / "cache",
        console=terminal(),
    )
    rows = [report.comparison.row(name).metrics for name in (FULL, INT8)]  # type: ignore[union-attr]
    return {
        name: {"accuracy": m.accuracy, "fn": m.fn_rate, "agreement": m.agreement}  # type: ignore[union-attr]
        for name, m in zip((FULL, INT8), rows, strict=True)
    }


def to_markdown(results: dict[str, dict[str, Any]]) -> str:
    """A row for each kind of teacher."""
    lines = [
        "| teacher | its accuracy | small-student INT8 | agreement | its FN | student's FN |",
        "| --- |" + " ---: |" * 5,
    ]
    for kind, result in results.items():
        full, student = result[FULL], result[INT8]
        cells = [full["accuracy"], student["accuracy"], student["agreement"], full["fn"], student["fn"]]
        lines.append(f"| {kind} | {' | '.join(f'{100 * c:.2f} %' for c in cells)} |")
    return "\n".join(lines)
