from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from overproof.distillation.baseline import fit_baseline
from overproof.errors import InputError

TEXTS = ["hello world", "calle mayor 12", "union select 1", "1' or '1'='1", "<script>alert(1)", "<img onerror=x>"] * 5
LABELS = ["benign", "benign", "sqli", "sqli", "xss", "xss"] * 5


def test_it_is_the_logistic_regression_it_says_it_is() -> None:
    """Against scikit-learn's own pieces, without the columns in use picked out."""
    hasher = HashingVectorizer(
        analyzer="char_wb", lowercase=False, ngram_range=(1, 4), n_features=2**18, alternate_sign=False, norm=None
    )
    scaler = TfidfTransformer(use_idf=False, sublinear_tf=True)
    rows = scaler.fit_transform(hasher.transform(TEXTS))
    model = LogisticRegression(C=10, solver="saga", tol=3e-3, max_iter=1000, random_state=0).fit(rows, LABELS)
    new = ["hello select", "", "O'Brien", "<script>"]
    baseline = fit_baseline(TEXTS, LABELS, seed=0)
    logits = baseline.logits(new)
    wanted = model.decision_function(scaler.transform(hasher.transform(new)))
    assert baseline.classes == ("benign", "sqli", "xss")
    assert logits.dtype == np.float32
    assert np.allclose(logits, wanted, atol=1e-3)
    assert np.ptp(wanted) > 2


def test_two_classes_have_two_columns() -> None:
    baseline = fit_baseline(TEXTS[:4] * 5, LABELS[:4] * 5, seed=0)
    assert baseline.classes == ("benign", "sqli")
    assert baseline.logits(["hello world", "union select 1"]).argmax(axis=1).tolist() == [0, 1]


def test_what_is_counted() -> None:
    baseline = fit_baseline(TEXTS, LABELS, seed=0)
    used = int(baseline.weights.any(axis=1).sum())
    assert baseline.parameters == int((baseline.weights != 0).sum()) + 3
    assert baseline.bytes == baseline.layouts()["rows in use"] < baseline.layouts()["dense"]
    assert 0 <= baseline.bytes - used * (3 + 1) * 4 < 2000  # weights and row numbers, then the file's own heads


def test_the_same_seed_gives_the_same_model() -> None:
    one, two = (fit_baseline(TEXTS, LABELS, seed=5) for _ in range(2))
    assert np.array_equal(one.weights, two.weights)


def test_one_class_is_no_task() -> None:
    with pytest.raises(InputError, match="two or more labels, these have benign"):
        fit_baseline(["a", "b"], ["benign", "benign"], seed=0)


@pytest.mark.slow
def test_the_figures_of_design_on_real_payloads(shared_data: Path) -> None:
    """Not weaker than DESIGN.md's: accuracy 0.9905, macro-F1 0.951, attacks missed 1.08 %, benign flagged 0.14 %."""
    rows = {}
    for name in ("train", "test"):
        with gzip.open(shared_data / "http" / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows[name] = list(csv.DictReader(file))
    baseline = fit_baseline([r["text"] for r in rows["train"]], [r["family"] for r in rows["train"]], seed=0)
    truth = np.array([r["family"] for r in rows["test"]])
    labels = np.array(baseline.classes)[baseline.logits([r["text"] for r in rows["test"]]).argmax(axis=1)]
    names, support = np.unique(truth, return_counts=True)
    assert np.mean(labels == truth) >= 0.99
    assert f1_score(truth, labels, labels=names[support >= 15], average="macro") >= 0.945
    assert np.mean(labels[truth != "benign"] == "benign") <= 0.0100
    assert np.mean(labels[truth == "benign"] != "benign") <= 0.0020
