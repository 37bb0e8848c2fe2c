"""`overproof quantize` from file to file, and every way to hand it something it cannot use."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

import overproof
from overproof.bundle.manifest import MODEL, OOD, Manifest, digest, inspect, open_bundle, write_bundle
from overproof.bundle.ood import fit_detector
from overproof.bundle.readers import TOKENIZER
from overproof.bundle.runtime import session
from overproof.bundle.tokenizer import Windowing
from overproof.cli import app
from overproof.progress import SILENT
from overproof.quantization.guards import Guards

if TYPE_CHECKING:
    from ..conftest import Made
    from .conftest import Flows

Change = Callable[[Callable[[onnx.ModelProto], object]], Path]


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["quantize", *map(str, words)])


def refused(*words: object, out: Path) -> str:
    """The one line that is shown; nothing is written and the exit code is 2."""
    before = sorted(out.parent.rglob("*"))
    result = run(*words, "--out", out)
    assert result.exit_code == 2, result.output
    assert sorted(out.parent.rglob("*")) == before
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_any_table_of_numbers(kind: str, flows: Flows, tmp_path: Path) -> None:
    model, events = flows.save(tmp_path), getattr(flows, kind)(tmp_path)
    report = overproof.quantize(model, calibrate_on=[str(events)], out=tmp_path / "out", test=[str(events)])
    assert report.passed
    assert (report.calibrated, report.held_back) == (600, 600)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "flows.onnx",
        "labels.json",
        "quantization.json",
        "quantizing.json",
        "sensitivity.svg",
    ]
    written = session(str(tmp_path / "out" / "flows.onnx"))
    before = session(str(model)).run(None, {"x": flows.x})[0]
    after = written.run(None, {"x": flows.x})[0]
    flips = int((before.argmax(1) != after.argmax(1)).sum())
    assert report.tested is not None
    assert (report.tested.events, report.tested.flips) == (1200, flips)
    assert report.tested.max_difference == pytest.approx(np.abs(before - after).max())
    stored = json.loads((tmp_path / "out" / "quantizing.json").read_text())
    assert stored == json.loads(json.dumps(report.to_json()))
    assert set(report.compared) == {"w4a8", "w4a32", "dynamic"}


def test_three_formats_say_the_same(flows: Flows, tmp_path: Path) -> None:
    from overproof.quantization.models.tensors import load_tensors

    tables = [load_tensors([str(write(tmp_path))], [16], None) for write in (flows.npz, flows.csv, flows.parquet)]
    assert [one["origin"][9].as_py() for one in tables] == [
        f"{tmp_path}/flows.{end}:10" for end in ("npz", "csv", "parquet")
    ]
    tables = [one.drop_columns(["origin"]) for one in tables]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
    twice = load_tensors([str(tmp_path / "flows.csv"), str(tmp_path / "flows.npz")], [None], None)
    assert twice.num_rows == 2400


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w4a32"])
def test_a_guard_on_a_rare_family_from_the_command_line(precision: str, flows: Flows, tmp_path: Path) -> None:
    words = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--precision", precision)
    result = run(*words, "--max-recall-loss", "ldap=50%", "--max-flips", "10%", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "+ rare (written)" in result.stdout, "the path is shown"
    assert "every layer quantized" in result.stdout
    assert "Guards: every one holds, decided on 300 held-back events that chose nothing." in result.stdout
    stored = {w.name: w.data_type for w in onnx.load(tmp_path / "out" / "flows.onnx").graph.initializer}
    assert stored["rare"] == TensorProto.FLOAT
    assert stored["w2"] == (TensorProto.INT8 if precision == "w8a8" else TensorProto.INT4)


def test_guards_that_do_not_hold_end_with_1_and_beside_the_place(flows: Flows, tmp_path: Path) -> None:
    words = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--out", tmp_path / "out", "--json")
    result = run(*words, "--max-kl", "1e-12")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.failed" / "flows.onnx").is_file()
    stored = json.loads(result.stdout)
    assert stored["passed"] is False and stored["out"].endswith("out.failed")
    assert [step["kept"] for step in stored["path"]][:2] == [[], ["rare"]]
    assert run(*words, "--max-kl", "1e-12").exit_code == 1, "what it wrote itself is replaced"


def test_too_few_of_a_family_is_a_guard_that_does_not_hold(flows: Flows, tmp_path: Path) -> None:
    words = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--out", tmp_path / "out")
    result = run(*words, "--max-recall-loss", "sqli=0.01")
    (found,) = json.loads((tmp_path / "out.failed" / "quantizing.json").read_text())["decision"]["findings"]
    assert (found["status"], found["needed"]) == ("unmeasured", 299) and found["high"] > 0.01
    assert "unmeasured: needs 299 independent events" in result.stdout
    assert result.exit_code == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("guard", [("--max-recall-loss", "sqli=0"), ("--max-flips", "0"), ("--max-kl", "0.5")])
def test_few_events_without_a_loss_hold_no_limit(guard: tuple[str, str], flows: Flows, tmp_path: Path) -> None:
    """A limit of 0 was held on one attack, and a divergence on one event."""
    rows = [i for name in ("sqli", "benign") for i in np.flatnonzero(np.array(flows.label) == name)[:20]]
    pq.write_table(flows.table().take(rows), tmp_path / "few.parquet")
    result = run(flows.save(tmp_path), "--calibrate", tmp_path / "few.parquet", *guard, "--out", tmp_path / "out")
    assert result.exit_code == 1 and not (tmp_path / "out").exists(), result.output


def test_what_decides_chose_nothing(flows: Flows, tmp_path: Path) -> None:
    """Half of the held-back events; or the test events, where there are some."""
    model, events = flows.save(tmp_path), [str(flows.csv(tmp_path))]
    guards = Guards(max_flips=0.1)
    report = overproof.quantize(model, calibrate_on=events, out=tmp_path / "out", guards=guards)
    assert report.decision is not None and report.passed
    assert report.decision.chosen_from == "held-back events that chose nothing"
    assert (report.calibrated, report.held_back, report.decision.found.events) == (450, 450, 300)
    moved = flows.x + np.float32(0.01)
    np.savez(tmp_path / "test.npz", x=np.concatenate([moved, flows.x[:200]]), label=flows.label + flows.label[:200])
    given = [str(tmp_path / "test.npz")]
    tested = overproof.quantize(model, calibrate_on=events, test=given, out=tmp_path / "out", guards=guards)
    assert tested.decision is not None and tested.tested is not None
    assert (tested.calibrated, tested.held_back) == (600, 600), "all of the others choose"
    assert (tested.decision.chosen_from, tested.decision.left_out) == ("test events", 200)
    assert (tested.decision.found.events, tested.tested.events) == (1200, 1400)
    assert tested.decision.found.threshold == tested.step.found.threshold == tested.tested.threshold
    line = refused(model, "--calibrate", *events, "--test", *events, "--max-flips", "1%", out=tmp_path / "other")
    assert line.startswith("each of the 1,200 test events is a near-duplicate") and "--test FILE" in line


def test_without_guards_all_events_choose(flows: Flows, tmp_path: Path) -> None:
    report = overproof.quantize(flows.save(tmp_path), calibrate_on=[str(flows.csv(tmp_path))], out=tmp_path / "out")
    assert report.decision is None and report.passed and report.held_back == 600


def test_copies_of_few_events_hold_nothing(flows: Flows, tmp_path: Path) -> None:
    """Twenty events sixty times each were 1,200 events."""
    picked = np.repeat(np.random.default_rng(0).permutation(1200)[:20], 60)
    np.savez(tmp_path / "copies.npz", x=flows.x[picked], label=np.array(flows.label)[picked])
    words = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--out", tmp_path / "out")
    moved = flows.x[picked] + np.float32(0.01)
    np.savez(tmp_path / "copies.npz", x=moved, label=np.array(flows.label)[picked])
    result = run(*words, "--test", tmp_path / "copies.npz", "--max-flips", "1%", "--json")
    (found,) = json.loads(result.stdout)["decision"]["findings"]
    assert (result.exit_code, found["status"], found["events"], found["units"]) == (1, "unmeasured", 1200, 20)


def test_events_that_hang_together_as_one_cannot_be_set_apart(flows: Flows, tmp_path: Path) -> None:
    np.savez(tmp_path / "same.npz", x=np.repeat(flows.x[:1], 50, axis=0), label=flows.label[:1] * 50)
    words = ("--calibrate", tmp_path / "same.npz", "--max-flips", "10%")
    assert "hang together" in refused(flows.save(tmp_path), *words, out=tmp_path / "out")


def test_the_same_seed_gives_the_same_file(flows: Flows, tmp_path: Path) -> None:
    model, events = flows.save(tmp_path), str(flows.csv(tmp_path))
    for name in ("one", "two"):
        overproof.quantize(model, calibrate_on=[events], out=tmp_path / name, seed=4, guards=Guards(max_flips=0.1))
    assert (tmp_path / "one" / "flows.onnx").read_bytes() == (tmp_path / "two" / "flows.onnx").read_bytes()


def test_a_classifier_of_text_from_the_command_line(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (texts, "--calibrate", tmp_path / "events.jsonl", "--max-recall-loss", "sqli=10%", "--max-flips", "5%")
    result = run(*words, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    stored = json.loads(result.stdout)
    assert [row["op"] for row in stored["sensitivity"]] == ["Gather", "Gemm"]
    assert stored["path"][0]["found"]["families"]["sqli"]["before"] > 40, "the float model knows its job"
    assert {file.name for file in out.iterdir()} == {
        "waf.onnx", "waf.tokenizer.json", "labels.json", "quantizing.json", "quantization.json", "sensitivity.svg",
    }  # fmt: skip
    again = overproof.quantize(texts, calibrate_on=[str(tmp_path / "events.jsonl")], out=out)
    assert again.passed, "what `quantize` wrote is replaced"
    kinds = {w.name: w.data_type for w in onnx.load(out / "waf.onnx").graph.initializer}
    assert (kinds["table"], kinds["head"]) == (TensorProto.INT8, TensorProto.INT8)


def test_what_was_written_can_be_opened_as_a_teacher(texts: Path, tmp_path: Path) -> None:
    from overproof.distillation.teachers import load_teacher
    from overproof.events.schema import event_table

    overproof.quantize(texts, calibrate_on=[str(tmp_path / "events.jsonl")], out=tmp_path / "out")
    events = event_table({"text": ["union select 1 from users", "get the index"]})
    before, after = (load_teacher([str(path)]).logits(events) for path in (texts, tmp_path / "out" / "waf.onnx"))
    assert before.argmax(1).tolist() == after.argmax(1).tolist() == [1, 0]
    assert 0 < np.abs(before - after).max() < 1


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    return as_bundle(made.fp32, "fp32", made, tmp_path / "bundle")


def as_bundle(model: onnx.ModelProto, precision: str, made: Made, path: Path) -> Path:
    files = {MODEL: model.SerializeToString(), TOKENIZER: made.tokenizer.to_str().encode()}
    write_bundle(
        path,
        Manifest(
            format=1, overproof="0", classes=("benign", "sqli", "xss"), benign=("benign",), windowing=Windowing(30, 2),
            normalization="none", thresholds={}, temperature=2.0, hard_weight=0.5, seed=0, precision=precision,
            network={}, data={}, teacher={}, parity=(), versions={},
            files={name: digest(content) for name, content in files.items()},
        ),
        files,
    )  # fmt: skip
    return path


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    parts = ["select", "*", "from", "users", "<script>", "alert(1)", "GET", "/index.html", "1=1", "or"]
    rows = [" ".join(random.choice(parts, random.integers(2, 12))) for _ in range(400)]
    labels = random.choice(["benign", "sqli", "xss"], 400, p=[0.8, 0.1, 0.1]).tolist()
    pyarrow.csv.write_csv(pa.table({"text": rows, "label": labels}), tmp_path / "requests.csv")
    return tmp_path / "requests.csv"


@pytest.mark.parametrize("precision", ["w8a8", "w4a8"])
def test_a_bundle_becomes_a_bundle(precision: str, bundle: Path, requests: Path, tmp_path: Path) -> None:
    report = overproof.quantize(bundle, calibrate_on=[str(requests)], out=tmp_path / "out", precision=precision)
    assert report.passed
    manifest = inspect(tmp_path / "out")["manifest"]
    assert manifest["precision"] == ("int8" if precision == "w8a8" else precision)
    assert manifest["thresholds"]["0.01"] is not None
    assert manifest["parity"][-1]["flips"] == report.step.found.flips
    texts = ["select * from users", "GET /index.html <script>", "or 1=1 " * 30]
    before, after = (overproof.open(path).score(texts).logits for path in (bundle, tmp_path / "out"))
    assert 0 < np.abs(before - after).max() < 0.3 * np.abs(before).max()
    assert len(open_bundle(tmp_path / "out").files[MODEL]) < 0.5 * len(open_bundle(bundle).files[MODEL])


def test_what_the_student_was_taught_goes_along(made: Made, requests: Path, tmp_path: Path) -> None:
    first = overproof.open(as_bundle(made.fp32, "fp32", made, tmp_path / "bare"))
    texts = ["select * from users", "GET /index.html", "<script> alert(1)"] * 20
    taught = fit_detector(first.embed(texts), ["sqli", "benign", "xss"] * 20).stored()
    origin = open_bundle(tmp_path / "bare")
    files = {**origin.files, OOD: taught}
    listed = {name: digest(content) for name, content in files.items()}
    write_bundle(tmp_path / "bundle", replace(origin.manifest, files=listed), files)
    overproof.quantize(tmp_path / "bundle", calibrate_on=[str(requests)], out=tmp_path / "out")
    after = open_bundle(tmp_path / "out")
    assert after.files[OOD] == taught
    assert after.manifest.signals is not None and after.manifest.signals["ood_distance"]["0.25"] is not None


def test_a_quantized_bundle_is_refused(made: Made, requests: Path, tmp_path: Path) -> None:
    path = as_bundle(made.int8, "int8", made, tmp_path / "bundle")
    line = refused(path, "--calibrate", requests, out=tmp_path / "out")
    assert line.startswith(f"{path}: its model is int8 already; expected float32")


@pytest.mark.parametrize("change", ["file", "folder", "failed"])
def test_a_place_that_holds_something_else_is_left_alone(change: str, flows: Flows, tmp_path: Path) -> None:
    out = tmp_path / "out"
    taken = tmp_path / "out.failed" if change == "failed" else out
    if change == "file":
        taken.write_text("mine")
    else:
        taken.mkdir()
        (taken / "thesis.tex").write_text("mine")
    line = refused(flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--max-kl", "0", out=out)
    assert line.startswith(f"{taken}: exists and is not")


def test_a_bundles_place_too(bundle: Path, requests: Path, tmp_path: Path) -> None:
    (tmp_path / "out.failed").mkdir()
    (tmp_path / "out.failed" / "thesis.tex").write_text("mine")
    line = refused(bundle, "--calibrate", requests, out=tmp_path / "out")
    assert line.startswith(f"{tmp_path / 'out.failed'}: exists and is not a bundle")


def test_what_is_no_model(flows: Flows, tmp_path: Path) -> None:
    events, out = flows.csv(tmp_path), tmp_path / "out"
    (tmp_path / "x.onnx").write_text("nonsense")
    (tmp_path / "folder").mkdir()
    for path, message in (
        (tmp_path / "x.onnx", "not an ONNX file"),
        (tmp_path / "folder", "expected a bundle"),
        (tmp_path / "nowhere.onnx", "no such file or folder"),
        (events, "not an ONNX file"),
    ):
        line = refused(path, "--calibrate", events, out=out)
        assert line.startswith(f"{path}: ") and message in line


def set_weight(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        weight = next(w for w in model.graph.initializer if w.name == name)
        weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight).copy()), name))

    return edit


def output(*shape: object) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", TensorProto.FLOAT, list(shape)))

    return edit


def input_of(kind: int, *shape: object) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("given", kind, list(shape)))
        model.graph.node.insert(0, helper.make_node("Cast", ["given"], ["cast"], to=TensorProto.FLOAT))
        model.graph.node.insert(1, helper.make_node("Reshape", ["cast", "to"], ["x"]))
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 16]), "to"))

    return edit


def no_weights(model: onnx.ModelProto) -> None:
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.append(helper.make_node("Slice", ["x", "from", "to", "axis"], ["logits"]))
    numbers = {"from": 0, "to": 3, "axis": 1}
    model.graph.initializer.extend(numpy_helper.from_array(np.array([i]), name) for name, i in numbers.items())


def only_the_label(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("ArgMax", ["logits"], ["label"], axis=1))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("label", TensorProto.INT64, ["n", 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_weight("w2", lambda w: w * np.nan), "layer w2: the weights hold inf or NaN"),
        (set_weight("w1", lambda w: w + np.float32(3e38)), "the activation b holds inf or NaN"),
        (set_weight("bias", lambda w: w * np.inf), "its own output holds inf or NaN"),
        (lambda model: model.opset_import[0].__setattr__("version", 99), "not an ONNX model that can be run"),
        (only_the_label, "no output of floats with shape"),
        (input_of(TensorProto.INT32, "n", 16), "inputs are given: tensor(int32); expected input_ids"),
        (input_of(TensorProto.FLOAT, "n", "a", "b"), "at most one size open"),
        (input_of(TensorProto.FLOAT, "n"), "expected (events, …)"),
        (no_weights, "no Gemm, MatMul, Conv or Gather with constant float32 weights"),
    ],
    ids=["NaN", "inf", "output", "opset", "label", "int32", "open sizes", "1-D", "nothing"],
)
def test_models_that_cannot_be_used(
    change: Callable[[onnx.ModelProto], object], message: str, changed: Change, flows: Flows, tmp_path: Path
) -> None:
    path = changed(change)
    line = refused(path, "--calibrate", flows.npz(tmp_path), out=tmp_path / "out")
    assert line.startswith(f"{path}: ")
    assert message in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('["benign", "sqli"]', "gives 3 numbers an event, but there are 2 class names"),
        ("{", "expected class names"),
        (None, "--benign benign: expected some, not all, of the classes 0, 1, 2"),
    ],
)
def test_class_names_that_do_not_fit(content: str | None, message: str, flows: Flows, tmp_path: Path) -> None:
    path = flows.save(tmp_path)
    (tmp_path / "labels.json").unlink()
    if content is not None:
        (tmp_path / "labels.json").write_text(content)
    assert message in refused(path, "--calibrate", flows.csv(tmp_path), "--benign", "benign", out=tmp_path / "out")


def test_without_names_classes_have_numbers(flows: Flows, tmp_path: Path) -> None:
    path, table = flows.save(tmp_path), flows.table()
    (tmp_path / "labels.json").unlink()
    numbers = pa.array([("benign", "sqli", "ldap").index(name) for name in flows.label])
    pq.write_table(table.drop_columns(["label", "family"]).append_column("label", numbers), tmp_path / "e.parquet")
    result = run(path, "--calibrate", tmp_path / "e.parquet", "--benign", "0", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["path"][0]["found"]["families"]) == {"1", "2"}


def test_a_number_of_classes_that_the_file_does_not_say(changed: Change, flows: Flows, tmp_path: Path) -> None:
    path = changed(output("n", "classes"))
    (tmp_path / "labels.json").write_text('["a", "b"]')
    line = refused(path, "--calibrate", flows.csv(tmp_path), out=tmp_path / "out")
    assert "3" in line and "2 class" in line


def table(**columns: Any) -> Callable[[Flows, Path], Path]:
    """The events with columns replaced; None takes one away."""

    def write(flows: Flows, folder: Path) -> Path:
        found = {name: flows.table()[name].to_pylist() for name in flows.table().column_names}
        for name, value in columns.items():
            if value is None:
                del found[name]
            else:
                found[name] = [value, *found[name][1:]] if not isinstance(value, list) else value
        with (folder / "e.csv").open("w") as file:
            file.write(",".join(found) + "\n")
            file.writelines(",".join(map(str, row)) + "\n" for row in zip(*found.values(), strict=True))
        return folder / "e.csv"

    return write


def arrays(**changes: Any) -> Callable[[Flows, Path], Path]:
    def write(flows: Flows, folder: Path) -> Path:
        found = {"x": flows.x, "label": np.array(flows.label), **changes}
        np.savez(folder / "e.npz", **{name: value for name, value in found.items() if value is not None})
        return folder / "e.npz"

    return write


def file(name: str, content: bytes) -> Callable[[Flows, Path], Path]:
    def write(flows: Flows, folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def bare_array(flows: Flows, folder: Path) -> Path:
    np.save(folder / "e.npy", flows.x)
    return (folder / "e.npy").rename(folder / "e.npz")


def damaged(flows: Flows, folder: Path) -> Path:
    """Write arrays whose compressed bytes begin with a block of a kind that deflate does not have."""
    path = folder / "e.npz"
    np.savez_compressed(path, x=flows.x)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        begin = archive.infolist()[0].header_offset
    begin += 30 + sum(int.from_bytes(content[begin + at : begin + at + 2], "little") for at in (26, 28))
    content[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (damaged, "expected csv, parquet or npz"),
        (table(f3=None), "15 numbers an event, expected 16"),
        (table(f3="many"), "15 numbers an event, expected 16; these columns hold no numbers: 'f3'"),
        (table(f3=""), "row 1 holds a missing or infinite number (1 such rows)"),
        (table(f3="inf"), "row 1 holds a missing or infinite number"),
        (file("e.csv", b""), "expected csv, parquet or npz with numbers"),
        (file("e.csv", b"f0,f1\n"), "no"),
        (file("e.csv", b"a,b\nx,y\n"), "no column of numbers"),
        (file("e.npz", b"PK\x03\x04 cut"), "expected csv, parquet or npz"),
        (file("e.parquet", b"PAR1"), "expected csv, parquet or npz"),
        (bare_array, "expected csv, parquet or npz"),
        (arrays(x=np.array([{}, 1], dtype=object)), "allow_pickle"),
        (arrays(label=np.array([None] * 1200, dtype=object)), "allow_pickle"),
        (arrays(x=None), "x"),
        (arrays(x=np.float32(3)), "expected csv, parquet or npz"),
        (arrays(x=np.array([["a"] * 16] * 1200)), "could not convert"),
        (arrays(x=np.full((1200, 16), 1e300)), "missing or infinite"),
        (arrays(x=np.zeros((1200, 4, 4))), "4 x 4 numbers an event, expected 16"),
        (arrays(x=np.zeros((0, 16)), label=np.array([], dtype="U1")), "no events"),
        (arrays(label=np.array(["benign"] * 3)), "1200 events, but 3 labels"),
        (arrays(x=np.ones((1, 16)), label=np.array(["benign"])), "1 calibration events: expected at least two"),
        (lambda flows, folder: folder / "nowhere.csv", "no such file"),
        (lambda flows, folder: folder, "no such file"),
    ],
)
def test_events_that_cannot_be_used(
    events: Callable[[Flows, Path], Path], message: str, flows: Flows, tmp_path: Path
) -> None:
    path = events(flows, tmp_path)
    line = refused(flows.save(tmp_path), "--calibrate", path, out=tmp_path / "out")
    assert message in line
    assert line.startswith(f"{path}: ") or "calibration events" in line


def test_files_that_disagree_on_their_features(changed: Change, flows: Flows, tmp_path: Path) -> None:
    path = changed(input_of(TensorProto.FLOAT, "n", "any"))
    np.savez(tmp_path / "a.npz", x=flows.x)
    np.savez(tmp_path / "b.npz", x=np.tile(flows.x, 2))
    line = refused(path, "--calibrate", tmp_path / "a.npz", "--calibrate", tmp_path / "b.npz", out=tmp_path / "out")
    assert "different numbers of features" in line and "a.npz 16" in line and "b.npz 32" in line


def test_a_label_in_another_spelling_than_the_class(flows: Flows, tmp_path: Path) -> None:
    """Benign flows of another spelling would count as attacks."""
    path, labels = flows.save(tmp_path), ["Benign" if name == "benign" else name for name in flows.label]
    pq.write_table(flows.table().set_column(16, "label", pa.array(labels)), tmp_path / "e.parquet")
    line = refused(path, "--calibrate", tmp_path / "e.parquet", out=tmp_path / "out")
    row = labels.index("Benign") + 1
    assert line.startswith(
        f"{tmp_path}/e.parquet:{row}: the label 'Benign' is another spelling of 'benign' (a class of "
    )


def test_columns_by_name(flows: Flows, tmp_path: Path) -> None:
    words = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), "--label")
    assert "no column 'verdict'" in refused(*words, "verdict", out=tmp_path / "out")
    big = flows.table().set_column(0, "f0", pa.array([16_777_217] + [0] * 1199))
    pq.write_table(big, tmp_path / "big.parquet")
    result = run(words[0], "--calibrate", tmp_path / "big.parquet", "--out", tmp_path / "out")
    assert result.exit_code == 0, "a count of bytes need not be exact in float32"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "w2a8"], "precision 'w2a8': expected one of w8a8, w4a8, w4a32"),
        (["--precision", "dynamic"], "precision 'dynamic'"),
        (["--observer", "median"], "observer 'median': expected one of minmax"),
        (["--max-recall-loss", "xxe=1%"], "xxe: no held-back attack of that family; families are ldap, sqli"),
        (["--max-recall-loss", "sqli"], "expected FAMILY=SHARE"),
        (["--max-flips", "lots"], "--max-flips lots: expected a share"),
        (["--max-flips", "7"], "expected a share from 0 to 1"),
        (["--test", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_options_that_cannot_be_used(words: list[str], message: str, flows: Flows, tmp_path: Path) -> None:
    given = (flows.save(tmp_path), "--calibrate", flows.csv(tmp_path), *words)
    assert message in refused(*given, out=tmp_path / "out")


def test_a_place_without_a_name(flows: Flows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, events = flows.save(tmp_path), flows.csv(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    result = run(model, "--calibrate", events, "--out", ".")
    assert result.exit_code == 2
    assert "expected the name of a folder" in result.stderr


def test_texts_that_cannot_be_judged(texts: Path, tmp_path: Path) -> None:
    events, out = tmp_path / "events.jsonl", tmp_path / "out"
    tokenizer = (tmp_path / "waf.tokenizer.json").read_text()
    (tmp_path / "waf.tokenizer.json").write_text(tokenizer.replace('"home":', '"other": 900, "home":'))
    events.write_text('{"text": "get other", "label": "sqli"}\n' * 4)
    line = refused(texts, "--calibrate", events, out=out)
    assert line.startswith(f"{texts}: onnxruntime cannot run it on these events"), "an id beyond the embedding"
    (tmp_path / "waf.tokenizer.json").unlink()
    assert "tokenizer.json beside it" in refused(texts, "--calibrate", events, out=out)
    events.write_text("")
    (tmp_path / "waf.tokenizer.json").write_text(tokenizer)
    assert str(events) in refused(texts, "--calibrate", events, out=out)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch says so of this exporter, and of its own parts
@pytest.mark.parametrize("kind", ["mlp", "bytes"])
def test_what_torch_exports(kind: str, tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    network, shape = {
        "mlp": (nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3)), (20,)),
        "bytes": (
            nn.Sequential(
                nn.Conv1d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv1d(32, 32, 3), nn.BatchNorm1d(32), nn.ReLU(),
                nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 3),
            ),
            (1, 48),
        ),
    }[kind]  # fmt: skip
    network.eval()
    x = torch.randn(1500, *shape)
    with torch.no_grad():
        network[-1].weight.mul_(20)
        network[-1].bias.sub_(network(x).mean(0))
        logits = network(x).numpy()
    label = np.array(["benign", "sqli", "xss"])[logits.argmax(1)]
    model = tmp_path / "net.onnx"
    torch.onnx.export(
        network, (x[:2],), model, dynamo=False, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )  # fmt: skip
    (tmp_path / "labels.json").write_text('["benign", "sqli", "xss"]')
    np.savez(tmp_path / "events.npz", x=x.numpy(), label=label)
    flat = {f"f{i}": column for i, column in enumerate(x.reshape(1500, -1).numpy().T)}
    pyarrow.csv.write_csv(pa.table({**flat, "label": label}), tmp_path / "events.csv")
    reports = [
        overproof.quantize(
            model, calibrate_on=[str(tmp_path / name)], out=tmp_path / "out", guards=Guards(max_flips=0.2, max_kl=0.1)
        )
        for name in ("events.npz", "events.csv")
    ]
    assert all(report.passed for report in reports)
    assert reports[0].path == reports[1].path, "the same numbers from both files"
    assert len(reports[0].sensitivity) == 3
    assert 0 < reports[0].step.found.max_difference < 0.5 * np.abs(logits).max()
    assert reports[0].bytes_after < reports[0].bytes_before


def zipped(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """The network as scikit-learn's converter would write it: the label first, then a dictionary an event."""
    kind = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    logits = model.graph.output[0].name
    model.graph.node.extend(
        [
            helper.make_node("ArgMax", [logits], ["label"], axis=1, keepdims=0),
            helper.make_node("Softmax", [logits], ["p"], axis=1),
            helper.make_node("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", classlabels_strings=names),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]))
    model.graph.output.append(helper.make_value_info("maps", helper.make_sequence_type_proto(kind)))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


