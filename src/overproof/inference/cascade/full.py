"""Define the full model in reserve: something that can be asked, and that may be down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from overproof.bundle.scores import Floats
from overproof.errors import InputError, OverproofError


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
        Whether it failed too often and is left alone for now (`breaker.Breaker.open`).
    """

    classes: tuple[str, ...]
    ask: Callable[[Sequence[str]], Floats]
    model: str
    resting: Callable[[], bool] = lambda: False


def aligned(full: Full, classes: Sequence[str]) -> Full:
    """Put a full model's columns in the student's order; a class that it lacks gets probability 0.

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
    if tuple(full.classes) == tuple(classes):
        return full
    columns = [list(classes).index(name) for name in full.classes]

    def ask(texts: Sequence[str]) -> Floats:
        answer = np.zeros((len(texts), len(classes)), dtype=np.float32)
        answer[:, columns] = full.ask(texts)
        return answer

    return replace(full, classes=tuple(classes), ask=ask)
