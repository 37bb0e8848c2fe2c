"""Measure drift: how far the user's events lie from those that the student learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks.base import QUANTIZED, CheckContext, Sample
from overproof.checks.interval_width import DRAWS, clusters_of, conservative
from overproof.checks.own_data.result import CategoricalDrift, Deciles, FieldDrift, NumericDrift, ScoreDrift
from overproof.checks.own_data.text_features import TRAITS, traits
from overproof.checks.stats import Interval, Resampling, bootstrap, holm

LEAST = 50  # events on either side; below, chance alone puts two samples of one kind 0.2 apart
MOST_VALUES = 50  # a column of more distinct strings is a text or a name, no category
TESTED = 20  # categories of the chi-square test; the rest are pooled, so that its counts are not too small
SHOWN = 5
NOTHING = "(none)"
LABEL = "label"

Codes = NDArray[np.intp]


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
    rows
        Rows of these values on either side.
    """

    name: str
    numeric: bool
    train: NDArray[Any]
    events: NDArray[Any]
    rows: tuple[Codes, Codes]


def distance(codes: Codes, side: Codes, numeric: bool) -> float:
    """Measure how far two samples lie apart, between 0 and 1.

    Kolmogorov-Smirnov's D for numbers: the largest difference of the shares at or below a value. Total variation for
    categories: half the sum of the differences of the shares, which is what must be moved to make them equal. Both are
    biased upwards: two samples of n and m of one kind lie about 0.87 · sqrt(1 / n + 1 / m) apart by D, and further
    by total variation the more categories there are.

    Parameters
    ----------
    codes
        Rank of each value among the distinct ones of both samples, shape (n + m,).
    side
        0 or 1: which sample it is of, shape (n + m,).
    """
    kinds = int(codes.max()) + 1
    counts = np.bincount(side * kinds + codes, minlength=2 * kinds).reshape(2, kinds)
    apart = np.diff(counts / counts.sum(axis=1, keepdims=True), axis=0)[0]
    return float(np.abs(np.cumsum(apart)).max() if numeric else np.abs(apart).sum() / 2)


def distance_within(
    first: NDArray[Any], second: NDArray[Any], numeric: bool, clusters: Sequence[object] | None, seed: int
) -> Interval:
    """Measure `distance` with its interval, both samples drawn again, in whole clusters where there are some.

    Parameters
    ----------
    clusters
        Of the first sample's values, then of the second's, shape (n + m,).
    """
    codes, side = _pooled(first, second)
    found = bootstrap(lambda rows: distance(codes[rows], side[rows], numeric), Resampling(side, clusters, DRAWS, seed))
    return conservative(found, 0.0)


