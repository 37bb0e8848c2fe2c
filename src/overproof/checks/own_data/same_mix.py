"""Choose events seen before with the sample's share of attacks: another share is no drift of either kind."""

from __future__ import annotations

import numpy as np

from overproof.checks.base import CheckContext, Sample, Training
from overproof.checks.own_data.distance import Codes
from overproof.checks.stats import Units


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


def trained_on(context: CheckContext, training: Training) -> tuple[Sample, Units]:
    """Return the training events with the sample's share of attacks, and how they hang together."""
    train = training.train
    rows = same_mix(context, train)
    columns = ("texts", "origins", "labels", "families", "groups", "times")
    parts = {name: [getattr(train, name)[row] for row in rows.tolist()] for name in columns}
    own = {name: [values[row] for row in rows.tolist()] for name, values in train.fields.items()}
    return Sample(**parts, fields=own), training.train_units.take(rows)
