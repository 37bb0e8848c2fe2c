"""Judge events in Python: a bundle as a classifier in the shape of scikit-learn's, which need not be installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.manifest import Manifest, copy_bundle, open_bundle, seal
from overproof.bundle.runtime import judged, require_numbers
from overproof.bundle.scores import Floats, Scores, Verdict
from overproof.bundle.signing import Trust
from overproof.bundle.tiers import Student, open_student
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.events.given import is_table, like, texts_of
from overproof.inference.explanation import Span, explain
from overproof.report.markup import Html, name, table

_PARAMETERS = ("bundle", "threads", "trust")


class Classifier:
    """A bundle that judges events: `predict`, `predict_proba`, `decision_function`, `judge`, `explain`, `embed`.

    Events are a text (one event), texts, an array of them, a frame of pandas or Polars, or an Arrow table. It is fitted
    already, goes into scikit-learn's pipelines, metrics and `clone`, and is pickled by the path of its bundle, which
    has to be the same when it is loaded.

    Parameters
    ----------
    bundle
        Folder of the bundle; its hashes are verified.
    threads
        Threads that one call may use.
    trust
        Whose signature the bundle has to have; None asks for none.

    Attributes
    ----------
    classes_
        Names of the classes, sorted: the order of the columns of `predict_proba` and `decision_function`.
    manifest
        What the bundle says of itself; `manifest.classes` has the order of `score`.

    Raises
    ------
    BundleError, TamperedBundle, InputError, MissingExtra
        See `manifest.open_bundle` and `tiers.open_student`.
    """

    def __init__(self, bundle: str | Path, *, threads: int = 1, trust: Trust | None = None) -> None:
        self.bundle, self.threads, self.trust = bundle, threads, trust
        self.student: Student = open_student(open_bundle(bundle, trust), threads=threads)
        self.manifest: Manifest = self.student.manifest
        self._order = np.argsort(np.array(self.manifest.classes))
        self.classes_: NDArray[np.str_] = np.array(self.manifest.classes)[self._order]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the score columns."""
        return self.manifest.classes

    @property
    def hidden(self) -> int | None:
        """Width of the embedding; None where the model gives none."""
        return self.student.hidden

    def predict(self, events: Any) -> NDArray[np.str_]:
        """Return the label of each event, shape (n,): an attack where attacks together are likelier than not.

        So it may be another than that with the highest `predict_proba`, where the attack's family is open.
        """
        scores = self._scores(events)
        return np.array(self.manifest.classes)[scores.labels]

    def predict_proba(self, events: Any) -> Floats:
        """Return the probability of each class, shape (n, classes), in the order of `classes_`."""
        return np.asarray(self._scores(events).probabilities[:, self._order])

    def decision_function(self, events: Any) -> Floats:
        """Return logits in the order of `classes_`, shape (n, classes); of two classes the second's log-odds, (n,)."""
        logits = self._scores(events).logits[:, self._order]
        return np.asarray(logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits)

    def attack_probability(self, events: Any) -> Floats:
        """Return the probability that each event is not benign, shape (n,): what thresholds and ROC curves are of."""
        return self.student.attack(self._scores(events).probabilities)

    @overload
    def judge(self, events: str, origins: Sequence[str] | None = None) -> Verdict: ...  # type: ignore[overload-overlap]
    @overload
    def judge(self, events: Sequence[str], origins: Sequence[str] | None = None) -> list[Verdict]: ...
    @overload
    def judge(self, events: Any, origins: Sequence[str] | None = None) -> Any: ...
    def judge(self, events: Any, origins: Sequence[str] | None = None) -> Any:
        """Judge events: a verdict on a text, a list of them on texts, and on a table a table of its kind.

        Parameters
        ----------
        origins
            Where each came from; `event:1`, `event:2`, … if not given.

        Raises
        ------
        InputError
            What is no text: where, and what was expected.
        BundleError
            Scores that are no numbers: there is no verdict on them.
        """
        texts = texts_of(events)
        verdicts = judged(self.student.score(texts), self.student.attack, origins)
        if isinstance(events, str):
            return verdicts[0]
        return like(events, _tabled(verdicts, self.manifest.classes)) if is_table(events) else verdicts

    def explain(self, events: Any) -> Any:
        """Return the spans that carry each event's verdict: see `inference.explanation.explain`.

        Returns
        -------
        A tuple of `Span` for a text, and else a list of such tuples.
        """
        spans: list[tuple[Span, ...]] = explain(self.student, texts_of(events))
        return spans[0] if isinstance(events, str) else spans

    def embed(self, events: Any) -> Floats:
        """Return what the head reads of events, each of length 1, shape (n, hidden); see `WindowScorer.embed`."""
        return self.student.embed(texts_of(events))

    @overload
    def score(self, events: Any) -> Scores: ...
    @overload
    def score(self, events: Any, y: Any, sample_weight: Any = None) -> float: ...
    def score(self, events: Any, y: Any = None, sample_weight: Any = None) -> Scores | float:
        """Score events; given their labels, return the share that is right, as scikit-learn's classifiers do."""
        scores = self.student.score(texts_of(events))
        if y is None:
            return scores
        right = np.array(self.manifest.classes)[scores.labels] == np.asarray(y)
        return float(np.average(right, weights=sample_weight))

    def fit(self, events: Any = None, y: Any = None) -> Classifier:
        """Return itself: a bundle is fitted already, by `overproof.compress`."""
        del events, y
        return self

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the bundle as it was opened, and a card for the Hugging Face Hub (`README.md`), into a new folder.

        What was verified is what is written, with its signature if it has one; `overproof.open` takes the folder.

        Raises
        ------
        InputError
            If there is something in the folder that is no bundle.
        TamperedBundle
            If the bundle's folder holds another one by now.
        """
        from overproof.results.model_card import model_card

        opened = open_bundle(self.bundle, self.trust)
        if seal(opened.manifest) != seal(self.manifest):
            raise TamperedBundle(f"{self.bundle}: another bundle than the one that was opened")
        copy_bundle(opened, Path(folder), model_card(opened))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return what it was made with, for scikit-learn."""
        del deep
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **parameters: Any) -> Classifier:
        """Open it anew with other parameters, for scikit-learn."""
        if unknown := sorted(parameters.keys() - set(_PARAMETERS)):
            raise InputError(f"set_params: no parameter {', '.join(unknown)}: expected {', '.join(_PARAMETERS)}")
        given = {**self.get_params(), **parameters}
        self.__init__(given.pop("bundle"), **given)  # type: ignore[misc]
        return self

    def _scores(self, events: Any) -> Scores:
        scores = self.student.score(texts_of(events))
        require_numbers(scores)
        return scores

    def __getattr__(self, name: str) -> Any:
        """Return what else its student has (`windows`, `spell`, …), which `overproof.open` gave before it was one."""
        if name.startswith("_") or name == "student":
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return getattr(self.student, name)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        of_input = InputTags(one_d_array=True, two_d_array=False, string=True)
        multi = len(self.manifest.classes) > 2
        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags(multi_class=multi),
            input_tags=of_input,
            requires_fit=False,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (str(Path(self.bundle).resolve()), self.threads, self.trust, seal(self.manifest))

    def __repr__(self) -> str:
        return (
            f"Classifier({str(self.bundle)!r}: {', '.join(f'{key} {value}' for key, value in self._facts().items())})"
        )

    def _repr_html_(self) -> Html:
        rows = [[key, name(value, 200)] for key, value in {"bundle": str(self.bundle), **self._facts()}.items()]
        return table("A bundle of overproof", ["", ""], rows, left=(0, 1))

    def _facts(self) -> dict[str, str]:
        sealed = self.manifest
        parameters = sealed.network.get("parameters")
        facts = {"student": str(sealed.network.get("preset", "?")), "precision": sealed.precision}
        facts |= {"parameters": f"{parameters:,}"} if isinstance(parameters, int) else {}
        return facts | {"classes": ", ".join(sealed.classes)}


