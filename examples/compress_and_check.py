"""Compress a scikit-learn classifier of your own into an INT8 student, and check what that cost.

    python examples/compress_and_check.py [FOLDER]

The events are simulated, so that it runs anywhere, and few, so that it takes a minute: too few
to learn much from, and the check says so. Put your own files in their place. Needs the extra `compress`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import overproof
from overproof.events.simulate import simulate

EVENTS, EPOCHS, SEED = 1000, 2, 0
TRAFFIC = simulate(EVENTS, seed=SEED)
TEACHER = f"{Path(__file__).stem}:teacher"  # module:attribute, as `overproof compress --teacher` takes it


def teacher() -> Pipeline:
    """Train the model that is to be compressed; anything with `predict_proba` and `classes_` will do."""
    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2)
    pipeline = make_pipeline(features, LogisticRegression(C=10, max_iter=300))
    pipeline.fit(TRAFFIC.train["text"].to_pylist(), TRAFFIC.train["label"].to_pylist())
    return pipeline


def main(out: Path) -> None:
    """Compress, check, and print what came of it."""
    report = overproof.compress(
        TRAFFIC.train,
        test=TRAFFIC.test,
        teacher=TEACHER,
        student="tiny-student",
        epochs=EPOCHS,
        out=out / "bundle",
        evidence=out / "evidence",
        seed=SEED,
    )
    print(report.comparison.render())
    checked = overproof.check(
        out / "bundle",
        TRAFFIC.test,
        full=TEACHER,
        evidence=out / "evidence",
        out=out / "check",
        attack=0,  # no red team: it takes a minute more
    )
    print(f"{checked.decision}, with all reasons: {out / 'check' / 'report.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples"))
