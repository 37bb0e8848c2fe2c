"""Hold a network to the recall of rare families: which epoch is kept, and what the next one shows more often.

A rare family weighs next to nothing in the validation loss, so that the epoch with the least loss may have lost it.
Its recall has a floor: the most that the teacher or another epoch has, by as many of its rows. All functions here are
pure, so that a run that goes on from its checkpoint decides as one that was never cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.distillation.training_set import UNLABELLED, Rows

SHARE, MOST = 0.01, 8.0
ENOUGH = 10  # rows of a family, of which one may go either way; with fewer to validate, its training rows are judged
LEAST = 5  # of these: fewer come and go by chance, and would choose the epoch by it
PRICE = 1.25  # times the least validation loss that an epoch may have to be kept for its rare families, or set floors
MORE = 2.0  # times as often as otherwise a family is shown after an epoch that leaves it below its floor

Right = Mapping[str, int]  # rare family to how many of its rows are given their own label


def rare_repeats(kinds: Sequence[str | None]) -> NDArray[np.float64]:
    """Return how often each row is shown in an epoch, so that a rare family is seen enough to be learned.

    A family below `SHARE` of all rows is repeated up to that share, `MOST` times at most. Shape (n,).
    """
    names, inverse, counts = np.unique([k or "" for k in kinds], return_inverse=True, return_counts=True)
    repeats = np.clip(SHARE * len(kinds) / counts, 1.0, MOST)
    repeats[names == ""] = 1.0
    return np.asarray(repeats[inverse], dtype=np.float64)


@dataclass(frozen=True)
class Watched:
    """By which rows a rare family is judged.

    Attributes
    ----------
    rows
        Their places, shape (n,).
    validation
        Whether they are validation rows; else they are those that are learned from.
    teacher
        How many of them the teacher gives their own label; 0 where it was not asked.
    """

    rows: NDArray[np.intp]
    validation: bool
    teacher: int

    def short(self, right: int, floor: int) -> float:
        """Return by which share of the rows fewer are right than the floor asks for; 0 within what chance may do."""
        n = len(self.rows)
        return max(0, floor - right - (n >= ENOUGH)) / n


Families = Mapping[str, Watched]


def repeats_of(rows: Rows) -> NDArray[np.float64]:
    """Return how often each row is shown in an epoch: by its family's rarity, times its weight."""
    repeats = rare_repeats(rows.kinds) if rows.kinds else np.ones(len(rows))
    return repeats if rows.weights is None else repeats * rows.weights


def watch(train: Rows, validation: Rows) -> dict[str, Watched]:
    """Find the rare families of the labelled rows, and the rows to judge them by."""
    if not train.kinds:
        return {}
    repeats = rare_repeats(train.kinds)
    learned, validating = _labelled(train), _labelled(validation)
    found = {}
    for name in sorted(name for name, rows in learned.items() if repeats[rows[0]] > 1):
        rows = validating.get(name, np.empty(0, dtype=np.intp))
        enough = len(rows) >= ENOUGH
        of, rows = (validation, rows) if enough else (train, learned[name])
        if len(rows) < LEAST:
            continue
        teacher = 0 if of.teacher is None else int((of.teacher[rows].argmax(-1) == of.targets[rows]).sum())
        found[name] = Watched(rows, enough, teacher)
    return found


def _labelled(rows: Rows) -> dict[str, NDArray[np.intp]]:
    """Return family to the places of its labelled rows."""
    found: dict[str, list[int]] = {}
    for place, (kind, target) in enumerate(zip(rows.kinds, rows.targets, strict=False)):
        if kind and target != UNLABELLED:
            found.setdefault(kind, []).append(place)
    return {kind: np.array(places, dtype=np.intp) for kind, places in found.items()}


def below(families: Families, losses: Sequence[float], right: Sequence[Right], epoch: int = -1) -> list[str]:
    """Return the families that an epoch leaves below their floors, by all epochs so far."""
    floors = _floors(families, losses, right)
    return [name for name, of in families.items() if of.short(right[epoch][name], floors[name])]


def is_better(families: Families, losses: Sequence[float], right: Sequence[Right], kept: int | None) -> bool:
    """Decide whether the last epoch is to be kept in the place of another one.

    The one that leaves its rare families less below their floors is, and of equals the one with the lower validation
    loss; but no epoch whose loss is more than `PRICE` times the least.

    Parameters
    ----------
    losses, right
        Validation loss of each epoch, and what it gets right.
    kept
        The epoch that is kept so far.
    """
    last, near = len(losses) - 1, _near(losses)
    if last not in near or kept not in near:
        return last in near
    floors = _floors(families, losses, right)

    def order(epoch: int) -> tuple[float, float]:
        return sum(of.short(right[epoch][name], floors[name]) for name, of in families.items()), losses[epoch]

    return order(last) < order(kept)


def more_often(repeats: NDArray[np.float64], kinds: Sequence[str | None], names: Sequence[str]) -> NDArray[np.float64]:
    """Return how often each row is shown in the next epoch: those of these families `MORE` times as often."""
    if not names:
        return repeats
    wanted = set(names)
    return repeats * np.where([kind in wanted for kind in kinds], MORE, 1.0)


def _near(losses: Sequence[float]) -> list[int]:
    """Return the epochs that may be kept: in the first ones, where all may be called one name, recall says little."""
    least = min((loss for loss in losses if math.isfinite(loss)), default=math.inf)
    return [epoch for epoch, loss in enumerate(losses) if math.isfinite(loss) and loss <= PRICE * least]


def _floors(families: Families, losses: Sequence[float], right: Sequence[Right]) -> dict[str, int]:
    near = _near(losses)
    return {name: max([of.teacher, *(right[epoch][name] for epoch in near)]) for name, of in families.items()}
