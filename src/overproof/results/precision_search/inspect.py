"""Show what quantization cost a bundle, layer by layer, or draw it."""

from __future__ import annotations

from pathlib import Path

from overproof.progress import SILENT, Console
from overproof.report.svg import write
from overproof.results.precision_search.result import PrecisionSearchReport
from overproof.results.precision_search.svg import draw


def look_at(bundle: Path | str, svg: Path | None = None, console: Console = SILENT) -> PrecisionSearchReport:
    """Read what quantization cost a bundle, layer by layer; drawn into `svg` if a file is named."""
    report = PrecisionSearchReport.of_bundle(bundle, console)
    if svg is not None:
        write(draw(report), svg)
    return report
