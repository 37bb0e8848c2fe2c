"""Choose from a pool what a teacher has most to say of: where it differs from a linear model, or is unsure itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, softmax

CANDIDATES = 4  # snippets drawn for each that is kept


def most_instructive(teacher: Floats, baseline: Floats, count: int, *, seed: int) -> NDArray[np.int64]:
    """Return `count` rows in ascending order: half of them the most instructive, the others drawn from the rest.

    What a snippet has to teach is the larger of the total variation distance between both models' probabilities, and
    of what the teacher leaves to all but its likeliest class. Equal ones go by row.

    Parameters
    ----------
    teacher, baseline
        Logits, shape (n, classes), of the same classes.
    """
    p, q = softmax(teacher), softmax(baseline)
    worth = np.maximum(np.abs(p - q).sum(axis=1) / 2, 1 - p.max(axis=1))
    best = np.argsort(-worth, kind="stable")[: count // 2]
    rest = np.setdiff1d(np.arange(len(worth)), best)
    others = np.random.default_rng(seed).choice(rest, min(count - len(best), len(rest)), replace=False)
    return np.sort(np.concatenate([best, others]))
