"""The benchmarks against others: what is counted, what time is held against, and what is said of what is missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

import overproof
from overproof.progress import SILENT

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


def test_flips_are_counted_against_the_float_file_and_against_other_batches(bench: ModuleType) -> None:
    events = pa.table({"label": ["benign", "sqli", "xss", "xss"], "family": ["benign", "sqli", "xss", "xss"]})
    before = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]] * 4
    alone, together = before.copy(), before.copy()
    alone[1] = [4, 0, 0]
    together[2:] = [[4, 0, 0], [0, 4, 0]]
    compared = bench.Compared(events, CLASSES, before)
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


@pytest.mark.slow
def test_our_file_is_the_one_that_the_command_writes(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models, quantizers = load("foreign_models"), load("quantizers")
    foreign = replace(models.MODELS["byte CNN"], dynamo=False)
    file, events = tmp_path / "cnn" / "model.onnx", tmp_path / "events.csv"
    models.export(models.Convolutions(3).eval(), foreign, CLASSES, file)
    events.write_text("text,label,family\n" + "".join(f"a={k},{CLASSES[k % 3]},{CLASSES[k % 3]}\n" for k in range(40)))
    monkeypatch.setattr(quantizers, "calibration_file", lambda: events)
    quantizers.by_overproof(file, [], tmp_path / "out.onnx")
    overproof.quantize(file, calibrate_on=[str(events)], out=tmp_path / "written", console=SILENT)
    assert (tmp_path / "out.onnx").read_bytes() == (tmp_path / "written" / file.name).read_bytes()


def test_a_threshold_blocks_no_more_requests_than_the_rules(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = load("others_rules")
    values = np.array([0.1, 0.9, 0.2, 0.3, 0.8, 0.4, 0.5, 0.6, 0.85, 0.1])  # five requests of two values
    rows = {name: np.arange(10) for name in ("requests", *rules.SETS)}
    monkeypatch.setattr(rules, "judged", lambda: SimpleNamespace(rows=rows, starts=np.arange(0, 10, 2)))
    said = {protocol: SimpleNamespace(attack=values) for protocol in ("known", "held")}
    flags = rules.of_model(said, 0.4)
    assert flags["requests"].tolist() == [True, False, False, False, True]
    assert [flags[name].sum() for name in rules.SETS] == [2, 2, 2]


def test_without_the_rules_the_table_says_what_is_missing(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = load("others_rules")
    monkeypatch.setattr(rules.core_rule_set, "absent", lambda: "nginx is not there; install it")
    assert rules.to_markdown(rules.measured()) == "Not measured: nginx is not there; install it."


@pytest.mark.parametrize("package", ["fasttext", "model2vec"])
def test_models_of_packages_that_are_not_installed_are_named(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    models = load("others_models")
    monkeypatch.setattr(models, "find_spec", lambda name: None if name == package else object())
    found = {name: models.absent(name) for name in models.MODELS}
    missing = {name for name, (needed, _) in models.MODELS.items() if needed == package}
    assert missing
    assert {name for name, why in found.items() if why == f"not measured: {package} is not installed"} == missing


@pytest.mark.parametrize(
    ("text", "line"),
    [("a b", "a b"), ("a\nb\r\0", "a\u240ab\u240d\u2400"), ("\ud800'", "?'")],
    ids=["plain", "what-ends-a-line", "lone-surrogate"],
)
def test_fasttext_reads_one_line(load: Callable[[str], ModuleType], text: str, line: str) -> None:
    assert load("small_models").one_line(text) == line


def test_a_model_that_is_absent_keeps_its_row(load: Callable[[str], ModuleType]) -> None:
    models = load("others_models")
    time = {"value": 2.0, "low": 1.5, "high": 2.5}
    share = {"k": 1, "n": 100, "low": 0.001, "high": 0.02}
    counted = {**dict.fromkeys(("values", *models.SETS), share), "fewer": {"value": 0.01, "low": -0.01, "high": 0.03}}
    result = {
        "thresholds": 6415,
        "models": {name: {"bytes": 1000, "time": time} for name in (models.BASELINE, models.OURS)},
        "absent": {models.STATIC: "not measured: model2vec is not installed"},
        "at": {"0.5% of values": dict.fromkeys((models.BASELINE, models.OURS), counted)},
    }
    text = models.to_markdown(result)
    assert f"| {models.STATIC} | not measured: model2vec is not installed | |" in text
    assert f"| {models.OURS} | 1,000 | 2.00 times (1.50 … 2.50) |" in text
    assert f"| {models.BASELINE} | 1.00 % (0.10 … 2.00) |" in text
    assert text.count("1.0 (-1.0 … 3.0)") == 1  # our student is not held against itself
