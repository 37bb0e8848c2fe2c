"""Map the student's embedding in two dimensions: do the attacks that it misses lie among the benign events?

An attack that lies among benign events was never told from them: it takes more training events like it, or a larger
student. One that lies among attacks is a matter of the head, of the threshold or of rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.embedded import Embedded
from overproof.checks.pairs import Share, share, why_not
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN
from overproof.results.typed_json import NotMeasured

Kind = Literal["benign", "detected", "missed by both", "missed"]
KINDS: tuple[Kind, ...] = ("benign", "detected", "missed by both", "missed")
DRAWN = 400  # benign events, and attacks, that are placed at most
MISSES = 200  # missed attacks that are placed at most, with those that were drawn
LEAST = 2  # of either kind, so that each event has another of its kind
NEAREST = 5  # of either kind that an event's distance is taken to
DIGITS = 4
STEPS = 1 << 16  # of an embedding's unit: whole numbers, whose products are the same on every machine

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class MapLayer:
    """The events of one kind on the map.

    Attributes
    ----------
    kind
        `benign`; attacks that the student `detected`; those `missed by both` models; and those `missed` by the student
        that the full model detects, or all that it misses where there is no full model.
    x, y
        Where each lies along the two axes, in the embedding's own unit: all events lie within 1 of its origin.
    """

    kind: Kind
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"{self.kind}: expected as many x as y")


@dataclass(frozen=True)
class EmbeddingMap:
    """Where events lie in the student's embedding, and whether what it misses lies among benign events.

    Attributes
    ----------
    benign, attacks
        How many events of either kind the check has; at most 400 of each are placed, and at most 200 missed attacks.
    unplaced
        Events that were drawn and of which the embedding holds no number.
    variance
        Shares of the embedding's variance that lie along the two axes (principal components of the placed events).
    layers
        The placed events by kind, in the order benign, detected, missed by both, missed.
    reference
        How many drawn events of either kind distances are taken to; of each kind the nearest five count.
    missed, detected
        Of the placed attacks that are missed (as `missed` of the layers) and of those that are detected, how many lie
        nearer to benign events than to other attacks, in the whole embedding; with Wilson's interval.
    note
        What must be known of the embedding.
    """

    benign: int
    attacks: int
    unplaced: int
    variance: tuple[float, float]
    layers: tuple[MapLayer, ...]
    reference: int
    missed: Share
    detected: Share
    note: str

    def __post_init__(self) -> None:
        if tuple(layer.kind for layer in self.layers) != KINDS:
            raise ValueError(f"layers: expected {', '.join(KINDS)}")
        if not any(layer.x for layer in self.layers):
            raise ValueError("layers: no event is placed")


def drawn(context: CheckContext) -> NDArray[np.intp] | NotMeasured:
    """Draw the events that are placed, by the check's seed, or say why none are: rows, sorted."""
    why = why_not(context, QUANTIZED)
    if why:
        return NotMeasured(why)
    if not context.attacks.any() or not context.benign_events.any():
        return NotMeasured(NO_BENIGN if context.attacks.any() else NO_ATTACKS)
    sides = _sample(context)
    missed = _first(context, context.attacks & ~context.detected(QUANTIZED), MISSES)
    return np.unique(np.concatenate([*sides, missed]))


def embedding_map(context: CheckContext) -> EmbeddingMap | NotMeasured:
    """Map what was embedded, or say why there is no map."""
    found = context.embedded
    if isinstance(found, NotMeasured):
        return found
    known = np.isfinite(found.vectors).all(axis=1)
    placed = Embedded(found.rows[known], found.vectors[known], found.note)
    sides = [np.intersect1d(rows, placed.rows) for rows in _sample(context)]
    if min(map(len, sides)) < LEAST:
        return NotMeasured(f"it takes {LEAST} benign events and {LEAST} attacks of which the embedding holds numbers")
    whole = np.rint(placed.vectors.astype(np.float64) * STEPS)
    axes = _axes(whole)
    if axes is None:
        return NotMeasured("the student's embedding is the same for all events")
    places, variance = axes
    kinds = _kinds(context)[placed.rows]
    layers = tuple(
        MapLayer(kind, *(tuple(places[kinds == i, axis].tolist()) for axis in (0, 1))) for i, kind in enumerate(KINDS)
    )
    nearer, reference = _nearer_to_benign(context, placed.rows, whole, sides)
    missed, detected = (nearer[kinds == KINDS.index(kind)] for kind in ("missed", "detected"))
    return EmbeddingMap(
        benign=int(context.benign_events.sum()),
        attacks=int(context.attacks.sum()),
        unplaced=int((~known).sum()),
        variance=variance,
        layers=layers,
        reference=reference,
        missed=share(int(missed.sum()), len(missed)),
        detected=share(int(detected.sum()), len(detected)),
        note=placed.note,
    )


def _sample(context: CheckContext) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw benign events and attacks, whatever became of them."""
    return _first(context, context.benign_events, DRAWN), _first(context, context.attacks, DRAWN)


def _first(context: CheckContext, rows: Bools, most: int) -> NDArray[np.intp]:
    """Return the first of some events in an order that the seed gives all of them."""
    order = np.random.default_rng(context.seed).permutation(len(rows))
    return np.sort(order[rows[order]][:most])


def _kinds(context: CheckContext) -> NDArray[np.intp]:
    """Return the index of each event's kind in `KINDS`, shape (n,)."""
    detected = context.detected(QUANTIZED)
    other = context.detected(FULL) if FULL in rates.answering(context) else np.ones(len(detected), dtype=bool)
    return np.select([~context.attacks, detected, ~other], [0, 1, 2], 3)


def _axes(whole: Reals) -> tuple[Reals, tuple[float, float]] | None:
    """Return where rows lie along their two principal components, shape (k, 2), and what these hold of the variance.

    None where the rows are all the same. A component's sign is that of its largest weight.
    """
    centred = (whole - np.rint(whole.mean(axis=0))) / STEPS
    variances, directions = np.linalg.eigh(centred.T @ centred)
    total = float(variances.sum())
    if total <= len(whole) / STEPS**2:
        return None
    first = directions[:, [-1, -2]] if len(variances) > 1 else np.column_stack([directions, np.zeros(len(directions))])
    signs = np.sign(first[np.abs(first).argmax(axis=0), [0, 1]])
    held = [*variances[::-1][:2].tolist(), 0.0][:2]
    shares = tuple(round(max(value, 0.0) / total, DIGITS) for value in held)
    return np.round(centred @ (first * signs), DIGITS) + 0.0, (shares[0], shares[1])


def _nearer_to_benign(
    context: CheckContext, rows: NDArray[np.intp], whole: Reals, sides: list[NDArray[np.intp]]
) -> tuple[Bools, int]:
    """Say of each placed event whether the nearest benign ones lie nearer than the nearest attacks, shape (k,).

    Of both kinds equally many are looked at, or the more frequent would be nearer; an event is not near itself.
    """
    reference = min(map(len, sides))
    nearest = min(NEAREST, reference - 1)
    distances = []
    for side in sides:
        some = np.searchsorted(rows, _first(context, np.isin(np.arange(len(context.sample)), side), reference))
        apart = (whole**2).sum(axis=1)[:, None] + (whole[some] ** 2).sum(axis=1) - 2 * whole @ whole[some].T
        apart[some, np.arange(len(some))] = np.inf
        distances.append(np.sort(np.sqrt(apart.clip(0.0)), axis=1)[:, :nearest].sum(axis=1))
    return np.asarray(distances[0] < distances[1]), reference
