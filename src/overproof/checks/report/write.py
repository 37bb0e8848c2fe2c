"""Write the files of a report: four, and the cases of the red team where it found some."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overproof.checks.report.markdown import to_markdown
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.page import page
from overproof.checks.report.red_team import found_cases
from overproof.checks.report.sarif import to_sarif
from overproof.errors import InputError
from overproof.files import atomic_files
from overproof.results.attack_cases import cases_to_lines

CASES = "attack.jsonl"


def write_all(report: CheckOutcome, data: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write check.json, report.html, summary.md and check.sarif into a folder: all, or none where one cannot be.

    Where the red team got past the bundle attack.jsonl is written too, for `overproof attack --replay`; one that an
    earlier check left there goes away otherwise.

    Parameters
    ----------
    data
        The report as plain JSON.
    folder
        Is made if it is not there.

    Raises
    ------
    InputError
        See `require_place`.
    """
    require_place(folder)
    texts = {
        "check.json": _json(data),
        "report.html": page(report),
        "summary.md": to_markdown(report),
        "check.sarif": _json(to_sarif(report)),
    }
    cases = cases_to_lines(found_cases(report))
    if cases:
        texts[CASES] = cases
    written = atomic_files(folder, texts)
    if not cases:
        (folder / CASES).unlink(missing_ok=True)
    return written


def require_place(folder: Path) -> None:
    """Raise InputError if the folder cannot be made: there is no such place, or a file of that name."""
    if not folder.parent.is_dir():
        raise InputError(f"{folder}: no folder {folder.parent}, expected one that exists")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected a folder or a new name")


def _json(value: Mapping[str, Any]) -> str:
    """Write it in ASCII, so that nothing in it can steer a terminal or an editor."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
