"""Turn analysts' corrections of verdicts into events to learn from and to check with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.errors import InputError
from overproof.events.feedback import CHECK, TRAIN
from overproof.events.feedback.corrections import Correction, read_corrections, read_verdicts
from overproof.events.feedback.sides import lines, sides
from overproof.events.sources import Rejects
from overproof.files import atomic_files
from overproof.progress import one_line


@dataclass(frozen=True)
class Parting:
    """Which corrected events are measured on: a share of them, drawn by the seed; the same in every round."""

    share: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise InputError(f"--check-share {self.share}: expected a share from 0 to below 1, such as 0.3 or 30%")


@dataclass(frozen=True)
class Given:
    """What became of corrections.

    Attributes
    ----------
    out
        Folder of the two tables.
    verdicts
        Events that were judged.
    train, check
        Label to corrected events to learn from, and to measure on.
    changed
        Of all of them, those whose verdict was another.
    again
        Corrections that said what another said already.
    rejected
        Reason to number of corrections that cannot be used.
    """

    out: str
    verdicts: int
    train: Mapping[str, int]
    check: Mapping[str, int]
    changed: int
    again: int
    rejected: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()}

    def render(self) -> str:
        """Return text for people."""
        total = sum(self.train.values()) + sum(self.check.values())
        rejected = "; ".join(f"{one_line(why)} ({count:,})" for why, count in self.rejected.items())
        return "\n".join(
            [
                f"{total:,} corrected events of {self.verdicts:,} verdicts, {self.changed:,} of which said otherwise",
                f"  to learn from  {_counted(self.train)} ({self.out}/{TRAIN})",
                f"  to check with  {_counted(self.check)} ({self.out}/{CHECK})",
                f"  said again     {self.again:,}",
                f"  rejected       {sum(self.rejected.values()):,}{': ' if rejected else ''}{rejected}",
            ]
        )


def feedback(
    verdicts: Path | str,
    corrected: Path | str,
    *,
    out: Path | str,
    parting: Parting | None = None,
    rejects: Path | None = None,
) -> Given:
    """Turn analysts' corrections of verdicts into events: to learn from `train.jsonl`, to check with `check.jsonl`.

    An event and its near duplicates (the same but for case and digits) are on one side, by a hash of their template:
    in later rounds, with the same seed and share, on the same one.

    Parameters
    ----------
    verdicts
        JSON lines of `overproof triage --with-text`.
    corrected
        A csv or JSON lines: `origin` or `text`, `label`, and if wanted `family`, `who`, `when`, `note`.
    out
        Folder for the two tables; what they hold is replaced.
    parting
        How many events are measured on, and which.
    rejects
        File for the corrections that cannot be used, each with its reason.

    Raises
    ------
    InputError
        Files or options that cannot be used, or no correction that can.
    """
    parting = parting or Parting()
    judged, classes = read_verdicts(Path(verdicts))
    with Rejects(rejects) as skipped:
        found, again = read_corrections(Path(corrected), judged, classes, skipped)
        if not found:
            raise InputError(f"{corrected}: no correction of these verdicts can be used ({skipped})")
    train, check = sides(found, parting.share, parting.seed)
    atomic_files(Path(out), {TRAIN: lines(train), CHECK: lines(check)})  # both or none: they must agree
    changed = sum(one.changed for one in found)
    return Given(str(out), len(judged), _labels(train), _labels(check), changed, again, skipped.summary())


def _labels(corrections: list[Correction]) -> dict[str, int]:
    return dict(Counter(one.label for one in corrections).most_common())


def _counted(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in labels.items()) or "none"
