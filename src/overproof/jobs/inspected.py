"""Look into a bundle: every hash is verified, and what it holds is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import Bundle, contents_of, open_bundle
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
    bundle
        The bundle, verified.
    contents
        The same as `overproof inspect --json`.
    comparison, ladder, hardening
        What it stores of them; None where it stores none.
    """

    bundle: Bundle
    contents: dict[str, Any]
    comparison: Comparison | None
    ladder: Ladder | None
    hardening: Hardening | None

    def to_dict(self) -> dict[str, Any]:
        """Return the contents as plain Python values."""
        return self.contents

    def to_pandas(self) -> Any:
        """Return a row for each model that the bundle compares; MissingExtra without pandas."""
        return to_frame([] if self.comparison is None else self.comparison.to_json()["rows"])

    def render(self) -> str:
        """Say what the bundle is, as `overproof inspect` does."""
        return bundle_summary(self.bundle, self.contents, self.comparison, self.ladder, self.hardening)

    def __repr__(self) -> str:
        return self.render()

    def _repr_html_(self) -> Html:
        return as_text(self.render())


def inspect_bundle(bundle: Path | str, *, trust: Trust | None = None) -> Inspected:
    """Verify a bundle, and return what is in it.

    Raises
    ------
    BundleError, TamperedBundle, InputError, MissingExtra
        See `manifest.open_bundle`.
    """
    opened = open_bundle(bundle, trust)
    contents = contents_of(opened)
    ladder = None if contents["ladder"] is None else Ladder.of(opened)
    hardening = None if contents["hardening"] is None else Hardening.of(opened)
    comparison = None if contents["comparison"] is None else Comparison.of(opened)
    return Inspected(opened, contents, comparison, ladder, hardening)
