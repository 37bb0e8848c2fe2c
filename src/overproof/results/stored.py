"""Read back what was measured of a model from its bundle, or from the folder of a quantized ONNX file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.bundle.manifest_schema import bounded, each_name_once
from overproof.errors import BundleError
from overproof.progress import SILENT, Console, why

T = TypeVar("T")
SINCE = "0.1.0"  # the version that first wrote these files


def read_back(folder: Path | str, name: str, parse: Callable[[Any], T], console: Console = SILENT) -> T:
    """Read one of the JSON files beside a quantized model.

    A bundle's hashes are verified first. The folder that `quantize` writes for an ONNX file has no manifest: the
    console is told that it is no sealed bundle.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`; also where there is no such file, or one whose content does not fit. The message
        says where.
    """
    folder = Path(folder)
    if (folder / name).is_file() and not (folder / MANIFEST).exists():
        console.say(f"{folder}: not a sealed bundle: it has no {MANIFEST}, so nothing of it is verified")
        return _parsed(folder / name, (folder / name).read_bytes(), parse, "another version")
    return read_from(open_bundle(folder), name, parse)


def read_from(bundle: Bundle, name: str, parse: Callable[[Any], T]) -> T:
    """Read one of the JSON files of a bundle that is open, as `read_back` does."""
    writer = f"version {bundle.manifest.overproof}"
    if name not in bundle.files:
        raise BundleError(
            f"{bundle.path}: no {name}; `overproof compress` and `overproof quantize` write it since version {SINCE}, "
            f"and this is a {bundle.manifest.precision} bundle of {writer}"
        )
    return _parsed(bundle.path / name, bundle.files[name], parse, writer)


def _parsed(file: Path, content: bytes, parse: Callable[[Any], T], writer: str) -> T:
    try:
        return parse(json.loads(content, parse_int=bounded, object_pairs_hook=each_name_once))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file}: written by {writer}, cannot be read by this one ({why(error)})") from None


def without(data: Any, *derived: str) -> Any:
    """Leave entries out of a JSON object that were derived from the others when it was written."""
    return {key: value for key, value in data.items() if key not in derived} if isinstance(data, Mapping) else data
