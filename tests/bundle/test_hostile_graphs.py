"""A resealed bundle's graph is made of what overproof writes, answers in its shape, and takes no more than it may."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from overproof.bundle.manifest import MODEL
from overproof.bundle.onnx_bytes import MOST_NODES, OPERATORS, require_ours
from overproof.bundle.runtime import session
from overproof.bundle.tiers import open as open_student
from overproof.errors import BundleError

from .test_hostile import TEXTS, reseal

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
FEATURE = [  # of each window one number, (windows, 1)
    helper.make_node("Gather", ["input_ids", "first"], ["token"], axis=1),
    helper.make_node("Cast", ["token"], ["feature"], to=FLOAT),
]
WEIGHTS = {
    "first": np.array([0]),
    "head": np.array([[1.0, 2.0, 3.0]], np.float32),
    "inner": np.ones((1, 32), np.float32),
}


def graph(
    nodes: Iterable[onnx.NodeProto],
    *,
    head: Sequence[onnx.NodeProto] = (helper.make_node("MatMul", ["feature", "head"], ["logits"]),),
    logits: onnx.ValueInfoProto | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    **weights: np.ndarray,
) -> bytes:
    """A bundle's graph, as small as it can be, with nodes before its head."""
    value = helper.make_tensor_value_info
    embedding = helper.make_node("MatMul", ["feature", "inner"], ["embedding"])
    body = helper.make_graph(
        [*FEATURE, *nodes, *head, embedding],
        "g",
        [value("input_ids", INT64, ["batch", "tokens"])],
        [logits or value("logits", FLOAT, ["batch", 3]), value("embedding", FLOAT, ["batch", 32])],
        [numpy_helper.from_array(array, name) for name, array in (WEIGHTS | weights).items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("d", 1)]
    model = helper.make_model(body, opset_imports=opsets, functions=list(functions))
    model.ir_version = 10
    return model.SerializeToString()


@pytest.fixture
def judged(small_bundle: Path, tmp_path: Path) -> Callable[[bytes], list[float]]:
    """Writes a model into a bundle, seals it anew, and judges."""

    def judge(model: bytes) -> list[float]:
        place = tmp_path / "bundle"
        shutil.copytree(small_bundle, place, dirs_exist_ok=True)
        (place / MODEL).write_bytes(model)
        reseal(place)
        return [verdict.attack for verdict in open_student(place).judge(TEXTS)]

    return judge


def test_the_smallest_graph_of_our_operators_judges(judged: Callable[[bytes], list[float]]) -> None:
    assert len(judged(graph([]))) == len(TEXTS)


def node(operator: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, ["made"], **attributes)


NOTHING = helper.make_graph([], "nothing", [], [])
OTHERS = {
    "time: a recurrence over what a shape says": node("Scan", "feature", body=NOTHING, num_scan_inputs=1),
    "a graph in a graph": node("If", "feature", then_branch=NOTHING, else_branch=NOTHING),
    "memory: zeros of any shape": node("ConstantOfShape", "first"),
    "memory: copies": node("Tile", "feature", "first"),
    "memory: a broadcast": node("Expand", "feature", "first"),
    "memory: a range": node("Range", "first", "first", "first"),
    "memory: an enlargement": node("Resize", "feature", "", "feature"),
    "memory: a product of all with all": node("Einsum", "feature", equation="ab->ab"),
    "chance": node("RandomNormal", shape=[1]),
    "chance of its input": node("Multinomial", "feature"),
    "the batch mates": node("ReduceMean", "feature", axes=[0]),
    "ranges of the batch": node("DynamicQuantizeLinear", "feature"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_overproof_does_not_write_is_not_run(
    other: onnx.NodeProto, judged: Callable[[bytes], list[float]]
) -> None:
    with pytest.raises(BundleError, match=rf"model\.onnx: has the operator {other.op_type} in its graph"):
        judged(graph([other]))


def test_operators_and_functions_of_its_own(judged: Callable[[bytes], list[float]]) -> None:
    inner = [helper.make_node("Identity", ["x"], ["y"])]
    function = helper.make_function("d", "f", ["x"], ["y"], inner, [helper.make_opsetid("", 21)])
    for model in (
        graph([node("Add", "feature", "feature", domain="d")]),
        graph([], functions=[function]),
    ):
        with pytest.raises(BundleError, match=r"model\.onnx: has an operator or a function of its own"):
            judged(model)


def test_a_graph_without_end_of_nodes(judged: Callable[[bytes], list[float]]) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: its graph has more than 16,384 nodes"):
        judged(graph(helper.make_node("Relu", ["feature"], [f"n{i}"]) for i in range(MOST_NODES)))


def of_logits(*nodes: onnx.NodeProto, kind: int = FLOAT) -> bytes:
    before = helper.make_node("MatMul", ["feature", "head"], ["row"])
    more = {"middle": np.array([1]), "one": np.ones(1, np.float32), "flat": np.array([3, -1])}
    return graph([], head=[before, *nodes], logits=helper.make_tensor_value_info("logits", kind, None), **more)


SHAPES = {
    "one row for all": of_logits(helper.make_node("Gather", ["row", "first"], ["logits"], axis=0)),
    "one column for all": of_logits(helper.make_node("Identity", ["feature"], ["logits"])),
    "one number for all": of_logits(helper.make_node("Identity", ["one"], ["logits"])),
    "a rank too many": of_logits(helper.make_node("Unsqueeze", ["row", "first"], ["logits"])),
    "rows for columns": of_logits(helper.make_node("Reshape", ["row", "flat"], ["logits"])),
    "strings": of_logits(helper.make_node("Cast", ["row"], ["logits"], to=TensorProto.STRING), kind=TensorProto.STRING),
    "whole numbers": of_logits(helper.make_node("Cast", ["row"], ["logits"], to=INT64), kind=INT64),
    "yes and no": of_logits(helper.make_node("Cast", ["row"], ["logits"], to=TensorProto.BOOL), kind=TensorProto.BOOL),
    "float64": of_logits(helper.make_node("Cast", ["row"], ["logits"], to=TensorProto.DOUBLE), kind=TensorProto.DOUBLE),
}


@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_an_answer_of_another_shape_or_kind_is_none(model: bytes, judged: Callable[[bytes], list[float]]) -> None:
    """Where a row, or a number, was given for all windows, each of them had its verdict."""
    with pytest.raises(
        BundleError, match=r"the bundle's model gives .* windows?, expected float32 of shape \(\d+, 3\)$"
    ):
        judged(model)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """In a process of its own: what one session took is kept for the next."""
    doubled = [helper.make_node("Concat", ["feature", "feature"], ["d0"], axis=1)]
    doubled += [helper.make_node("Concat", [f"d{i}", f"d{i}"], [f"d{i + 1}"], axis=1) for i in range(30)]
    doubled += [helper.make_node("Gather", ["d30", "first"], ["last"], axis=1)]
    head = [helper.make_node("MatMul", ["last", "head"], ["logits"])]
    (tmp_path / MODEL).write_bytes(graph(doubled, head=head))
    require_ours((tmp_path / MODEL).read_bytes(), MODEL)
    program = f"""
import numpy as np
from overproof.bundle import runtime
runtime.BUNDLE_MEMORY = 256 << 20
opened = runtime.session(open({str(tmp_path / MODEL)!r}, "rb").read(), bounded=True)
try:
    opened.run(None, {{"input_ids": np.ones((4, 8), np.int64)}})
except Exception as error:
    print("refused", "smaller than requested" in str(error))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # maxrss has the parent's in it
print(int(peak.split()[1]) < 600 << 10)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.split() == ["refused", "True", "True"]


def test_onnx_runtimes_own_format_is_not_read() -> None:
    """Of a file that is both it took its own, which nobody had looked through."""
    both = b"\x0a\x06\x00\x00ORTM"
    require_ours(both, MODEL)
    with pytest.raises(Exception, match="No graph was found in the protobuf"):
        session(both)


def test_what_is_written_is_what_is_allowed(small_bundle: Path, root: Path) -> None:
    written = set()
    for file in (small_bundle / MODEL, *(root / "tests/compat/format1").rglob(MODEL)):
        written |= {node.op_type.encode() for node in onnx.load(file).graph.node}
    assert written <= OPERATORS
