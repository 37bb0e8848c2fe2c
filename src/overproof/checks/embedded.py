"""Hold where the student's embedding places some of the events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.results.typed_json import NotMeasured

NOT_EMBEDDED = NotMeasured("the student was not asked for its embedding")


@dataclass(frozen=True)
class Embedded:
    """Where some of the events lie in the deployed student's embedding.

    Attributes
    ----------
    rows
        Their rows in the sample, shape (k,).
    vectors
        What the head reads of each, of length 1, shape (k, hidden); no numbers where it reads none.
    note
        What a reader must know of it.
    """

    rows: NDArray[np.intp]
    vectors: Floats
    note: str = ""
