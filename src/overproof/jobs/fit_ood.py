"""Fit what tells that an event is out of distribution for a student."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from overproof.bundle.ood import OodDetector, fit_detector
from overproof.bundle.runtime import WindowScorer
from overproof.events.families import labelled_events

EVENTS = 50_000  # more of them would hardly move means and covariance


def fit_ood(scorer: WindowScorer, train: pa.Table, *, seed: int) -> OodDetector:
    """Fit it to a model's embedding of its labelled training events, or of a sample of them.

    Parameters
    ----------
    train
        Events with columns `text` and `label`, at least one of them labelled.
    """
    labelled = labelled_events(train)
    if labelled.num_rows > EVENTS:
        rows = np.random.default_rng(seed).choice(labelled.num_rows, EVENTS, replace=False)
        labelled = labelled.take(np.sort(rows))
    return fit_detector(scorer.embed(labelled["text"].to_pylist()), labelled["label"].to_pylist())
