"""Make a security classifier small and fast, and prove what that cost.

>>> report = overproof.compress(["train.csv"], teacher=["out/teacher"], out="bundle")  # doctest: +SKIP
>>> overproof.open("bundle").judge(["id=1' or 1=1--"])                                 # doctest: +SKIP

This file runs on every import, so it holds only names: what is behind them is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from overproof.errors import BundleError, InputError, MissingExtra, OverproofError, TamperedBundle
from overproof.version import __version__

if TYPE_CHECKING:
    from overproof.events.sources import Columns, Rejects, load_events
    from overproof.jobs.attack import attack
    from overproof.jobs.attack_replay import replay
    from overproof.jobs.check import check
    from overproof.jobs.classifier import Classifier
    from overproof.jobs.classifier import open_classifier as open
    from overproof.jobs.compress import compress
    from overproof.jobs.demo import demo
    from overproof.jobs.events import EventsWritten, LabelConfig, write_events
    from overproof.jobs.inspected import inspect_bundle as inspect
    from overproof.jobs.join import join
    from overproof.jobs.quantize import quantize
    from overproof.jobs.teach import teach
    from overproof.jobs.triaged import triage_files as triage
    from overproof.results.compression import Report

__all__ = [
    "BundleError",
    "Classifier",
    "Columns",
    "EventsWritten",
    "InputError",
    "LabelConfig",
    "MissingExtra",
    "OverproofError",
    "Rejects",
    "Report",
    "TamperedBundle",
    "__version__",
    "attack",
    "check",
    "compress",
    "demo",
    "inspect",
    "join",
    "load_events",
    "open",
    "quantize",
    "replay",
    "teach",
    "triage",
    "write_events",
]

_HOMES = {
    "Classifier": "overproof.jobs.classifier",
    "Columns": "overproof.events.sources",
    "EventsWritten": "overproof.jobs.events",
    "LabelConfig": "overproof.jobs.events",
    "Rejects": "overproof.events.sources",
    "Report": "overproof.results.compression",
    "attack": "overproof.jobs.attack",
    "check": "overproof.jobs.check",
    "compress": "overproof.jobs.compress",
    "demo": "overproof.jobs.demo",
    "inspect": "overproof.jobs.inspected",
    "join": "overproof.jobs.join",
    "load_events": "overproof.events.sources",
    "open": "overproof.jobs.classifier",
    "quantize": "overproof.jobs.quantize",
    "replay": "overproof.jobs.attack_replay",
    "teach": "overproof.jobs.teach",
    "triage": "overproof.jobs.triaged",
    "write_events": "overproof.jobs.events",
}

# The names of some in their modules, where the public one would hide another.
_NAMED = {"inspect": "inspect_bundle", "open": "open_classifier", "triage": "triage_files"}

_COMPRESS_EXTRA = {"onnx", "safetensors", "scipy", "sklearn", "threadpoolctl", "torch", "transformers"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), _NAMED.get(name, name))
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in _COMPRESS_EXTRA:
            raise
        extra = {"attack": "attack", "check": "check", "replay": "attack"}.get(name, "compress")
        raise MissingExtra(
            f"overproof.{name} needs the package {missing.name}: pip install 'overproof[{extra}]'"
        ) from missing


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
