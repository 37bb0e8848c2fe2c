"""Show the layers of a bundle, or draw one of them."""

from __future__ import annotations

from pathlib import Path

from overproof.errors import InputError
from overproof.progress import SILENT, Console
from overproof.report.svg import write
from overproof.results.layers.result import LayerDiagnostics, LayerReport
from overproof.results.layers.svg import draw


def look_at(
    bundle: Path | str, layer: str | None = None, svg: Path | None = None, console: Console = SILENT
) -> LayerDiagnostics | LayerReport:
    """Read all layers of a bundle, or one; that one is drawn into `svg` if a file is named.

    Raises
    ------
    InputError
        No layer of that name, or a picture of none in particular.
    """
    report = LayerDiagnostics.of_bundle(bundle, console)
    if layer is None:
        if svg is not None:
            drawn = f"one layer can be drawn; name it: --layer, of {report.names}"
            raise InputError(f"{svg}: {drawn}; or what each of them costs: --sensitivity")
        return report
    found = report.layer(layer)
    if svg is not None:
        write(draw(found), svg)
    return found
