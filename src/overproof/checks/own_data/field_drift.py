"""Measure drift of the fields: how far the user's events lie from those that the student learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import CheckContext
from overproof.checks.interval_width import clusters_of
from overproof.checks.own_data.distance import LEAST, distance_within, ks, total_variation
from overproof.checks.own_data.result import CategoricalDrift, Deciles, FieldDrift, NumericDrift
from overproof.checks.own_data.same_mix import trained_on
from overproof.checks.own_data.text_features import TRAITS, traits
from overproof.checks.stats import Interval, Units, holm

MOST_VALUES = 50  # a column of more distinct strings is a text or a name, no category
SHOWN = 5
NOTHING = "(none)"
LABEL = "label"


Sides = tuple[Units, Units]


@dataclass(frozen=True)
class Field:
    """One field of the training events and of the user's.

    Attributes
    ----------
    name
        The column, or what of the text it is.
    numeric
        Whether its values are numbers; categories if not.
    train, events
        Its values, without those that are missing.
    units
        How the events of these values hang together, on either side.
    """

    name: str
    numeric: bool
    train: NDArray[Any]
    events: NDArray[Any]
    units: Sides

    @property
    def independent(self) -> tuple[int, int]:
        """How many values of either side are independent."""
        return self.units[0].count, self.units[1].count


def fields(context: CheckContext) -> list[Field]:
    """List what is compared: traits of the text, every usable column that both sides have, and the labels.

    All but the labels are compared with training events of the same share of attacks.
    """
    if context.training is None:
        return []
    (train, before), events = trained_on(context, context.training), context.sample
    units = before, context.units
    of_text = zip(TRAITS, traits(train.texts).T, traits(events.texts).T, strict=True)
    found: list[Field | None] = [_field(f"text: {name}", (a, b), True, units) for name, a, b in of_text]
    shared = [name for name in events.fields if name in train.fields]
    found += [_column(name, (train.fields[name], events.fields[name]), units) for name in shared]
    if (context.targets >= 0).any():  # else they are named differently, which is no drift
        labels = _labels(context.training.train.labels), _labels(events.labels)
        found.append(_field(LABEL, labels, False, (context.training.train_units, context.units)))
    return [field for field in found if field is not None]


def table(compared: Sequence[Field]) -> tuple[FieldDrift, ...]:
    """Measure distance and p-value of each field, furthest first, with Holm's correction for their number."""
    apart = [_apart(field) for field in compared]
    corrected = holm([p for _, p in apart]).tolist()
    rows = [_row(field, *found, p_holm) for field, found, p_holm in zip(compared, apart, corrected, strict=True)]
    return tuple(sorted(rows, key=lambda row: (-row.distance, row.field)))


def _apart(field: Field) -> tuple[float, float]:
    """Return distance and p-value of a field."""
    return (ks if field.numeric else total_variation)(field.train, field.events, field.independent)


def _row(field: Field, apart: float, p: float, p_holm: float) -> FieldDrift:
    if field.numeric:
        return NumericDrift(field.name, "numeric", apart, p, _deciles(field.train), _deciles(field.events), p_holm)
    train, events = _commonest(field)
    return CategoricalDrift(field.name, "categorical", apart, p, train, events, p_holm)


def worst_within(context: CheckContext, field: Field) -> Interval:
    """Measure one field's distance with its interval."""
    return distance_within(field.train, field.events, field.numeric, clusters_of(*field.units), context.seed)


def _column(name: str, sides: tuple[Sequence[object], Sequence[object]], units: Sides) -> Field | None:
    """Read a column as a field; None for what is no measure of an event: a name, a number of its own, a constant."""
    train, events = sides
    values = [value for value in train if value is not None]
    distinct = set(map(str, values))
    if not 1 < len(distinct) < len(values) or all(value is None for value in events):
        return None
    if all(_is_number(value) for value in values):
        others = [value if value is None or _is_number(value) else math.nan for value in events]
        return _field(name, (np.array(train, dtype=np.float64), np.array(others, dtype=np.float64)), True, units)
    if len(distinct) > MOST_VALUES or not all(isinstance(value, str | bool) for value in values):
        return None
    before, after = ([NOTHING if value is None else str(value) for value in side] for side in (train, events))
    return _field(name, (np.array(before, dtype=object), np.array(after, dtype=object)), False, units)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _field(name: str, sides: tuple[NDArray[Any], NDArray[Any]], numeric: bool, units: Sides) -> Field | None:
    """Make a field, its missing values left out; None where too few are left."""
    train, events = sides
    kept = [
        np.flatnonzero(np.isfinite(side) if numeric else np.array([value is not None for value in side], dtype=bool))
        for side in (train, events)
    ]
    if min(map(len, kept)) < LEAST:
        return None
    together = units[0].take(kept[0]), units[1].take(kept[1])
    return Field(name, numeric, train[kept[0]], events[kept[1]], together)


def _labels(labels: Sequence[str | None]) -> NDArray[np.object_]:
    return np.array(labels, dtype=object)


def _deciles(values: NDArray[Any]) -> Deciles:
    return Deciles(*(float(np.percentile(values, q)) for q in (10, 50, 90)))


def _commonest(field: Field) -> list[dict[str, float]]:
    """Return the share of the values that are the commonest over both sides, on each."""
    sides = [dict(zip(*np.unique(values, return_counts=True), strict=True)) for values in (field.train, field.events)]
    shares = [{str(name): int(n) / sum(counts.values()) for name, n in counts.items()} for counts in sides]
    names = sorted({*shares[0], *shares[1]}, key=lambda name: (-sum(s.get(name, 0.0) for s in shares), name))
    return [{name: float(side.get(name, 0.0)) for name in names[:SHOWN]} for side in shares]
