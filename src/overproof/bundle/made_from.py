"""Say in a line what a bundle was made from, how old it is, and whether it was checked: who deploys it should know."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from overproof.bundle.manifest import MANIFEST, Bundle
from overproof.progress import one_line

DAY = 86_400
NOT_CHECKED = "not checked on your own events"


def made_from(bundle: Bundle) -> str:
    """Say what events a bundle was made from, how new they are, and when it was made.

    When it was made is sealed where SOURCE_DATE_EPOCH said it; else it is the date of its file, which is no proof.
    """
    data = bundle.manifest.data
    rows = data.get("rows")
    count = rows.get("train") if isinstance(rows, dict) else None
    if data.get("simulated"):
        events = "simulated traffic"
    elif data.get("published"):
        events = f"events that look published ({one_line(str(data['published']))[:200]})"
    else:
        events = f"{count:,} events" if isinstance(count, int) else "events of which it says nothing"
    newest = f", the newest of {one_line(data['until'])[:10]}" if isinstance(data.get("until"), str) else ""
    created = data.get("created")
    if isinstance(created, str):
        return f"made from {events}{newest}; made on {one_line(created)[:10]}"
    return f"made from {events}{newest}; made {_age(bundle.path)}"


def iso_date(seconds: float) -> str:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _age(folder: Path) -> str:
    written = (folder / MANIFEST).stat().st_mtime
    days = max(0, int((time.time() - written) // DAY))
    since = "today" if days == 0 else f"{days:,} day{'' if days == 1 else 's'} ago"
    return f"{since}, by its file's date"
