"""Define what the checks see of explanations: the spans that alerts were explained by, and what models say without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.inference.explanation import Span
from overproof.results.typed_json import NotMeasured

NOT_EXPLAINED = NotMeasured("no verdict was explained")


@dataclass(frozen=True)
class Explained:
    """What became of alerts when the span that explains them was taken out, and when a random one was.

    Attributes
    ----------
    flagged
        How many of the sample's events the quantized student flags.
    rows
        Those of them that were explained, by their rows in the sample, shape (k,).
    spans
        What explains each, k tuples; an empty one where nothing does.
    compared
        Places in `rows` of those whose first span is neither missing nor the whole event, shape (m,).
    named, random
        Model to its logits without that span, and without another place of its length, shape (m, classes) each.
    """

    flagged: int
    rows: NDArray[np.intp]
    spans: tuple[tuple[Span, ...], ...]
    compared: NDArray[np.intp]
    named: Mapping[str, Floats]
    random: Mapping[str, Floats]
