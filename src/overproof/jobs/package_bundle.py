"""Writing a bundle: the manifest that says what is in it and where it came from."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import (
    COMPARISON,
    FORMAT,
    MODEL,
    NOVELTY,
    QUANTIZATION,
    QUANTIZING,
    TOKENIZER,
    Manifest,
    digest,
    write_bundle,
)
from overproof.bundle.ood import OodDetector
from overproof.distillation.export import ExportedModel
from overproof.distillation.fit import TrainedModel
from overproof.distillation.students.encoder import config_json
from overproof.distillation.training_set import TrainConfig
from overproof.inference.cascade.signals import Signals
from overproof.results import Comparison
from overproof.results.layers import LayerDiagnostics
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport
from overproof.version import __version__

LIBRARIES = ("numpy", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "tokenizers", "torch")


def package_bundle(
    out: Path,
    model: ExportedModel,
    fitted: TrainedModel,
    *,
    precision: str,
    preset: str,
    benign: Sequence[str],
    config: TrainConfig,
    data: Mapping[str, Any],
    teacher: Mapping[str, Any],
    parity: Sequence[Parity],
    thresholds: Mapping[str, float | None],
    margin: float | None = None,
    calibration: float | None = None,
    signals: Signals | None = None,
    novelty: OodDetector | None = None,
    comparison: Comparison | None = None,
    quantization: LayerDiagnostics | None = None,
    quantizing: PrecisionSearchReport | None = None,
) -> int:
    """Write model, tokenizer, what was measured and the manifest to `out`; returns the bundle's bytes."""
    files = {MODEL: model.file, TOKENIZER: fitted.tokenizer.to_str().encode()}
    if novelty is not None:
        files[NOVELTY] = novelty.stored()
    if comparison is not None:
        files[COMPARISON] = json.dumps(comparison.to_json(), indent=1).encode()
    if quantization is not None:
        files[QUANTIZATION] = json.dumps(quantization.to_json(), separators=(",", ":")).encode()
    if quantizing is not None:
        files[QUANTIZING] = json.dumps(quantizing.to_json(), indent=1).encode()
    manifest = Manifest(
        format=FORMAT,
        overproof=__version__,
        classes=model.scorer.classes,
        benign=tuple(benign),
        windowing=fitted.windowing,
        normalization="none",
        thresholds=thresholds,
        temperature=config.temperature,
        hard_weight=config.hard_weight,
        seed=config.seed,
        precision=precision,
        network={"preset": preset, "parameters": model.parameters, **config_json(fitted.network.config)},
        data=data,
        teacher=teacher,
        parity=tuple(asdict(step) for step in parity),
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        files={name: digest(content) for name, content in files.items()},
        margin=margin,
        calibration=calibration,
        signals=signals,
    )
    write_bundle(out, manifest, files)
    return sum(path.stat().st_size for path in out.iterdir())