def test_labels_first_and_dictionaries_of_scikit_learn(flows: Flows, tmp_path: Path) -> None:
    path, events = flows.save(tmp_path), flows.csv(tmp_path)
    plain = overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "plain")
    onnx.save(zipped(flows.model(), ["benign", "sqli", "ldap"]), path)
    (tmp_path / "labels.json").unlink()
    said: list[str] = []
    console = replace(SILENT, say=said.append)
    report = overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out", console=console)
    assert said[0] == f"{path}: onnxruntime, its output taken for probabilities (it ends in Softmax)"
    assert report.step.found.flips == plain.step.found.flips
    assert [one.name for one in session(str(tmp_path / "out" / "flows.onnx")).get_outputs()] == ["label", "p"]


@pytest.mark.parametrize(("name", "kind"), [("float16", TensorProto.FLOAT16), ("double", TensorProto.DOUBLE)])
def test_inputs_and_outputs_in_other_floats(name: str, kind: int, flows: Flows, tmp_path: Path) -> None:
    path, events, model = flows.save(tmp_path), flows.csv(tmp_path), flows.model()
    model.graph.node.insert(0, helper.make_node("Cast", ["given"], ["x"], to=TensorProto.FLOAT))
    model.graph.node.append(helper.make_node("Cast", ["logits"], ["out"], to=kind))
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("given", kind, ["n", 16]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", kind, ["n", 3]))
    onnx.save(model, path)
    report = overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out")
    assert report.passed and report.step.found.flips < 60
    assert session(str(tmp_path / "out" / "flows.onnx")).get_inputs()[0].type == f"tensor({name})"


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (("Sigmoid",), "ends in Sigmoid"),
        (("Sigmoid", "Sqrt"), "numbers from 0 to 1 that add up to"),
    ],
)
def test_independent_probabilities_are_no_classes(
    tail: tuple[str, ...], message: str, flows: Flows, tmp_path: Path
) -> None:
    path, events, model = flows.save(tmp_path), flows.csv(tmp_path), flows.model()
    last = "logits"
    for op in tail:
        model.graph.node.append(helper.make_node(op, [last], [op]))
        last = op
    model.graph.output[0].name = last
    onnx.save(model, path)
    assert message in refused(path, "--calibrate", events, out=tmp_path / "out")


