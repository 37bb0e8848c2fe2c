"""Hand the alerts of a batch to the rules that may silence them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa

from overproof.inference.exceptions import Silencer
from overproof.inference.exceptions.silencer import Outcome
from overproof.inference.sinks import VerdictBatch
from overproof.inference.stream.explaining import alerts_of


def silenced(judged: VerdictBatch, silencer: Silencer, benign: Collection[str]) -> Outcome:
    """Return which of the batch's events are silenced, by their rows; alerts below a wanted severity too."""
    rows = alerts_of(judged, benign)
    alerts = list(replace(judged, rows=rows, alerts=frozenset(rows.tolist())))  # with their own family, as analysts see
    texts = judged.events.column("text").take(pa.array(rows, pa.int64())).to_pylist()
    found = silencer(alerts, texts)
    silent, left = ({int(rows[i]): said for i, said in of.items()} for of in (found.silenced, found.left))
    return Outcome(silent, left)
