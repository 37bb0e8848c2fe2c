"""Say whose the labels are, of the events that are judged by and of those that a bundle learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from overproof.events.tables import LABELLED_BY


def whose_labels(events: pa.Table, about: Mapping[str, Any]) -> list[str]:
    """List, in sentences, whose labels there are, where they are not the events' own.

    Parameters
    ----------
    events
        The events that are judged by.
    about
        The `data` entry of the bundle's manifest.
    """
    sentences = []
    if learned := about.get("labelled_by"):
        sentences.append(
            f"The bundle learned labels of {', '.join(map(str, learned))}, not of anybody who looked: what it is wrong "
            "about with them, only other labels show."
        )
    if LABELLED_BY in events.column_names:
        said = sorted({str(by) for by in events[LABELLED_BY].unique().to_pylist() if by})
        if said:
            rows = events.num_rows - events[LABELLED_BY].null_count
            sentences.append(
                f"{rows:,} of the {events.num_rows:,} events have labels of {', '.join(said)}: what is measured "
                "by them is agreement with that."
            )
    return sentences