def test_weights_outside_in_a_folder_below_or_nowhere(flows: Flows, tmp_path: Path) -> None:
    path, events = flows.save(tmp_path), flows.csv(tmp_path)
    (tmp_path / "w").mkdir()
    onnx.save(flows.model(), path, save_as_external_data=True, location="w.bin", size_threshold=64)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "w/w.bin"
    path.write_bytes(model.SerializeToString())
    assert "w.bin, which is not there" in refused(path, "--calibrate", events, out=tmp_path / "out")
    (tmp_path / "w.bin").rename(tmp_path / "w" / "w.bin")
    assert overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out").passed


def test_a_scikit_learn_classifier_has_nothing_to_quantize_but_is_read(flows: Flows, tmp_path: Path) -> None:
    """A LinearClassifier of ai.onnx.ml, whose numbers add up to 1 by its Normalizer."""
    events = flows.csv(tmp_path)
    linear = helper.make_node(
        "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", classlabels_ints=[0, 1, 2],
        coefficients=np.random.default_rng(0).normal(size=48).tolist(), intercepts=[0.0] * 3, post_transform="LOGISTIC",
    )  # fmt: skip
    normal = helper.make_node("Normalizer", ["scores"], ["p"], domain="ai.onnx.ml", norm="L1")
    graph = helper.make_graph(
        [linear, normal],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 3]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "linear.onnx")
    result = run(tmp_path / "linear.onnx", "--calibrate", events, "--out", tmp_path / "out")
    assert "Traceback" not in result.stderr
    assert result.exit_code == 2
    assert "linear.onnx: no Gemm, MatMul, Conv or Gather with constant float32 weights to quantize" in result.stderr


