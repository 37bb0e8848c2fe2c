"""What `quantize` tells of layers and portability, against what is in the files that it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from overproof.bundle.manifest import (
    MODEL,
    QUANTIZATION,
    QUANTIZING,
    SENSITIVITY,
    Manifest,
    digest,
    open_bundle,
    write_bundle,
)
from overproof.bundle.readers import TokenReader
from overproof.bundle.runtime import Labels, WindowScorer
from overproof.bundle.tokenizer import Windowing
from overproof.cli import app
from overproof.jobs.quantize import quantize
from overproof.quantization.affine import quantize as to_grid
from overproof.quantization.layer_diagnostics import by_kind, diagnose_layers
from overproof.quantization.layers import find_layers
from overproof.quantization.models import open_model
from overproof.quantization.models.bundle import from_scorer
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.onnx_inputs import run_activations
from overproof.quantization.reports import layer_report, one_by_one, portability_report
from overproof.quantization.rewrite import quantize_model
from overproof.quantization.schemes import weight_grid
from overproof.report.layout import within
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.precision_search.svg import draw

if TYPE_CHECKING:
    from ..conftest import Made

CLASSES = ("benign", "sqli", "xss")
WIDE = 200  # cells of a line: no table is wrapped


def convolution(rows: int | str = "n") -> onnx.ModelProto:
    """One float tensor of 12 numbers, seen as 2 x 6: Conv, Relu, Conv, Gemm with its weight transposed."""
    random = np.random.default_rng(0)
    shapes = {"first": (4, 2, 3), "second": (3, 4, 3), "out": (3, 6)}
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["x2"]),
        helper.make_node("Conv", ["x2", "first"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "second"], ["c2"]),
        helper.make_node("Flatten", ["c2"], ["flat"]),
        helper.make_node("Gemm", ["flat", "out"], ["logits"], transB=1),
    ]
    info = helper.make_tensor_value_info
    stored = [numpy_helper.from_array(random.normal(size=s).astype(np.float32), name) for name, s in shapes.items()]
    stored.append(numpy_helper.from_array(np.array([-1, 2, 6]), "shape"))
    graph = helper.make_graph(
        nodes, "foreign", [info("x", TensorProto.FLOAT, [rows, 12])], [info("logits", TensorProto.FLOAT, [rows, 3])],
        stored,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.fixture
def flows(tmp_path: Path) -> tuple[Path, Path]:
    """A convolution's file and a table of flows for it."""
    model, events = tmp_path / "flows.onnx", tmp_path / "flows.csv"
    onnx.save(convolution(), model)
    (tmp_path / "labels.json").write_text(json.dumps(CLASSES))
    x = np.random.default_rng(1).normal(size=(60, 12))
    lines = [",".join([*(f"f{i}" for i in range(12)), "label"])]
    lines += [",".join([*(f"{v:.4f}" for v in row), CLASSES[i % 3]]) for i, row in enumerate(x)]
    events.write_text("\n".join(lines))
    return model, events


@pytest.fixture(scope="module")
def quantizable(made: Made) -> QuantizableModel:
    scorer = WindowScorer(
        made.fp32.SerializeToString(), TokenReader(made.tokenizer, Windowing(12, 6)), Labels(CLASSES, ("benign",))
    )
    return from_scorer("made", made.fp32, scorer, ("benign",))


def texts(count: int, labels: tuple[str | None, ...] = ("benign", "sqli")) -> pa.Table:
    words = ["select * from users", "<script>alert(1)</script>", "GET /index.html", "id=1"]
    return pa.table(
        {
            "text": [f"{words[i % 4]} {words[(i // 4) % 4][: i % 7]}{i}" for i in range(count)],
            "label": pa.array([labels[i % len(labels)] for i in range(count)], pa.string()),
            "family": pa.nulls(count, pa.string()),
        }
    )


