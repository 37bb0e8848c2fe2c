from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import vstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from overproof.distillation.baseline import fit_baseline, from_bytes, to_bytes
from overproof.distillation.linear_features import byte_ngrams
from overproof.errors import BundleError, InputError

TEXTS = ["hello world", "calle mayor 12", "union select 1", "1' or '1'='1", "<script>alert(1)", "<img onerror=x>"] * 5
LABELS = ["benign", "benign", "sqli", "sqli", "xss", "xss"] * 5


def test_it_is_the_logistic_regression_it_says_it_is() -> None:
    """Against scikit-learn's own model, without the columns in use picked out."""
    rows = vstack(list(byte_ngrams(TEXTS)), format="csr")
    model = LogisticRegression(C=10, solver="saga", tol=3e-3, max_iter=1000, random_state=0).fit(rows, LABELS)
    new = ["hello select", "", "O'Brien", "<script>"]
    baseline = fit_baseline(TEXTS, LABELS, seed=0)
    logits = baseline.logits(new)
    wanted = model.decision_function(vstack(list(byte_ngrams(new)), format="csr"))
    assert baseline.classes == ("benign", "sqli", "xss")
    assert logits.dtype == np.float32
    assert np.allclose(logits, wanted, atol=1e-3)
    assert np.ptp(wanted) > 2


def test_logits_do_not_depend_on_the_batch() -> None:
    baseline = fit_baseline(TEXTS, LABELS, seed=0)
    texts = [f"{TEXTS[k % 6]} {k}" for k in range(1500)]
    together = baseline.logits(texts)
    assert together.shape == (1500, 3)
    for k in (0, 7, 1023, 1024, 1499):
        assert np.array_equal(baseline.logits([texts[k]])[0], together[k])
    assert baseline.logits([]).shape == (0, 3)


def test_what_was_written_is_read_back() -> None:
    baseline = fit_baseline(TEXTS, LABELS, seed=0)
    again = from_bytes(to_bytes(baseline))
    assert (again.classes, again.featurizer) == (baseline.classes, "bytes")
    assert np.array_equal(again.weights, baseline.weights)
    assert np.array_equal(again.logits(TEXTS), baseline.logits(TEXTS))


def changed(content: bytes, **arrays: Any) -> bytes:
    """Return a baseline's file with some arrays replaced, or left out where None is given."""
    with np.load(io.BytesIO(content)) as stored:
        kept = {name: stored[name] for name in stored.files if name not in arrays}
    file = io.BytesIO()
    np.savez(file, **kept, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


def test_a_file_that_names_no_featurizer_reads_as_scikit_learn_did() -> None:
    """As version 0.1 wrote it: hashed by scikit-learn, and still scored so."""
    hasher = HashingVectorizer(
        analyzer="char_wb", lowercase=False, ngram_range=(1, 4), n_features=2**18, alternate_sign=False, norm=None
    )
    scaler = TfidfTransformer(use_idf=False, sublinear_tf=True)
    rows = scaler.fit_transform(hasher.transform(TEXTS))
    model = LogisticRegression(C=10, solver="saga", tol=3e-3, max_iter=1000, random_state=0).fit(rows, LABELS)
    used = np.flatnonzero(model.coef_.any(axis=0)).astype(np.int32)
    weights, bias = model.coef_.T[used].astype(np.float32), model.intercept_.astype(np.float32)
    new = ["hello select", "", "O'Brien", "<script>"]
    file = to_bytes(fit_baseline(TEXTS, LABELS, seed=0))
    old = from_bytes(changed(file, rows=used, weights=weights, bias=bias, featurizer=None))
    assert np.allclose(old.logits(new), model.decision_function(scaler.transform(hasher.transform(new))), atol=1e-4)
    assert from_bytes(to_bytes(old)).featurizer == old.featurizer == "scikit-learn"


def test_an_unknown_featurizer_is_refused() -> None:
    file = changed(to_bytes(fit_baseline(TEXTS, LABELS, seed=0)), featurizer=np.array("words"))
    with pytest.raises(BundleError, match="the kind 'words', expected bytes or scikit-learn"):
        from_bytes(file)


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
