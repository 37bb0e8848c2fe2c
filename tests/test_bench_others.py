"""The benchmarks against others: what is counted, what time is held against, and what is said of what is missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

CLASSES = ("benign", "sqli", "xss")


@pytest.fixture(scope="module")
def load(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """A module of the benchmark by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root / "bench"))
        yield importlib.import_module


@pytest.fixture
def bench(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("others_quantization")


def test_times_are_held_against_the_first_in_the_same_block(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(bench, "perf_counter", lambda: clock[0])

    def costing(seconds: float) -> Callable[[int], None]:
        def run(k: int) -> None:
            slower = 1 + (k // bench.CALLS) % 5  # as if the machine did something else in some blocks
            clock[0] += seconds * slower

        return run

    found = bench.ratios({"first": costing(0.02), "half": costing(0.01), "twice": costing(0.04)})
    assert [found[name][end] for name in ("first", "half", "twice") for end in ("value", "low", "high")] == (
        pytest.approx([1.0] * 3 + [0.5] * 3 + [2.0] * 3)
    )


def test_flips_are_counted_against_the_float_file_and_against_other_batches(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = pa.table({"label": ["benign", "sqli", "xss", "xss"], "family": ["benign", "sqli", "xss", "xss"]})
    monkeypatch.setattr(bench, "test_events", lambda: events)
    before = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]] * 4
    alone, together = before.copy(), before.copy()
    alone[1] = [4, 0, 0]
    together[2:] = [[4, 0, 0], [0, 4, 0]]
    compared = bench.Compared(CLASSES, before)
    row = compared.row(alone, together)
    assert (compared.accuracy(), row["events"], row["flips"], row["batched"]) == (0.75, 4, 1, 3)
    assert row["sqnr_db"] == pytest.approx(10 * np.log10((4 * 32 / 3) / 32), abs=1e-6)


@pytest.mark.parametrize(
    ("module", "package", "said"),
    [
        ("quantizers", "nncf", "nncf is not installed"),
        ("foreign_models", "onnxscript", "onnxscript is not installed"),
    ],
)
def test_what_is_not_installed_is_named(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, module: str, package: str, said: str
) -> None:
    bench = load(module)
    monkeypatch.setattr(bench, "find_spec", lambda name: None if name == package else object())
    found = bench.quantized("byte CNN", "NNCF") if module == "quantizers" else bench.absent("byte CNN")
    assert found == said


def test_a_row_says_why_it_was_not_measured(bench: ModuleType) -> None:
    time = {"value": 0.5, "low": 0.4, "high": 0.6, "ms": 1.25}
    rows = {
        "FP32": {"bytes": 4000, "time": time, "batched": 0},
        "ORT static": {
            "bytes": 1000, "time": time, "batched": 2, "flips": 3, "events": 4000, "sqnr_db": 30.0
        },
        "NNCF": {"why": "nncf is not installed"},
    }  # fmt: skip
    found = {"calibration": 500, "accuracy": 0.9, "rows": rows}
    text = bench.to_markdown({"processor": "AVX2", "models": {"byte CNN": found, "DistilBERT": {"why": "no exporter"}}})
    assert "| NNCF (QDQ, its defaults) | not measured: nncf is not installed |" in text
    assert "**DistilBERT**: not measured: no exporter." in text
    assert "| 3 of 4,000, 0.07% (0.03% … 0.22%) | 30.0 | 1,000 | 0.50 (0.40 … 0.60) | 2 |" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        "ORT dynamic",
        "ORT dynamic, reduced",
        "ORT static",
        "ORT static, reduced",
        "ORT static, reduced, products alone",
        "overproof quantize",
    ],
)
def test_every_quantizer_writes_integers_that_run(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    models, quantizers = load("foreign_models"), load("quantizers")
    foreign = replace(models.MODELS["byte CNN"], dynamo=False)  # the newer exporter is not installed for the tests
    file = tmp_path / "cnn" / "model.onnx"
    models.export(models.Convolutions(3).eval(), foreign, CLASSES, file)
    rows = "".join(f"id={k}' or {k}={k}--,{CLASSES[k % 3]},{CLASSES[k % 3]}\n" for k in range(40))
    events = tmp_path / "events.csv"
    events.write_text("text,label,family\n" + rows)
    monkeypatch.setattr(quantizers, "calibration_file", lambda: events)
    texts = quantizers.calibration_events()["text"].to_pylist()
    assert len(texts) == 20
    inputs = quantizers.single_inputs(file, texts)
    out = tmp_path / "out.onnx"
    quantizers.QUANTIZERS[how].write(file, inputs, out)
    weights: Any = onnx.load(str(out)).graph.initializer
    assert sum(np.prod(w.dims) for w in weights if w.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)) > 1e5
    running, before = quantizers.session(str(out)), quantizers.session(str(file))
    for one in inputs:
        (after,), (plain,) = running.run([models.OUTPUT], one), before.run([models.OUTPUT], one)
        assert np.abs(after - plain).max() < 0.1
