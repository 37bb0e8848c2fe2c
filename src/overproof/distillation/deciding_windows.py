"""Cut what a student learns from into the windows that it is judged in, and teach the one that decides.

An event is an attack if one of its windows is, and benign if none is: the label is the event's, not the window's. Where
the window with the highest attack probability decides, that one alone learns from an event, so that training is of what
is deployed (multiple-instance learning: Dietterich et al. 1997; the highest instance: Andrews et al. 2003, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, attack_of, softmax
from overproof.bundle.tokenizer import Windowing
from overproof.bundle.windows import Windows, deciding_windows
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable, predict


@dataclass(frozen=True)
class WindowCutter:
    """Cuts rows, and knows which window of each decides.

    Attributes
    ----------
    benign
        For each class, whether it is benign.
    """

    windowing: Windowing
    benign: tuple[bool, ...]

    def cut(self, rows: Ids) -> tuple[Ids, NDArray[np.int32]]:
        """Return the windows of all rows, each with the row's marker in front, and which row each is of, ascending."""
        windows: Ids = []
        owner: list[int] = []
        for number, row in enumerate(rows):
            starts = self.windowing.starts(len(row) - 1)
            if len(starts) == 1:
                windows.append(row[: self.windowing.size])
            else:
                body = self.windowing.size - 1
                windows += [np.concatenate([row[:1], row[1 + start :][:body]]) for start in starts]
            owner += [number] * len(starts)
        return windows, np.array(owner, dtype=np.int32)

    def deciding(self, logits: Floats, owner: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return each row's window with the highest attack probability, shape (rows,); logits (windows, classes)."""
        return deciding_windows(attack_of(softmax(logits), self.benign), owner)


def predict_rows(network: Trainable, rows: Ids, cutter: WindowCutter | None) -> Floats:
    """Compute logits of each row, shape (rows, classes): of its deciding window, or of it as one."""
    if cutter is None:
        return predict(network, rows)
    windows, owner = cutter.cut(rows)
    logits = predict(network, windows)
    return logits[cutter.deciding(logits, owner)]


def rows_of_windows(windows: Windows) -> Ids:
    """Return windows as rows for the network that they were cut for."""
    if windows.ids is not None:
        return [np.asarray(ids, dtype=np.int64) for ids in windows.ids]
    if windows.content is None:
        raise ValueError("expected windows of tokens or of bytes")
    data, starts = windows.content
    return [data[a : b - 1].astype(np.int64) for a, b in pairwise(starts)]