def ks(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of two samples of numbers and its p-value, which ties make too large."""
    from scipy.stats import ks_2samp

    return distance(*_pooled(first, second), numeric=True), float(ks_2samp(first, second, method="asymp").pvalue)


def _pooled(first: NDArray[Any], second: NDArray[Any]) -> tuple[Codes, Codes]:
    codes = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return codes.astype(np.intp), np.repeat(np.arange(2), [len(first), len(second)])


def fields(context: CheckContext) -> list[Field]:
    """List what is compared: traits of the text, every usable column that both sides have, and the labels.

    All but the labels are compared with training events of the same share of attacks.
    """
    if context.training is None:
        return []
    train, events = trained_on(context, context.training.train), context.sample
    of_text = zip(TRAITS, traits(train.texts).T, traits(events.texts).T, strict=True)
    found: list[Field | None] = [_field(f"text: {name}", a, b, True) for name, a, b in of_text]
    shared = [name for name in events.fields if name in train.fields]
    found += [_column(name, train.fields[name], events.fields[name]) for name in shared]
    if (context.targets >= 0).any():  # else they are named differently, which is no drift
        found.append(_field(LABEL, _labels(context.training.train.labels), _labels(events.labels), False))
    return [field for field in found if field is not None]


def table(compared: Sequence[Field]) -> tuple[FieldDrift, ...]:
    """Measure distance and p-value of each field, furthest first, with Holm's correction for their number."""
    apart = [_apart(field) for field in compared]
    corrected = holm([p for _, p in apart]).tolist()
    rows = [_row(field, *found, p_holm) for field, found, p_holm in zip(compared, apart, corrected, strict=True)]
    return tuple(sorted(rows, key=lambda row: (-row.distance, row.field)))


def _apart(field: Field) -> tuple[float, float]:
    """Return distance and p-value of a field."""
    if field.numeric:
        return ks(field.train, field.events)
    codes, side = _pooled(field.train, field.events)
    return distance(codes, side, numeric=False), _chi_square(codes, side)


def _row(field: Field, apart: float, p: float, p_holm: float) -> FieldDrift:
    if field.numeric:
        return NumericDrift(field.name, "numeric", apart, p, _deciles(field.train), _deciles(field.events), p_holm)
    train, events = _commonest(field)
    return CategoricalDrift(field.name, "categorical", apart, p, train, events, p_holm)


def worst_within(context: CheckContext, field: Field) -> Interval:
    """Measure one field's distance with its interval."""
    clusters = None
    if context.training is not None:
        train = context.training.train
        before = train if field.name == LABEL else trained_on(context, train)
        sides = zip((before, context.sample), field.rows, strict=True)
        clusters = clusters_of(*([sample.groups[i] for i in rows] for sample, rows in sides))
    return distance_within(field.train, field.events, field.numeric, clusters, context.seed)


def score_drift(context: CheckContext, validation: Sample, logits: Floats, mix: Codes) -> ScoreDrift:
    """Compare the quantized student's attack probabilities on validation events with those on the user's.

    Parameters
    ----------
    validation, logits
        The validation events, and the student's logits on them, shape (v, classes).
    mix
        What `same_mix` gives for them.
    """
    before, after = context.attack_of(logits[mix]), context.attack(QUANTIZED)
    groups = [validation.groups[row] for row in mix.tolist()]
    edges = np.linspace(0, 1, 11)
    shares = [np.histogram(np.clip(scores, 0, 1), edges)[0] / len(scores) for scores in (before, after)]
    alone = _alone(context, validation, context.attack_of(logits))
    return ScoreDrift(
        edges=tuple(edges.tolist()),
        validation=tuple(shares[0].tolist()),
        events=tuple(shares[1].tolist()),
        distance=distance_within(before, after, True, clusters_of(groups, context.sample.groups), context.seed),
        p=ks(before, after)[1],
        benign=alone.get("benign"),
        attacks=alone.get("attacks"),
    )


def _alone(context: CheckContext, validation: Sample, before: NDArray[np.float64]) -> dict[str, float]:
    """Measure the same distance by kind of event: another share of attacks moves all scores at once.

    A kind of which either side has too few events is left out.
    """
    if len(validation) != len(before):
        return {}
    after = context.attack(QUANTIZED)
    known = np.array([label is not None for label in validation.labels])
    benign = known & np.array([label in context.benign for label in validation.labels])
    kinds = {"benign": (benign, context.benign_events), "attacks": (known & ~benign, context.attacks)}
    return {kind: ks(before[a], after[b])[0] for kind, (a, b) in kinds.items() if min(a.sum(), b.sum()) >= LEAST}


def trained_on(context: CheckContext, train: Sample) -> Sample:
    """Return the training events with the sample's share of attacks."""
    rows = same_mix(context, train).tolist()
    columns = ("texts", "origins", "labels", "families", "groups", "times")
    parts = {name: [getattr(train, name)[row] for row in rows] for name in columns}
    return Sample(**parts, fields={name: [values[row] for row in rows] for name, values in train.fields.items()})


def same_mix(context: CheckContext, validation: Sample) -> Codes:
    """Choose events seen before with the sample's share of attacks: of the kind in excess, some are left out.

    Otherwise another share of attacks, which is no drift of either kind, would move all scores at once. Every event,
    where the share of one side is not known.

    Returns
    -------
    NDArray
        Rows, in order.
    """
    known = np.array([label is not None for label in validation.labels], dtype=bool)
    benign = known & np.array([label in context.benign for label in validation.labels], dtype=bool)
    benign, attacks = np.flatnonzero(benign), np.flatnonzero(known & ~benign)
    wanted = int(context.attacks.sum()), int(context.benign_events.sum())
    if not (len(benign) and len(attacks) and all(wanted)):
        return np.arange(len(validation), dtype=np.intp)
    random = np.random.default_rng(context.seed)
    fewer = max(1, round(len(benign) * wanted[0] / wanted[1]))
    if fewer <= len(attacks):
        attacks = random.choice(attacks, fewer, replace=False)
    else:
        benign = random.choice(benign, max(1, round(len(attacks) * wanted[1] / wanted[0])), replace=False)
    return np.sort(np.concatenate([benign, attacks]))


def _column(name: str, train: Sequence[object], events: Sequence[object]) -> Field | None:
    """Read a column as a field; None for what is no measure of an event: a name, a number of its own, a constant."""
    values = [value for value in train if value is not None]
    distinct = set(map(str, values))
    if not 1 < len(distinct) < len(values) or all(value is None for value in events):
        return None
    if all(_is_number(value) for value in values):
        others = [value if value is None or _is_number(value) else math.nan for value in events]
        return _field(name, np.array(train, dtype=np.float64), np.array(others, dtype=np.float64), True)
    if len(distinct) > MOST_VALUES or not all(isinstance(value, str | bool) for value in values):
        return None
    before, after = ([NOTHING if value is None else str(value) for value in side] for side in (train, events))
    return _field(name, np.array(before, dtype=object), np.array(after, dtype=object), False)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _field(name: str, train: NDArray[Any], events: NDArray[Any], numeric: bool) -> Field | None:
    """Make a field, its missing values left out; None where too few are left."""
    kept = [
        np.flatnonzero(np.isfinite(side) if numeric else np.array([value is not None for value in side], dtype=bool))
        for side in (train, events)
    ]
    if min(map(len, kept)) < LEAST:
        return None
    return Field(name, numeric, train[kept[0]], events[kept[1]], (kept[0], kept[1]))


def _labels(labels: Sequence[str | None]) -> NDArray[np.object_]:
    return np.array(labels, dtype=object)


def _chi_square(codes: Codes, side: Codes) -> float:
    """Return the p-value of the chi-square test that both sides are of one mix; all but the commonest are pooled."""
    counts = np.array([np.bincount(codes[side == i], minlength=int(codes.max()) + 1) for i in (0, 1)])
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    tested = np.column_stack([counts[:, order[:TESTED]], counts[:, order[TESTED:]].sum(axis=1)])
    tested = tested[:, tested.sum(axis=0) > 0]
    from scipy.stats import chi2_contingency

    return float(chi2_contingency(tested, correction=False)[1]) if tested.shape[1] > 1 else 1.0


def _deciles(values: NDArray[Any]) -> Deciles:
    return Deciles(*(float(np.percentile(values, q)) for q in (10, 50, 90)))


def _commonest(field: Field) -> list[dict[str, float]]:
    """Return the share of the values that are the commonest over both sides, on each."""
    sides = [dict(zip(*np.unique(values, return_counts=True), strict=True)) for values in (field.train, field.events)]
    shares = [{str(name): int(n) / sum(counts.values()) for name, n in counts.items()} for counts in sides]
    names = sorted({*shares[0], *shares[1]}, key=lambda name: (-sum(s.get(name, 0.0) for s in shares), name))
    return [{name: float(side.get(name, 0.0)) for name in names[:SHOWN]} for side in shares]
