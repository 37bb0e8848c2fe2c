"""Look into a bundle from Python: every hash is verified, and what it holds is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import inspect, open_bundle
from overproof.bundle.signing import Trust
from overproof.report.markup import Html
from overproof.report.notebook import as_text, to_frame
from overproof.results import Comparison
from overproof.results.bundle_summary import bundle_summary
from overproof.results.hardening import Hardening
from overproof.results.ladder import Ladder


@dataclass(frozen=True, repr=False)
class Inspected:
    """What is in a bundle.

    Attributes
    ----------
    contents
        The same as `overproof inspect --json`.
    comparison, ladder, hardening
        What it stores of them; None where it stores none.
    summary
        The same as `overproof inspect`.
    """

    contents: dict[str, Any]
    comparison: Comparison | None
    ladder: Ladder | None
    hardening: Hardening | None
    summary: str

    def to_dict(self) -> dict[str, Any]:
        """Return the contents as plain Python values."""
        return self.contents

    def to_pandas(self) -> Any:
        """Return a row for each model that the bundle compares; MissingExtra without pandas."""
        return to_frame([] if self.comparison is None else self.comparison.to_json()["rows"])

    def __repr__(self) -> str:
        return self.summary

    def _repr_html_(self) -> Html:
        return as_text(self.summary)


def inspect_bundle(bundle: Path | str, *, trust: Trust | None = None) -> Inspected:
    """Verify a bundle, and return what is in it.

    Raises
    ------
    BundleError, TamperedBundle, InputError, MissingExtra
        See `manifest.open_bundle`.
    """
    contents, opened = inspect(bundle, trust), open_bundle(bundle, trust)
    ladder = None if contents["ladder"] is None else Ladder.of(opened)
    hardening = None if contents["hardening"] is None else Hardening.of(opened)
    comparison = None if contents["comparison"] is None else Comparison.of(opened)
    summary = bundle_summary(opened, contents, comparison, ladder, hardening)
    return Inspected(contents, comparison, ladder, hardening, summary)