@pytest.mark.parametrize("keys", [["benign", "ldap", "sqli"], [2, 0, 1]], ids=["names", "numbers"])
def test_names_in_another_order_than_the_graphs_are_refused(keys: list[Any], flows: Flows, tmp_path: Path) -> None:
    """What is written gives plain numbers: the names beside it would then be those of other classes."""
    path, events, model = flows.save(tmp_path), flows.csv(tmp_path), zipped(flows.model(), ["a", "b", "c"])
    attribute = next(node for node in model.graph.node if node.op_type == "ZipMap").attribute
    del attribute[:]
    name = "classlabels_strings" if isinstance(keys[0], str) else "classlabels_int64s"
    attribute.append(helper.make_attribute(name, keys))
    if isinstance(keys[0], int):
        model.graph.output[1].type.sequence_type.elem_type.map_type.key_type = TensorProto.INT64
    onnx.save(model, path)
    line = refused(path, "--calibrate", events, out=tmp_path / "out")
    assert f"in the order {', '.join(map(str, keys))}, the file beside it has them as benign, sqli, ldap" in line


def test_the_output_of_classes_among_others(flows: Flows, tmp_path: Path) -> None:
    """A label as a float and a hidden layer come first; the names beside the file tell which is which."""
    path, events, model = flows.save(tmp_path), flows.csv(tmp_path), flows.model()
    model.graph.node.append(helper.make_node("ReduceMax", ["logits"], ["best"], axes=[1], keepdims=1))
    logits = model.graph.output.pop()
    model.graph.output.append(helper.make_tensor_value_info("best", TensorProto.FLOAT, ["n", 1]))
    model.graph.output.append(helper.make_tensor_value_info("d", TensorProto.FLOAT, ["n", "hidden"]))
    model.graph.output.append(logits)
    onnx.save(model, path)
    report = overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out")
    assert report.step.found.flips < 60 and set(report.step.found.families) == {"sqli", "ldap"}
    (tmp_path / "labels.json").unlink()
    line = refused(path, "--calibrate", events, out=tmp_path / "out2")
    assert "several of its outputs may be of classes: best" in line
