"""A bundle whose names are an attack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from overproof.bundle.manifest import COMPARISON, QUANTIZATION, QUANTIZING, Manifest, digest, open_bundle, write_bundle
from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.bundle.tokenizer import Windowing
from overproof.results.divergence import Divergence
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import PrecisionSearchReport, Step

if TYPE_CHECKING:
    import onnx

    from ..browser import Browser as Browser
    from ..conftest import Made

EVIL = """<img src=x onerror="window.owned=1"></script><script>window.owned=1</script>'"&amp;"""


@dataclass(frozen=True)
class Bundled:
    """A bundle, what its comparison and its layers say, and the attack that it is named after."""

    path: Path
    comparison: dict[str, Any]
    layers: LayerDiagnostics
    evil: str = EVIL

    def rewritten(self, changed: Mapping[str, Any]) -> Path:
        """A copy beside it with other JSON in some files, or without those that are None."""
        bundle, path = open_bundle(self.path), self.path.with_name("rewritten")
        files = {name: content for name, content in bundle.files.items() if name not in changed}
        files |= {name: json.dumps(value).encode() for name, value in changed.items() if value is not None}
        listed = {name: digest(content) for name, content in files.items()}
        write_bundle(path, replace(bundle.manifest, files=listed), files)
        return path


def described(fp32: onnx.ModelProto, quantized: onnx.ModelProto) -> LayerDiagnostics:
    """What quantization did to each layer; every layer is named after the attack."""
    from overproof.quantization.layer_diagnostics import diagnose_layers

    random = np.random.default_rng(5)
    onnx_inputs = {kind: [{"input_ids": random.integers(2, 290, (32, 9))}] for kind in ("benign", "attack")}
    report = diagnose_layers(fp32, quantized, onnx_inputs)
    return replace(report, layers=tuple(replace(layer, name=f"{layer.name} {EVIL}") for layer in report.layers))


SEARCHED = PrecisionSearchReport(
    model="student",
    out=Path("b"),
    precision="w8a8",
    bytes_before=9,
    bytes_after=3,
    calibrated=10,
    held_back=400,
    path=(Step((), Divergence(400, 0.5, 9, 1, 0.5, {}), ()), Step((EVIL,), Divergence(400, 0.25, 3, 1, 0.5, {}), ())),
    chosen=1,
)


@pytest.fixture(scope="session")
def bundled(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """An untrained model in a bundle; every name that a bundle brings along is an attack on the page."""
    share = {"k": 3, "n": 4}
    shares = {name: share for name in ("correct", "missed", "flagged", "agreed")}
    metrics = {"n": 4, "macro_f1": None, "macro_f1_all": None, "families": {}, "min_support": 15, **shares}
    sizes = {"parameters": 10, "p99_ms": None, "events_per_second": None, "metrics": metrics, "note": EVIL}
    rows = [
        {"name": FULL, "bytes": 16981253, "p50_ms": 2.5, **sizes},
        {"name": QUANTIZED, "bytes": 1045603, "p50_ms": 0.5, **sizes},
        {"name": EVIL, "bytes": None, "p50_ms": None, **sizes},
    ]
    comparison = {"test_rows": 4, "rows": rows}
    layers = described(made.fp32, made.int8)
    files = {
        "model.onnx": made.int8.SerializeToString(),
        "tokenizer.json": made.tokenizer.to_str().encode(),
        COMPARISON: json.dumps(comparison).encode(),
        QUANTIZATION: json.dumps(layers.to_json()).encode(),
        QUANTIZING: json.dumps(SEARCHED.to_json()).encode(),
    }
    manifest = Manifest(
        format=1,
        overproof="0",
        classes=(EVIL, "normal", "malicious"),
        benign=("normal",),
        windowing=Windowing(size=32, overlap=8, limit=2),
        normalization="none",
        thresholds={},
        temperature=2.0,
        hard_weight=0.5,
        seed=0,
        precision="int8",
        network={"parameters": 10},
        data={},
        teacher={},
        parity=({"step": "FP32 → INT8 " + EVIL, "events": 4, "max_difference": 0.5, "flips": 0},),
        versions={},
        files={name: digest(content) for name, content in files.items()},
    )
    path = tmp_path_factory.mktemp("bundles") / "<b onclick=owned()>"
    write_bundle(path, manifest, files)
    return Bundled(path, comparison, layers)
