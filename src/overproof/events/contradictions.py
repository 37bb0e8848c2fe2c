"""Find labelled events whose text others have under another label: no model gives all of them their own."""

from __future__ import annotations

from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.compute as pc


def contradictory(events: pa.Table) -> int:
    """Count the labelled events whose text has another label too."""
    return sum(sum(labels.values()) for labels in _contradictions(events).values())


def outvoted(events: pa.Table) -> list[int]:
    """Return the rows of the labelled events whose text has another label at least as often as their own."""
    found = _contradictions(events)
    lost = {
        (text, label)
        for text, labels in found.items()
        for label, count in labels.items()
        if any(other >= count for name, other in labels.items() if name != label)
    }
    if not lost:
        return []
    pairs = zip(events["text"].to_pylist(), events["label"].to_pylist(), strict=True)
    return [row for row, pair in enumerate(pairs) if pair in lost]


def _contradictions(events: pa.Table) -> dict[str, Counter[str]]:
    """Return the texts that have several labels, with how often they have each."""
    counted = events.filter(pc.is_valid(events["label"])).group_by(["text", "label"]).aggregate([([], "count_all")])
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, label, count in zip(*(counted[name].to_pylist() for name in ("text", "label", "count_all")), strict=True):
        labels[text][label] = count
    return {text: of_text for text, of_text in labels.items() if len(of_text) > 1}