def open_classifier(bundle: str | Path, *, threads: int = 1, trust: Trust | None = None) -> Classifier:
    """Open a bundle for judging; hashes are verified first, and a signature where `trust` says whose.

    Raises
    ------
    BundleError, TamperedBundle, InputError, MissingExtra
        See `Classifier`.
    """
    return Classifier(bundle, threads=threads, trust=trust)


def _again(bundle: str, threads: int, trust: Trust | None, sha256: str) -> Classifier:
    """Open the bundle of a classifier that was pickled."""
    found = Classifier(bundle, threads=threads, trust=trust)
    if seal(found.manifest) != sha256:
        raise BundleError(f"{bundle}: another bundle than the one that was pickled")
    return found


def _tabled(verdicts: Sequence[Verdict], classes: Sequence[str]) -> pa.Table:
    """Put verdicts into a table: a column for each attribute, and one for each class's probability."""
    columns: dict[str, Any] = {
        "label": pa.array([one.label for one in verdicts], pa.string()),
        "attack": pa.array([one.attack for one in verdicts], pa.float32()),
    }
    for each in classes:
        columns[f"probability.{each}"] = pa.array([one.probabilities[each] for one in verdicts], pa.float32())
    columns["windows"] = pa.array([one.windows for one in verdicts], pa.int32())
    columns["overflow"] = pa.array([one.overflow for one in verdicts], pa.bool_())
    return pa.table(columns)
