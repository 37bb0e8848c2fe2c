"""Makes a security classifier small and fast, and proves what that cost.

>>> report = overproof.compress(["train.csv"], teacher=["out/teacher"], out="bundle")  # doctest: +SKIP
>>> overproof.open("bundle").judge(["id=1' or 1=1--"])                                 # doctest: +SKIP

This file runs on every import, so it holds only names: what is behind them is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from overproof.errors import BundleError, InputError, MissingExtra, OverproofError, TamperedBundle

if TYPE_CHECKING:
    from overproof.compression.quantization.job import quantize
    from overproof.pipeline import compress, teach
    from overproof.proof.job import check
    from overproof.report.compression import Report
    from overproof.runtime import open
    from overproof.showcase import demo
    from overproof.sources import Columns, Rejects, load_events

__version__ = "0.1.0"

__all__ = [
    "BundleError",
    "Columns",
    "InputError",
    "MissingExtra",
    "OverproofError",
    "Rejects",
    "Report",
    "TamperedBundle",
    "__version__",
    "check",
    "compress",
    "demo",
    "load_events",
    "open",
    "quantize",
    "teach",
]

_HOMES = {
    "Columns": "overproof.sources",
    "Rejects": "overproof.sources",
    "Report": "overproof.report.compression",
    "check": "overproof.proof.job",
    "compress": "overproof.pipeline",
    "demo": "overproof.showcase",
    "load_events": "overproof.sources",
    "open": "overproof.runtime",
    "quantize": "overproof.compression.quantization.job",
    "teach": "overproof.pipeline",
}

_COMPRESS_EXTRA = {"onnx", "safetensors", "scipy", "sklearn", "threadpoolctl", "torch", "transformers"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in _COMPRESS_EXTRA:
            raise
        extra = "check" if name == "check" else "compress"
        raise MissingExtra(
            f"overproof.{name} needs the package {missing.name}: pip install 'overproof[{extra}]'"
        ) from missing


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
