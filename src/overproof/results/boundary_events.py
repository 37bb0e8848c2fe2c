"""Events at the boundary between two classes: where soft labels say what a hard label cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats, entropy_bits, softmax
from overproof.results.compression import SoftLabel

TEMPERATURES = (1, 2, 4)


def boundary_events(events: pa.Table, logits: Floats, classes: Sequence[str], count: int = 4) -> tuple[SoftLabel, ...]:
    """The events whose two best classes the model finds hardest to tell apart, one for each pair of classes.

    Source of the insight: Hinton, Vinyals, Dean 2015, section 1 ("dark knowledge").
    """
    probabilities = softmax(logits)
    two = np.argsort(-probabilities, axis=1)[:, :2]
    rows = np.arange(len(two))
    gap = probabilities[rows, two[:, 0]] - probabilities[rows, two[:, 1]]
    texts, labels = events["text"], events["label"]
    shown: dict[tuple[int, ...], SoftLabel] = {}
    for i in np.argsort(gap, kind="stable"):
        pair = tuple(sorted(two[i].tolist()))
        if pair in shown or len(texts[int(i)].as_py()) > 400:
            continue
        soft = {f"{t:g}": softmax(logits[i : i + 1], t) for t in TEMPERATURES}
        shown[pair] = SoftLabel(
            texts[int(i)].as_py(),
            labels[int(i)].as_py(),
            tuple(classes),
            {t: tuple(map(float, p[0])) for t, p in soft.items()},
            {t: float(entropy_bits(p)[0]) for t, p in soft.items()},
        )
        if len(shown) == count:
            break
    return tuple(shown.values())
