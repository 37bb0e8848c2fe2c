"""A full model to be in reserve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overproof.bundle.scores import Floats
from overproof.inference.cascade.full import Full

CLASSES = ("benign", "sqli", "xss")
TEXTS = ["select * from users", "<script>", "GET /index.html " * 4, "é\x00", "a" * 700, "id=1", "union all"]


def always(label: str, classes: Sequence[str] = CLASSES) -> Full:
    """A full model that is sure of one label."""

    def ask(texts: Sequence[str]) -> Floats:
        return np.tile(np.array([name == label for name in classes], dtype=np.float32), (len(texts), 1))

    return Full(tuple(classes), ask, f"always {label}")
