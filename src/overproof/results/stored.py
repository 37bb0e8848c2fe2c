"""Reading back what a bundle, or the folder of a quantized ONNX file, tells about its own quantization."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.errors import BundleError
from overproof.progress import SILENT, Console

T = TypeVar("T")
SINCE = "0.1.0"  # the version that first wrote these files


def read_back(folder: Path | str, name: str, parse: Callable[[Any], T], console: Console = SILENT) -> T:
    """One of the JSON files beside a quantized model, parsed.

    A bundle's hashes are verified first. The folder that `quantize` writes for an ONNX file has no manifest: that it
    is no sealed bundle is told to the console.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`; also where there is no such file, or one in another version's words.
    """
    folder = Path(folder)
    if (folder / name).is_file() and not (folder / MANIFEST).exists():
        console.say(f"{folder}: not a sealed bundle: it has no {MANIFEST}, so nothing of it is verified")
        return _parsed(folder / name, (folder / name).read_bytes(), parse, "another version")
    return read_from(open_bundle(folder), name, parse)


def read_from(bundle: Bundle, name: str, parse: Callable[[Any], T]) -> T:
    """`read_back` for a bundle that is open."""
    writer = f"version {bundle.manifest.overproof}"
    if name not in bundle.files:
        raise BundleError(
            f"{bundle.path}: no {name}; `overproof compress` and `overproof quantize` write it since version {SINCE}, "
            f"and this is a {bundle.manifest.precision} bundle of {writer}"
        )
    return _parsed(bundle.path / name, bundle.files[name], parse, writer)


def _parsed(file: Path, content: bytes, parse: Callable[[Any], T], writer: str) -> T:
    try:
        return parse(json.loads(content))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{file}: written by {writer}, cannot be read by this one ({error})") from None