def matches(fp32: onnx.ModelProto, report: LayerDiagnostics, precision: str) -> None:
    """Every layer's histogram is that of its weights on the grid that the precision asks for."""
    for layer in find_layers(fp32):
        found = report.layer(layer.name)
        assert found.kind == layer.kind and found.weights is not None
        grid = weight_grid(layer, precision)
        q = to_grid(layer.values, grid)
        low, high = found.weights.qmin, found.weights.qmax
        assert found.weights.counts == tuple(int((q == level).sum()) for level in range(low, high + 1))
        assert found.weights.grids == grid.scale.size
        bits = 4 if grid.qmax - grid.qmin <= 15 else 8
        assert found.weights.bits == bits
        paid = (layer.values.size * bits + 7) // 8 + grid.scale.nbytes
        assert paid <= found.bytes_after <= paid + grid.scale.size, "and at most a byte for each zero point"


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w4a32"])
def test_every_precision_of_the_encoder_is_described(made: Made, quantizable: QuantizableModel, precision: str) -> None:
    quantized = quantize_model(made.fp32, quantizable.prepare(texts(40)).onnx_inputs, precision)
    report = layer_report(quantizable, quantizable.model, quantized, texts(80))
    matches(made.fp32, report, precision)
    assert set(report.inputs) == {"benign", "attack"} and min(report.inputs.values()) >= 40
    for layer in report.layers:
        assert (layer.activations is None) == (layer.kind == "embedding" or precision == "w4a32")
        for seen in layer.activations.seen.values() if layer.activations else ():
            assert seen.values > 0
    assert LayerDiagnostics.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert wide(report).splitlines()[0].rstrip().endswith("saturated: benign  attack")


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w4a32"])
def test_every_precision_of_a_convolution_is_described(precision: str) -> None:
    fp32, x = convolution(), np.random.default_rng(2).normal(size=(32, 12)).astype(np.float32)
    quantized = quantize_model(fp32, [{"x": x}], precision)
    report = diagnose_layers(fp32, quantized, {"all": [{"x": x}]})
    matches(fp32, report, precision)
    assert [layer.kind for layer in report.layers] == ["convolution", "convolution", "linear"]
    assert [layer.activations is None for layer in report.layers] == [precision == "w4a32"] * 3
    if report.layers[1].activations is not None:
        ((_, seen),) = run_activations(fp32, ["r1"], [{"x": x}])
        assert report.layers[1].activations.tensor == "r1"
        assert report.layers[1].activations.seen["all"].values == seen["r1"].size


def test_kinds_of_events_are_told_apart_where_labels_say_so() -> None:
    apart = by_kind(texts(30, ("benign", "sqli", None)), ("benign",))
    assert {kind: set(some["label"].to_pylist()) for kind, some in apart.items()} == {
        "benign": {"benign"},
        "attack": {"sqli"},
    }
    assert by_kind(texts(4, ("sqli",)), ("benign",))["benign"].num_rows == 0, "unmeasured, not mixed with the others"
    for labels, benign in (((None,), ("benign",)), (("a", "b"), ())):
        together = by_kind(texts(2000, labels), benign)
        assert list(together) == ["all"] and 0 < together["all"].num_rows < 2000


def test_single_events_are_not_padded_and_windows_stand_alone(quantizable: QuantizableModel) -> None:
    events = texts(20)
    onnx_inputs = one_by_one(quantizable, events)
    assert len(onnx_inputs) > 20, "some events have several windows"
    assert {onnx_input["input_ids"].shape[0] for onnx_input in onnx_inputs} == {1}
    assert sum(onnx_input["input_ids"].size for onnx_input in onnx_inputs) == sum(
        onnx_input["input_ids"].size for onnx_input in quantizable.prepare(events).onnx_inputs
    )


def test_four_bit_weights_are_emulated_and_cannot_saturate(made: Made, quantizable: QuantizableModel) -> None:
    quantized = quantize_model(made.fp32, quantizable.prepare(texts(40)).onnx_inputs, "w4a8")
    report = portability_report(quantizable, quantized, texts(30))
    rows = {row.varied: row for row in report.variations}
    assert rows["instruction set"].unmeasured is None and rows["instruction set"].events > 0
    linear = [layer.name for layer in find_layers(made.fp32) if layer.kind == "linear"]
    assert [matrix.name for matrix in report.matrices] == linear
    assert not any(matrix.can_saturate for matrix in report.matrices)
    assert report.flips == 0


