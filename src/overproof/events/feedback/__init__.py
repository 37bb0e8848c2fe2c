"""Events that analysts corrected: read what they say, part them in two sides, put them into a run's events.

`corrections.py` reads and judges corrections, `sides.py` parts them, `given.py` reads both sides back for a run.
"""

from __future__ import annotations

from pathlib import Path

from overproof.errors import InputError

WEIGHT = "feedback_weight"  # column of training events: how often one is shown; null is an event that nobody corrected
ANALYST = "analyst"  # whose labels they are
TRAIN, CHECK = "train.jsonl", "check.jsonl"  # in a folder of feedback
MOST_WEIGHT = 1000.0


def weighed(spec: str) -> tuple[Path, float]:
    """Read `DIR` or `DIR@WEIGHT` as a folder and how often its events are shown, where others are shown once.

    Raises
    ------
    InputError
        A weight that is none: 0 or less, or more than `MOST_WEIGHT`.
    """
    folder, at, given = spec.rpartition("@")
    if not at or not folder:
        return Path(spec), 1.0
    try:
        weight = float(given)
    except ValueError:
        return Path(spec), 1.0
    if not 0 < weight <= MOST_WEIGHT:
        raise InputError(f"--feedback {spec}: expected a weight above 0, {MOST_WEIGHT:g} at most")
    return Path(folder), weight
