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
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.contract import broken_rows, foreign
from overproof.distillation.teachers.foreign_output import Aside
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
        with foreign(self.card.name, "predict_proba"), np.errstate(over="ignore"):
            found = self.predictor.predict_proba(list(batch))
            named = [str(name) for name in getattr(found, "columns", ())]
            p = np.asarray(found, dtype=np.float32)
        if named != list(self.classes) and sorted(named) == sorted(self.classes):
            raise InputError(
                f"{self.card.name}: predict_proba names its columns {', '.join(named)}, classes_ are "
                f"{', '.join(self.classes)}; expected one order"
            )
        expected = (len(batch), len(self.classes))
        if p.shape != expected:
            raise InputError(f"{self.card.name}: predict_proba gave an array of shape {p.shape}, expected {expected}")
        if len(bad := broken_rows(p)):
            raise InputError(
                f"{self.card.name}: predict_proba gave rows that are no probabilities (>= 0, sum 1): "
                f"{[round(float(x), 4) for x in p[bad[0]]]}"
            )
        return np.maximum(p, 0)


def load(spec: str) -> CallableTeacher:
    """Import `module:attribute`; an attribute that is a function without arguments is called for the object.

    Raises
    ------
    InputError
        Module or attribute not found, failing or ending the program, or an object without `predict_proba` and
        `classes_`.
    """
    with foreign(spec, "cannot be opened"):
        module, predictor = _resolve(spec)
        missing = [name for name in ("predict_proba", "classes_") if not hasattr(predictor, name)]
        if missing:
            raise InputError(f"{spec}: {type(predictor).__name__} has no {' and no '.join(missing)}; is it fitted?")
        classes = tuple(str(name) for name in predictor.classes_)
        pickled = _pickled(predictor)
        card = TeacherCard(
            kind="callable",
            name=spec,
            parameters=_linear_parameters(predictor),
            bytes=None if pickled is None else len(pickled),
            runtime=f"python, {type(predictor).__module__}.{type(predictor).__qualname__}",
            fingerprint=None if pickled is None else _fingerprint(pickled, module),
        )
    return CallableTeacher(classes, card, predictor)


def _pickled(predictor: Any) -> bytes | None:
    """Return an object's content; None of a lambda, a lock, a session: it has none that stays, and is not cached."""
    try:
        return pickle.dumps(predictor)
    except Exception:
        return None


def _resolve(spec: str) -> tuple[ModuleType, Any]:
    name, _, attribute = spec.partition(":")
    if not name or not attribute:
        raise InputError(f"{spec}: expected module:attribute")
    with _here_on_path(), _as_its_own_program(spec, name):
        module = importlib.import_module(name)
        found: Any = module
        for part in attribute.split("."):
            found = getattr(found, part)
        return module, _called(found)


@contextmanager
def _as_its_own_program(spec: str, name: str) -> Iterator[None]:
    """Let a module see its own name and no options: a script without a main guard would read ours, and answer as us.

    What it prints is held back until it is known how the import ends: the usage of a script that ends the program for
    lack of options becomes part of the one message. A logger that keeps the stream writes through it later.
    """
    held, options = Aside(sys.stderr, held=True), sys.argv
    sys.argv = [name]
    try:
        with redirect_stderr(held.opened()), redirect_stdout(held.opened()):
            yield
    except SystemExit as ended:
        said = held.release(shown=False).strip().splitlines()
        why = ended.code if isinstance(ended.code, str) else said[-1] if said else f"exit code {ended.code or 0}"
        raise InputError(
            f"{spec}: the module ended the program ({str(why)[:300]}); expected it to be imported and to go on: put "
            'what it does as a script under if __name__ == "__main__"'
        ) from ended
    finally:
        sys.argv = options
        held.release(shown=sys.exc_info()[0] is None)


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
        with suppress(ValueError):  # the module may have set a path of its own
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
