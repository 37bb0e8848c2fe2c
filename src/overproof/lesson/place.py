"""Keep where someone left the lesson, in a small file of the user's state (XDG Base Directory)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from overproof.errors import OverproofError
from overproof.files import atomic_write
from overproof.progress import why

FILE = Path("overproof") / "lesson.json"


def place_file() -> Path | None:
    """Return `$XDG_STATE_HOME/overproof/lesson.json`, or the same under `~/.local/state`; None where nobody is at home.

    A relative XDG_STATE_HOME counts for nothing, as its specification says.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    try:
        return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / FILE
    except RuntimeError:  # pathlib's, of a user without a home
        return None


def kept(path: Path | None, keys: Sequence[str]) -> int:
    """Return the step that was kept, counted from 0; the first where none was, or it is none of these steps."""
    if path is None or not path.is_file():
        return 0
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # what is no place of ours begins anew
        return 0
    key = found.get("step") if isinstance(found, dict) else None
    return keys.index(key) if key in keys else 0


def keep(path: Path, key: str) -> str:
    """Keep a step; returns why that failed, or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps({"step": key}) + "\n")
    except (OSError, OverproofError) as error:
        return why(error)
    return ""


def forget(path: Path) -> None:
    """Begin at the first step next time."""
    path.unlink(missing_ok=True)
