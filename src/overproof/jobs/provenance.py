"""Say where training events come from, for the manifest; and, when a bundle is deployed, what it says of that."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from overproof.bundle.made_from import NOT_CHECKED, iso_date, made_from
from overproof.bundle.manifest import Bundle
from overproof.errors import InputError
from overproof.inference.sinks.fields import milliseconds
from overproof.jobs.config import DataConfig
from overproof.jobs.samples import looks_published

EPOCH = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/


def came_from(events: pa.Table, data: DataConfig, about: Mapping[str, object]) -> dict[str, object]:
    """Return why events are hardly the user's own, how new they are, and the date of SOURCE_DATE_EPOCH, if it is set.

    The date of a run is left out otherwise: two equal runs give equal bundles.

    Parameters
    ----------
    about
        What is known of the events already (`DatasetSplits.describe`).

    Raises
    ------
    InputError
        If SOURCE_DATE_EPOCH is no number of seconds.
    """
    files = data.events if isinstance(data.events, Sequence) else ()
    told = events["time"].drop_null().to_pylist() if "time" in events.column_names else []
    times = map(milliseconds, told)
    newest = max((time for time in times if time is not None), default=None)
    found: dict[str, object] = {
        "published": looks_published(events, files, about),
        "until": None if newest is None else iso_date(newest / 1000),
    }
    if EPOCH in os.environ:
        found["created"] = _created(os.environ[EPOCH])
    return found


def deployed(bundle: Bundle, check: Path | None) -> str:
    """Say what a bundle was made from, and whether it was checked on events that look like the user's own."""
    return f"{bundle.path}: {made_from(bundle)}; {_checked(check)}"


def _created(seconds: str) -> str:
    try:
        return iso_date(int(seconds))
    except (ValueError, OverflowError, OSError):
        raise InputError(f"{EPOCH}={seconds[:40]}: expected seconds since 1970") from None


def _checked(check: Path | None) -> str:
    """Tell of a check.json that was read and found in order whether its events look public."""
    if check is None:
        return NOT_CHECKED
    stored: Mapping[str, Any] = orjson.loads(check.read_bytes())
    public = any(isinstance(each.get("data"), dict) and each["data"].get("published") for each in stored["checks"])
    return f"{NOT_CHECKED}, but on public or simulated ones ({check})" if public else f"checked ({check})"
