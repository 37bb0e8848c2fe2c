"""Verify a bundle and show what is in it: `overproof inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overproof.cli.options import AsJson, Bundle, VerifyCertificates, VerifyKey, trust_of
from overproof.cli.output import fitted, indented, show, show_json, show_text
from overproof.cli.places import a_file
from overproof.errors import InputError
from overproof.progress import terminal

if TYPE_CHECKING:
    from overproof.jobs.inspected import Inspected

Layer = Annotated[
    str | None, typer.Option("--layer", metavar="NAME", help="Show one layer's grid; an unknown name lists them all.")
]
Layers = Annotated[bool, typer.Option("--layers", help="Show what quantization did to every layer, a line each.")]
Sensitivity = Annotated[
    bool,
    typer.Option("--sensitivity", help="Show what every layer costs alone and left out, the search and its guards."),
]
Svg = Annotated[
    Path | None,
    typer.Option(
        "--svg", parser=a_file, metavar="FILE", help="Draw the layer, or the sensitivity, into this file too."
    ),
]
Bom = Annotated[
    Path | None,
    typer.Option(
        "--bom",
        parser=a_file,
        metavar="FILE",
        help="Write a bill of materials into this file too: CycloneDX 1.6, as JSON.",
    ),
]
Card = Annotated[
    Path | None,
    typer.Option(
        "--card", parser=a_file, metavar="FILE", help="Write a card for the Hugging Face Hub into this file too."
    ),
]


Full = Annotated[
    bool,
    typer.Option(
        "--full",
        "--details",
        help="Show the whole manifest, how the student was chosen, and all of the comparison.",
    ),
]


LEFT_OUT = "--full shows the whole manifest, and all that was measured."
HELP = """Verify a bundle, and show what is in it.

Every file's hash is checked before anything is read; then a summary says what the bundle is, and --full all of it.
--layers and --layer show what quantization did to the weights, and how the activations of held-back events,
benign ones and attacks apart, fit their grids. --sensitivity shows what every layer costs in verdicts. All three
also read the folder that `overproof quantize` wrote for an ONNX file, which is not sealed. --bom writes an ML-BOM with
every file's hash, the data's, the teacher and what was measured, --card the README.md of a model on the Hugging Face
Hub with the same figures.

\b
Examples:
  overproof inspect bundle
  overproof inspect bundle --json | jq .manifest.teacher
  overproof inspect bundle --layers
  overproof inspect bundle --layer head.weight --svg head.svg
  overproof inspect bundle --sensitivity --svg sensitivity.svg
  overproof inspect bundle --card README.md
  overproof inspect bundle --bom bundle.cdx.json --verify-key release.pub
"""


def run(
    bundle: Bundle,
    layer: Layer = None,
    layers: Layers = False,
    sensitivity: Sensitivity = False,
    svg: Svg = None,
    bom: Bom = None,
    card: Card = None,
    full: Full = False,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle, and show what is in it."""
    if sensitivity and (layer or layers):
        raise InputError("--sensitivity covers all layers: expected it without --layer and --layers")
    trust = trust_of(verify_key, verify_certificates)
    if (sensitivity or layer or layers or svg) and (bom or card or trust):
        raise InputError(
            "--bom, --card, --verify-key and --verify-certificates are about the bundle, expected them without "
            "--layer, --layers, --sensitivity and --svg"
        )
    if sensitivity:
        from overproof.results.precision_search import look_at as look_at_cost

        show(look_at_cost(bundle, svg, terminal()), as_json)
        return
    if layer or layers or svg:
        from overproof.results.layers import look_at

        show(look_at(bundle, layer, svg, terminal()), as_json)
        return
    from overproof.jobs.inspected import inspect_bundle

    found = inspect_bundle(bundle, trust=trust)
    if bom is not None:
        from overproof.results.ml_bom import write_ml_bom

        write_ml_bom(found.bundle, bom)
    if card is not None:
        from overproof.results.model_card import write_model_card

        write_model_card(found.bundle, card)
    if as_json:
        show_json(indented(found.contents))
        return
    show_text((_whole(found) if full else f"{fitted(found.render)}\n\n{LEFT_OUT}") + "\n")


def _whole(found: Inspected) -> str:
    """Write all of a bundle for people, fitted to where it goes."""
    parts = {"ladder": found.ladder, "hardening": found.hardening, "comparison": found.comparison}
    manifest = {name: entry for name, entry in found.contents.items() if name not in parts}
    stored = [fitted(one.render) for one in parts.values() if one is not None]
    return "\n".join([fitted(lambda: "\n".join(_outline(manifest))) + "\n", *stored]).rstrip("\n")


def _outline(entries: Mapping[Any, Any], indent: str = "") -> Iterator[str]:
    """Yield plain JSON as indented lines, for people."""
    for name, entry in entries.items():
        if isinstance(entry, list | tuple) and entry and isinstance(entry[0], Mapping):
            entry = dict(enumerate(entry, 1))
        if isinstance(entry, Mapping):
            yield f"{indent}{name}:"
            yield from _outline(entry, indent + "  ")
        else:
            yield f"{indent}{name}: {', '.join(map(str, entry)) if isinstance(entry, list | tuple) else entry}"
