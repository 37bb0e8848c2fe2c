"""A bundle in Python: a classifier that scikit-learn takes, for whatever events are handed over in."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import overproof
from overproof import Classifier
from overproof.bundle.scores import Scores, Verdict
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.inference.explanation import explain

TEXTS = ["ABC DEF", "select * from users", "", "A B " * 200, "é\x00", "JJJ"]


@pytest.fixture(scope="module")
def classifier(small_bundle: Path) -> Classifier:
    return overproof.open(small_bundle)


@pytest.fixture(scope="module")
def labels(classifier: Classifier) -> np.ndarray:
    return classifier.predict(TEXTS)


def frame(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=[10 * i for i in range(len(next(iter(columns.values()))))])


WAYS: dict[str, Any] = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "numpy": np.array(TEXTS, dtype=object),
    "numpy of one column": np.array(TEXTS, dtype=object)[:, None],
    "numpy of str": np.array(["ABC DEF", "JJJ"]),
    "pandas series": pd.Series(TEXTS),
    "pandas categories": pd.Series(TEXTS).astype("category"),
    "pandas frame": frame(source=["x"] * len(TEXTS), payload=TEXTS, bytes=[1] * len(TEXTS)),
    "pandas frame of one column": frame(anything=TEXTS),
    "Polars series": pl.Series(TEXTS),
    "Polars categories": pl.Series(TEXTS, dtype=pl.Categorical),
    "Polars frame": pl.DataFrame({"source": ["x"] * len(TEXTS), "payload": TEXTS, "bytes": [1] * len(TEXTS)}),
    "Polars frame of categories": pl.DataFrame(
        {"n": range(len(TEXTS)), "text": pl.Series(TEXTS, dtype=pl.Enum(TEXTS))}
    ),
    "Polars frame of one column": pl.DataFrame({"anything": TEXTS}),
    "Polars frame in chunks": pl.concat([pl.DataFrame({"text": part}) for part in (TEXTS[:2], TEXTS[2:])]),
    "Arrow table": pa.table({"text": TEXTS, "n": list(range(len(TEXTS)))}),
    "Arrow batch": pa.RecordBatch.from_pydict({"text": TEXTS}),
    "Arrow array": pa.array(TEXTS),
    "Arrow chunks": pa.chunked_array([TEXTS[:2], TEXTS[2:]]),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_events_are_the_same_in_whatever_they_come(classifier: Classifier, way: Any) -> None:
    given = way() if callable(way) else way
    texts = ["ABC DEF", "JJJ"] if isinstance(way, np.ndarray) and way.dtype != object else TEXTS
    np.testing.assert_array_equal(classifier.predict_proba(given), classifier.predict_proba(texts))


def test_a_text_is_one_event_and_not_its_characters(classifier: Classifier) -> None:
    assert classifier.predict("ABC DEF").shape == (1,)
    verdict = classifier.judge("ABC DEF")
    assert isinstance(verdict, Verdict)
    assert verdict == classifier.judge(["ABC DEF"])[0]
    assert classifier.explain("ABC DEF") == classifier.explain(["ABC DEF"])[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "events: None, expected a text"),
        (b"ABC", "events: bytes, expected a text"),
        ({"text": ["ABC"]}, "events: dict, expected a text"),
        (7, "events: int, expected a text"),
        (["ABC", None], "events[1]: None, expected text; fill missing values in, or drop them, first"),
        (pd.Series(["ABC", np.nan]), "events[1]: nan, expected text; fill missing"),
        (pd.DataFrame({"text": ["ABC", None]}), "events[1]: None, expected text; fill missing"),
        (pl.Series(["ABC", None]), "events[1]: None, expected text; fill missing"),
        (pl.DataFrame({"text": ["ABC", None]}), "events[1]: None, expected text; fill missing"),
        (pl.DataFrame({"text": [1, 2]}), "events[0]: 1, expected text"),
        (pl.LazyFrame({"text": ["ABC"]}), "events: a LazyFrame, whose rows are not computed yet; hand over"),
        (pl.col("text"), "events: Expr, expected a text"),
        ([b"ABC"], "events[0]: b'ABC', expected text"),
        ([["ABC"]], "events[0]: ['ABC'], expected text"),
        (np.zeros((2, 2), dtype=object), "events: an array of shape (2, 2), expected (n,) or (n, 1) of texts"),
        (np.array("ABC"), "events: an array of shape ()"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "events: no text column: looked for text"),
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), "events: no text column: looked for text"),
        (pl.DataFrame(), "events: no text column: looked for text"),
    ],
    ids=[
        "None",
        "bytes",
        "dict",
        "number",
        "None inside",
        "NaN",
        "frame",
        "null in a Polars series",
        "null in a Polars frame",
        "Polars frame of numbers",
        "Polars frame that is not computed",
        "Polars expression",
        "bytes inside",
        "list",
        "2-D",
        "0-D",
        "no text",
        "no text in Polars",
        "no columns",
    ],
)
def test_what_is_no_event_is_told(classifier: Classifier, given: Any, told: str) -> None:
    for ask in (classifier.predict, classifier.predict_proba, classifier.judge, classifier.explain, classifier.score):
        with pytest.raises(InputError) as error:
            ask(given)
        assert str(error.value).startswith(told)


def test_judge_gives_back_the_like(classifier: Classifier) -> None:
    verdicts = classifier.judge(TEXTS)
    given = WAYS["pandas frame"]
    found = classifier.judge(given)
    assert isinstance(found, pd.DataFrame)
    assert found.index.tolist() == given.index.tolist()
    assert found["label"].tolist() == [one.label for one in verdicts]
    assert found["attack"].tolist() == pytest.approx([one.attack for one in verdicts])
    assert [*found.columns[2:-2]] == [f"probability.{name}" for name in classifier.classes]
    assert isinstance(classifier.judge(WAYS["Arrow table"]), pa.Table)
    assert isinstance(classifier.judge(WAYS["Arrow batch"]), pa.RecordBatch)
    assert classifier.judge(WAYS["Arrow batch"].slice(0, 0)).num_rows == 0
    assert classifier.judge(WAYS["pandas series"]) == verdicts


def test_judge_gives_back_a_polars_frame_for_a_polars_frame(classifier: Classifier) -> None:
    given = WAYS["Polars frame"]
    found = classifier.judge(given)
    assert isinstance(found, pl.DataFrame)
    verdicts = classifier.judge(TEXTS)
    assert found["label"].to_list() == [one.label for one in verdicts]
    assert found["attack"].to_list() == pytest.approx([one.attack for one in verdicts])
    assert found.columns == classifier.judge(WAYS["pandas frame"]).columns.tolist()
    assert pl.concat([given, found], how="horizontal").shape == (len(TEXTS), given.width + found.width)
    none = classifier.judge(given.clear())
    assert isinstance(none, pl.DataFrame) and none.schema == found.schema and none.height == 0
    assert classifier.judge(WAYS["Polars series"]) == verdicts
    assert classifier.judge(WAYS["Polars series"].clear()) == []


def test_polars_rows_are_selected_by_what_they_score(classifier: Classifier) -> None:
    given = WAYS["Polars frame"]
    labels = classifier.predict(given)
    kept = given.filter(labels == labels[0])
    assert kept["payload"].to_list() == [text for text, label in zip(TEXTS, labels, strict=True) if label == labels[0]]
    assert classifier.score(given, pl.Series(labels)) == 1


def test_what_python_is_told_names_no_option_of_the_command_line(classifier: Classifier) -> None:
    with pytest.raises(InputError) as error:
        classifier.predict(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    assert str(error.value).endswith("found 'a', 'b'; hand over the text's column")


def test_labels_probabilities_and_scores_belong_together(classifier: Classifier, labels: np.ndarray) -> None:
    scores = classifier.score(TEXTS)
    assert isinstance(scores, Scores)
    assert classifier.classes_.tolist() == sorted(classifier.classes)
    assert labels.tolist() == [one.label for one in classifier.judge(TEXTS)]
    probabilities = classifier.predict_proba(TEXTS)
    for place, name in enumerate(classifier.classes_):
        np.testing.assert_array_equal(probabilities[:, place], scores.probabilities[:, classifier.classes.index(name)])
    logits = classifier.decision_function(TEXTS)
    assert logits.shape == (len(TEXTS), len(classifier.classes_))
    np.testing.assert_allclose(
        np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), probabilities, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(classifier.attack_probability(TEXTS), [one.attack for one in classifier.judge(TEXTS)])
    assert classifier.explain(TEXTS) == explain(classifier.student, TEXTS)
    assert classifier.embed(TEXTS).shape == (len(TEXTS), classifier.hidden)


def test_scikit_learn_takes_it(classifier: Classifier, labels: np.ndarray) -> None:
    assert is_classifier(classifier)
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), classifier)
    assert pipeline.predict(TEXTS).tolist() == classifier.predict([text.upper() for text in TEXTS]).tolist()
    assert pipeline.fit(TEXTS, labels).predict_proba(TEXTS).shape == (len(TEXTS), len(classifier.classes_))
    assert classifier.score(TEXTS, labels) == get_scorer("accuracy")(classifier, TEXTS, labels) == 1
    wrong = np.roll(classifier.classes_, 1)[np.searchsorted(classifier.classes_, labels)]
    assert classifier.score(TEXTS, wrong) == 0
    y = classifier.classes_[np.arange(30) % len(classifier.classes_)]
    texts = [f"{name} {i}" for i, name in enumerate(y)]
    expected = log_loss(y, classifier.predict_proba(texts), labels=classifier.classes_)
    assert -get_scorer("neg_log_loss")(classifier, texts, y) == pytest.approx(expected)
    assert 0 <= get_scorer("roc_auc_ovr")(classifier, texts, y) <= 1
    assert len(cross_val_score(classifier, texts, y, cv=2)) == 2


def test_it_is_pickled_by_its_path(classifier: Classifier, small_bundle: Path, tmp_path: Path) -> None:
    pickled = pickle.dumps(classifier)
    assert len(pickled) < 1_000
    assert pickle.loads(pickled).predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()
    shutil.copytree(small_bundle, tmp_path / "b")
    moved = pickle.dumps(overproof.open(tmp_path / "b"))
    (tmp_path / "b" / "model.onnx").write_bytes(b"changed")
    with pytest.raises(TamperedBundle):
        pickle.loads(moved)


def test_another_bundle_in_the_same_place_is_not_what_was_pickled(
    small_bundle: Path, first_bundle: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_bundle, tmp_path / "b")
    pickled = pickle.dumps(overproof.open(tmp_path / "b"))
    shutil.rmtree(tmp_path / "b")
    shutil.copytree(first_bundle, tmp_path / "b")
    with pytest.raises(BundleError, match="another bundle than the one that was pickled"):
        pickle.loads(pickled)


def test_a_bundle_of_two_students_is_a_classifier_too(tiered_bundle: Path) -> None:
    two = overproof.open(tiered_bundle)
    assert two.predict(TEXTS).tolist() == [one.label for one in two.judge(TEXTS)]
    assert two.score(TEXTS).tier is not None


def test_other_parameters_open_it_anew(classifier: Classifier) -> None:
    copy = clone(classifier).set_params(threads=2)
    assert copy.threads == 2
    assert copy.predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()
    with pytest.raises(InputError, match="no parameter depth: expected bundle, threads, trust"):
        copy.set_params(depth=3)


def test_it_says_what_it_is_in_a_line_and_on_a_page(classifier: Classifier) -> None:
    text, page = repr(classifier), classifier._repr_html_()
    assert text.startswith("Classifier('")
    assert "\n" not in text
    for said in (*classifier.classes, classifier.manifest.precision):
        assert said in text
        assert said in page
