"""Choose the alerts of a batch that are explained, and explain each text once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.inference.cascade import Cascade
from overproof.inference.explanation import Span, explain
from overproof.inference.sinks import VerdictBatch

MOST_EXPLAINED = 64  # alerts of a batch, unless all were asked for: whoever floods us decides how many there are


def alerts_of(judged: VerdictBatch, benign: Collection[str]) -> NDArray[np.intp]:
    """Return the alerts among the verdicts that are to be written: not benign, and silenced by no rule."""
    alert = np.array([*(name not in benign for name in judged.verdicts.scores.classes), True])  # the last: no label
    rows: NDArray[np.intp] = judged.rows[alert[judged.verdicts.best[judged.rows]]]
    return np.setdiff1d(rows, list(judged.excepted)) if judged.excepted else rows


def explained(
    judged: VerdictBatch, severities: NDArray[np.int8], cascade: Cascade, most: int | None = MOST_EXPLAINED
) -> tuple[Mapping[int, tuple[Span, ...]], int]:
    """Explain the alerts among the verdicts that are to be written, by the student, whoever decided.

    Parameters
    ----------
    severities
        Of all n events of the batch, shape (n,).
    most
        Alerts that are explained at most, the gravest and then the likeliest first; None explains all.

    Returns
    -------
    The spans of each event that was explained, and the number of alerts that were not.
    """
    alerts = alerts_of(judged, cascade.student.manifest.benign)
    alerts = alerts[judged.verdicts.best[alerts] >= 0]  # what has no label has nothing to explain
    order = np.lexsort((-judged.verdicts.attack[alerts], -severities[alerts]))
    rows = sorted(alerts[order][:most].tolist())
    texts = judged.events.column("text").take(pa.array(rows, pa.int64())).to_pylist()
    once = list(dict.fromkeys(texts))
    spans = dict(zip(once, explain(cascade.student, once), strict=True))
    return {row: spans[text] for row, text in zip(rows, texts, strict=True)}, len(alerts) - len(rows)
