"""Write a bundle: its files, and the manifest that says what is in it and where it came from."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import (
    COMPARISON,
    FORMAT,
    HARDENING,
    LADDER,
    MODEL,
    OOD,
    QUANTIZATION,
    QUANTIZING,
    Bundle,
    Manifest,
    digest,
    write_bundle,
)
from overproof.bundle.ood import OodDetector
from overproof.distillation.export import ExportedModel
from overproof.distillation.fit import TrainedModel
from overproof.distillation.students.presets import config_json
from overproof.distillation.training_set import TrainConfig
from overproof.inference.cascade.signals import Signals
from overproof.results import Comparison
from overproof.results.hardening import Hardening
from overproof.results.ladder import Ladder
from overproof.results.layers import LayerDiagnostics
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport
from overproof.version import __version__

LIBRARIES = ("numpy", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "tokenizers", "torch")


@dataclass(frozen=True)
class Provenance:
    """Where a bundle comes from: what all bundles of one run share.

    Attributes
    ----------
    preset
        Of the network's sizes.
    benign
        Labels that are benign, of those that occur.
    data
        Rows and fingerprints of the events.
    teacher
        The teacher's card.
    config
        The whole configuration of the job, as plain JSON.
    margin
        Recall that may be lost against the full model, as a share; None where nothing was fixed.
    """

    preset: str
    benign: tuple[str, ...]
    data: Mapping[str, Any]
    teacher: Mapping[str, Any]
    config: Mapping[str, Any]
    margin: float | None = None


@dataclass(frozen=True)
class BundleContents:
    """One model on its way into a bundle, with what was measured of it.

    Attributes
    ----------
    model, trained, training
        The ONNX file, the network it came from, and the settings that it was trained with.
    precision
        As the manifest calls it.
    parity
        What each conversion step changed.
    thresholds, calibration, signals
        See `Manifest`.
    ood
        What tells that an event is out of distribution.
    comparison, layers, search, ladder, hardening
        What compression cost, what quantization did to each layer, the search under guards, the students that this
        one was taken from, and the attacks that it was hardened against.
    """

    model: ExportedModel
    trained: TrainedModel
    training: TrainConfig
    precision: str = "fp32"
    parity: tuple[Parity, ...] = ()
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    calibration: float | None = None
    signals: Signals | None = None
    ood: OodDetector | None = None
    comparison: Comparison | None = None
    layers: LayerDiagnostics | None = None
    search: PrecisionSearchReport | None = None
    ladder: Ladder | None = None
    hardening: Hardening | None = None


def package_bundle(out: Path, contents: BundleContents, provenance: Provenance) -> int:
    """Write model, tokenizer, what was measured and the manifest to `out`; returns the bundle's bytes."""
    return write_packed(bundle_of(out, contents, provenance))


def write_packed(bundle: Bundle) -> int:
    """Write a bundle where it belongs; returns its bytes."""
    write_bundle(bundle.path, bundle.manifest, bundle.files)
    return sum(path.stat().st_size for path in bundle.path.iterdir())


def bundle_of(out: Path, contents: BundleContents, provenance: Provenance) -> Bundle:
    """Make a bundle of model, tokenizer, what was measured and the manifest, without writing it."""
    files = _files(contents)
    model, trained, training = contents.model, contents.trained, contents.training
    manifest = Manifest(
        format=FORMAT,
        overproof=__version__,
        classes=model.scorer.classes,
        benign=provenance.benign,
        windowing=trained.reader.windowing,
        normalization="none",
        thresholds=contents.thresholds,
        temperature=training.temperature,
        hard_weight=training.hard_weight,
        seed=training.seed,
        precision=contents.precision,
        network={"preset": provenance.preset, "parameters": model.parameters, **config_json(trained.network.config)},
        data=provenance.data,
        teacher=provenance.teacher,
        parity=tuple(asdict(step) for step in contents.parity),
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        files={name: digest(content) for name, content in files.items()},
        margin=provenance.margin,
        calibration=contents.calibration,
        signals=contents.signals,
        config=provenance.config,
    )
    return Bundle(out, manifest, files)


def _files(contents: BundleContents) -> dict[str, bytes]:
    """Return the bundle's files by name."""
    files = {MODEL: contents.model.file, **contents.trained.reader.files()}
    if contents.ood is not None:
        files[OOD] = contents.ood.stored()
    if contents.comparison is not None:
        files[COMPARISON] = json.dumps(contents.comparison.to_json(), indent=1).encode()
    if contents.layers is not None:
        files[QUANTIZATION] = json.dumps(contents.layers.to_json(), separators=(",", ":")).encode()
    if contents.search is not None:
        files[QUANTIZING] = json.dumps(contents.search.to_json(), indent=1).encode()
    if contents.ladder is not None:
        files[LADDER] = json.dumps(contents.ladder.to_json(), indent=1).encode()
    if contents.hardening is not None:
        told = replace(contents.hardening, example=None)  # no event's text goes where a bundle goes
        files[HARDENING] = json.dumps(told.to_json(), indent=1).encode()
    return files