def test_a_fixed_batch_is_unmeasured_not_passed(tmp_path: Path) -> None:
    onnx.save(convolution(rows=8), tmp_path / "m.onnx")
    quantizable = open_model(tmp_path / "m.onnx")
    rows = pa.array(list(np.zeros((20, 12), np.float32)), pa.list_(pa.float32()))
    events = pa.table({"values": rows, "label": pa.nulls(20, pa.string()), "family": pa.nulls(20, pa.string())})
    quantized = quantize_model(quantizable.model, quantizable.prepare(events).onnx_inputs)
    report = portability_report(quantizable, quantized, events)
    assert [row.unmeasured for row in report.variations] == ["the model's batch size is fixed at 8"]
    assert layer_report(quantizable, quantizable.model, quantized, events).inputs["all"] >= 20


def wide(report: LayerDiagnostics | PrecisionSearchReport) -> str:
    with within(WIDE):
        return report.render()


def inspect(*words: object) -> Any:
    return CliRunner(env={"COLUMNS": str(WIDE)}).invoke(app, ["inspect", *map(str, words)])


def test_the_folder_of_an_onnx_file_tells_all(flows: tuple[Path, Path], tmp_path: Path) -> None:
    model, events = flows
    report = quantize(model, calibrate_on=[str(events)], out=tmp_path / "out")
    out = report.out
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["flows.onnx", "labels.json", QUANTIZATION, QUANTIZING, SENSITIVITY]
    )
    assert PrecisionSearchReport.of_bundle(out) == report
    assert (out / SENSITIVITY).read_text() == draw(report)
    assert report.all_quantized is not None and report.all_quantized.events == report.sensitivity[0].alone.events
    assert report.portability is not None
    varied = {row.varied: row for row in report.portability.variations}
    assert varied["batch size"].events == 30 and varied["padding"].unmeasured is not None
    layers = inspect(out, "--layers")
    assert layers.exit_code == 0 and "not a sealed bundle" in layers.stderr
    assert [line.split()[0] for line in layers.stdout.splitlines()[2:5]] == ["first", "second", "out"]
    one = inspect(out, "--layer", "second", "--svg", tmp_path / "second.svg")
    assert one.stdout.startswith("second: convolution (Conv), 3 x 4 x 3") and (tmp_path / "second.svg").is_file()


def test_the_folder_of_what_failed_is_not_taken_from_someone(flows: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out.failed").mkdir()
    (tmp_path / "out.failed" / "mine.txt").write_text("keep")
    code = CliRunner().invoke(
        app,
        [
            "quantize",
            str(flows[0]),
            "--calibrate",
            str(flows[1]),
            "--out",
            str(tmp_path / "out"),
            "--max-flips",
            "0.1%",
        ],
    )
    assert code.exit_code == 2 and "choose another folder" in code.stderr
    assert (tmp_path / "out.failed" / "mine.txt").read_text() == "keep"


def test_a_quantized_bundle_tells_all_and_is_sealed(made: Made, tmp_path: Path) -> None:
    files = {MODEL: made.fp32.SerializeToString(), "tokenizer.json": made.tokenizer.to_str().encode()}
    manifest = Manifest(
        1, "9.9", CLASSES, ("benign",), Windowing(12, 6), "none", {}, 2.0, 0.5, 0, "fp32", {}, {}, {}, (), {},
        {name: digest(data) for name, data in files.items()},
    )  # fmt: skip
    write_bundle(tmp_path / "fp32", manifest, files)
    rows = texts(120).to_pylist()
    lines = ["text,label", *(f'"{row["text"]}",{row["label"]}' for row in rows)]
    (tmp_path / "events.csv").write_text("\n".join(lines))
    report = quantize(
        tmp_path / "fp32", calibrate_on=[str(tmp_path / "events.csv")], out=tmp_path / "q", precision="w4a8"
    )
    assert set(open_bundle(tmp_path / "q").files) == {MODEL, "tokenizer.json", QUANTIZING, QUANTIZATION}
    shown = inspect(tmp_path / "q", "--sensitivity", "--svg", tmp_path / "s.svg")
    assert (shown.exit_code, shown.stderr) == (0, "") and shown.stdout == wide(report) + "\n"
    assert "S4 symmetric" in inspect(tmp_path / "q", "--layers").stdout
