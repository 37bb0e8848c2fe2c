"""Event tables as the checks take them, and what tells a published or simulated set from a user's own events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from overproof.checks.base import Sample
from overproof.events.schema import SCHEMA

# Names under which corpora that anyone can download go about, in files and in columns that tell an event's source.
PUBLISHED = (
    "httpparams csic ecml nsl-kdd kdd cic-ids cicids cse-cic unsw-nb15 ctu-13 bot-iot ton-iot hikari loghub hdfs-log "
    "payloadsallthethings fuzzdb seclists coreruleset gotestwaf atomic-red-team nl2bash sard dvwa"
).split()
_PUBLISHED = re.compile(r"(?<![a-z0-9])(" + "|".join(re.escape(n) for n in PUBLISHED) + r")(?![a-z0-9])")
SOURCES = ("source", "dataset", "corpus", "origin_set")
LICENCES = ("license", "licence")


def sample_of(events: pa.Table, answers: str | None = None) -> Sample:
    """Events as columns of Python values; what is not in the schema goes to `fields`.

    Parameters
    ----------
    answers
        Prefix of columns that hold a model's answers, and are no fields of the event.
    """
    columns = {name: events[name].to_pylist() for name in events.column_names}
    own = {
        name: values
        for name, values in columns.items()
        if name not in SCHEMA.names and not (answers and name.startswith(answers))
    }
    return Sample(
        texts=columns["text"],
        origins=columns["origin"],
        labels=columns["label"],
        families=columns["family"],
        groups=columns["group"],
        times=columns["time"],
        fields=own,
    )


def looks_published(events: pa.Table, files: Sequence[str | Path], about: Mapping[str, Any]) -> str:
    """Why these events are hardly the user's own traffic; empty if nothing says so.

    Parameters
    ----------
    files
        Where they were read.
    about
        The `data` entry of the bundle's manifest.
    """
    for name in SOURCES:
        if name in events.column_names:
            values = [str(v) for v in pc.unique(events[name]).to_pylist() if v is not None]
            if "simulated" in values:
                return f"column {name} says that they are simulated"
            known = sorted({match[1] for value in values if (match := _PUBLISHED.search(_plain(value)))})
            if known:
                return f"column {name} names published corpora ({', '.join(known)})"
    for file in files:
        if match := _PUBLISHED.search(_plain(str(file))):
            return f"{file} is named like a published corpus ({match[1]})"
    for name in LICENCES:
        if name in events.column_names and events[name].null_count < events.num_rows:
            return f"column {name} gives a licence to every event, as published corpora do"
    return "the bundle was made of simulated events" if about.get("simulated") else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.lower())
