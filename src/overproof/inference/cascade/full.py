"""Define the full model in reserve: something that can be asked, and that may be down.

An answer that is no probabilities is no answer, whatever gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.errors import InputError, OverproofError

TOLERANCE = 0.01  # of the sum of an answer's probabilities, which a service may have rounded


class FullDown(OverproofError):
    """The full model does not answer; its text says why."""


@dataclass(frozen=True)
class Full:
    """A full model.

    Attributes
    ----------
    classes
        Class names, in the order of the answer's columns.
    ask
        Texts to probabilities, shape (n, classes). Raises FullDown where there is no answer.
    model
        What a verdict calls it: the start of its hash, or its URL.
    resting
        Whether it failed too often and is left alone for now (`guard.Guard`).
    failed
        Counts a failure that only who asks has seen: no answer in the time of a request.
    """

    classes: tuple[str, ...]
    ask: Callable[[Sequence[str]], Floats]
    model: str
    resting: Callable[[], bool] = lambda: False
    failed: Callable[[], None] = lambda: None


def aligned(full: Full, classes: Sequence[str]) -> Full:
    """Put a full model's columns in the student's order; a class that it lacks gets probability 0.

    What it is asked through then raises FullDown too for an answer that is no probabilities of its classes, and for
    whatever else befalls it but what the program itself refuses.

    Raises
    ------
    InputError
        If it has classes that the student lacks.
    """
    unknown = [name for name in full.classes if name not in classes]
    if unknown:
        raise InputError(
            f"the full model {full.model} knows {', '.join(unknown)}, which the bundle has no class for; expected the "
            "teacher that the bundle was distilled from, or one with its classes"
        )
    columns = [list(classes).index(name) for name in full.classes]

    def ask(texts: Sequence[str]) -> Floats:
        answer = np.zeros((len(texts), len(classes)), dtype=np.float32)
        answer[:, columns] = _asked(full, texts)
        return answer

    return replace(full, classes=tuple(classes), ask=ask)


def _asked(full: Full, texts: Sequence[str]) -> Floats:
    try:
        answer: Any = full.ask(texts)
    except OverproofError:
        raise
    except Exception as error:  # the student's answer is there, and the verdict says what befell the full model
        raise FullDown(f"{full.model}: {type(error).__name__}: {error}") from error
    try:
        with np.errstate(over="ignore"):  # too large becomes inf, which is refused below
            found = np.asarray(answer, dtype=np.float32)
    except (TypeError, ValueError):
        raise FullDown(f"{full.model}: answered with what is not an array of numbers") from None
    if wrong := fault(found, len(texts), len(full.classes)):
        raise FullDown(f"{full.model}: answered with {wrong}")
    return found


def fault(answer: NDArray[np.floating[Any]], count: int, classes: int) -> str | None:
    """Say what is wrong with an answer, expected to be probabilities of shape (count, classes); None if nothing is."""
    if answer.shape != (count, classes):
        return f"shape {answer.shape}, expected {(count, classes)}"
    if not np.isfinite(answer).all():
        return "probabilities that are no numbers"
    if (answer < 0).any():
        return "probabilities below 0"
    if not np.allclose(answer.sum(axis=1), 1, rtol=0, atol=TOLERANCE):
        return "probabilities that do not add up to 1: every class is expected"
    return None
