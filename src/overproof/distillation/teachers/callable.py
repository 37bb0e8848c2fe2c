"""Query any Python object with `predict_proba(texts)` and `classes_`, given as `module:attribute`.

The named module is the user's own code and runs when it is imported; it is never found in a file of events or a bundle.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.interface import Report, TeacherCard, log_probabilities, texts_of
from overproof.errors import InputError

BATCH = 2048


@dataclass(frozen=True)
class CallableTeacher:
    """A predictor such as a fitted scikit-learn pipeline."""

    classes: tuple[str, ...]
    card: TeacherCard
    predictor: Any
    labels_new_events: bool = True

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute log(max(p, 1e-7)) of `predict_proba`, queried in batches of 2,048."""
        texts = texts_of(events)
        out = np.empty((len(texts), len(self.classes)), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            out[start : start + len(batch)] = log_probabilities(self._probabilities(batch))
            if report is not None:
                report(len(batch))
        return out

    def _probabilities(self, batch: list[str]) -> Floats:
        try:
            raw = self.predictor.predict_proba(batch)
        except Exception as error:  # the user's code: any failure in it is theirs to read about
            raise InputError(f"{self.card.name}: predict_proba raised {type(error).__name__}: {error}") from error
        p = np.asarray(raw, dtype=np.float32)
        if p.shape != (len(batch), len(self.classes)):
            expected = (len(batch), len(self.classes))
            raise InputError(f"{self.card.name}: predict_proba gave an array of shape {p.shape}, expected {expected}")
        if not np.isfinite(p).all() or (p < 0).any() or (np.abs(p.sum(axis=1) - 1) > 0.02).any():
            raise InputError(f"{self.card.name}: predict_proba gave rows that are no probabilities (>= 0, sum 1)")
        return p


def load(spec: str) -> CallableTeacher:
    """Import `module:attribute`; an attribute that is a function without arguments is called for the object.

    Raises
    ------
    InputError
        Module or attribute not found or failing, or an object without `predict_proba` and `classes_`.
    """
    module, predictor = _resolve(spec)
    missing = [name for name in ("predict_proba", "classes_") if not hasattr(predictor, name)]
    if missing:
        raise InputError(f"{spec}: {type(predictor).__name__} has no {' and no '.join(missing)}; is it fitted?")
    classes = tuple(str(name) for name in predictor.classes_)
    try:
        pickled: bytes | None = pickle.dumps(predictor)
    except Exception:  # a lambda, a lock, a session: such an object has no stable content, so it is not cached
        pickled = None
    card = TeacherCard(
        kind="callable",
        name=spec,
        parameters=_linear_parameters(predictor),
        bytes=None if pickled is None else len(pickled),
        runtime=f"python, {type(predictor).__module__}.{type(predictor).__qualname__}",
        fingerprint=None if pickled is None else _fingerprint(pickled, module),
    )
    return CallableTeacher(classes, card, predictor)


def _resolve(spec: str) -> tuple[ModuleType, Any]:
    name, _, attribute = spec.partition(":")
    if not name or not attribute:
        raise InputError(f"{spec}: expected module:attribute")
    try:
        with _here_on_path():
            module = importlib.import_module(name)
            found: Any = module
            for part in attribute.split("."):
                found = getattr(found, part)
            return module, _called(found)
    except Exception as error:  # the user's module may raise anything at all
        raise InputError(f"{spec}: {type(error).__name__}: {error}") from error


def _called(found: Any) -> Any:
    """Call a plain function that gives the object; anything else is returned as it is."""
    return found() if inspect.isfunction(found) else found


@contextmanager
def _here_on_path() -> Iterator[None]:
    """Put the current directory behind everything else on sys.path, as for `python -m`, for one import."""
    here = os.getcwd()
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _fingerprint(pickled: bytes, module: ModuleType) -> str:
    """Hash the pickled state and the module's source: a pickle names a class but does not hold its code."""
    digest = hashlib.sha256(pickled)
    source = getattr(module, "__file__", None)
    if source is not None and Path(source).is_file():
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()


def _linear_parameters(predictor: Any) -> int | None:
    """Count the weights of a (pipeline that ends in a) linear model; None for what cannot be counted so."""
    steps = getattr(predictor, "steps", None)
    last = steps[-1][1] if steps else predictor
    if not hasattr(last, "coef_") or not hasattr(last, "intercept_"):
        return None
    return int(np.size(last.coef_) + np.size(last.intercept_))
