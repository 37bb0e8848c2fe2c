"""Compare two checks: read both, compare, write the page where one is asked for."""

from __future__ import annotations

from pathlib import Path

from overproof.checks.report import CheckReport
from overproof.checks.report.compared import Compared, compare
from overproof.files import atomic_write

CHECK = "check.json"


def compare_checks(before: Path, after: Path, html: Path | None = None) -> Compared:
    """Compare the check of one release with that of the next.

    Parameters
    ----------
    before, after
        check.json as `overproof check --out` writes it, or the folder that it is in.
    html
        Where the page goes; None writes none.

    Raises
    ------
    InputError
        A file that is no check.json of this version, or was changed.
    """
    found = compare(*(CheckReport.read(path / CHECK if path.is_dir() else path) for path in (before, after)))
    if html is not None:
        from overproof.checks.report.compared_page import compared_page

        atomic_write(html, compared_page(found))
    return found
