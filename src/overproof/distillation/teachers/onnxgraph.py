"""Read what an ONNX graph says of itself: which output speaks of classes, in what numbers, and where its weights lie.

Operators are those of the ONNX standard, ai.onnx.ml (scikit-learn's), and ONNX Runtime's quantized ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import onnx

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.contract import broken_rows, first_line
from overproof.distillation.teachers.interface import log_probabilities
from overproof.errors import InputError

Numbers = Literal["probabilities", "logits"]
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
MAPS = ("seq(map(string,tensor(float)))", "seq(map(int64,tensor(float)))")  # what ZipMap gives: a dictionary an event

USUAL = ("logits", "probabilities", "output_probability", "probs", "scores", "output")  # names of what is of classes

# What changes no number, or rounds it.
SAME = frozenset("Identity Cast QuantizeLinear DequantizeLinear Reshape Squeeze Unsqueeze Flatten Clip ZipMap".split())
SOFTMAX, LOG_SOFTMAX = ("Softmax", "QLinearSoftmax"), ("LogSoftmax",)
SIGMOID = ("Sigmoid", "QLinearSigmoid", "HardSigmoid")
# What logits may pass through on their way out, and a softmax that is written out in steps; what such a tail begins
# with says whether it can be one.
TAIL = SAME | frozenset(
    "Concat Slice Gather Transpose Mul Div Add Sub Sum Neg Max Min Where ReduceMax ReduceSum".split()
)
LINEAR = frozenset(
    "Gemm MatMul Conv MatMulInteger QLinearMatMul QGemm ReduceMean GlobalAveragePool LayerNormalization "
    "BatchNormalization ArgMax Shape Constant".split()
)


@dataclass(frozen=True)
class ClassOutput:
    """The output of a graph that holds a number for each class.

    Attributes
    ----------
    name
        Its name.
    width
        Its numbers an event; None where any are.
    keys
        Of ZipMap's dictionaries, in the order of the numbers; empty for a tensor.
    """

    name: str
    width: int | None
    keys: tuple[str | int, ...] = ()


def class_output(path: Path, model: onnx.ModelProto, outputs: Sequence[Any], classes: int | None) -> ClassOutput:
    """Find the output that holds a number for each class; scikit-learn's converter puts the label itself before it.

    Parameters
    ----------
    outputs
        As ONNX Runtime lists them.
    classes
        How many there are, if that is known.

    Raises
    ------
    InputError
        None holds such numbers.
    """
    tensors = [one for one in outputs if one.type in FLOATS and len(one.shape) == 2]
    widths = {one.shape[1] for one in tensors} - {1}
    if classes is None and len(widths) > 1:
        listed = ", ".join(f"{one.name} {one.shape}" for one in tensors)
        raise InputError(
            f"{path}: several of its outputs may be of classes: {listed}; expected class names beside it, which say "
            "how many there are"
        )
    # the width that is known, then one that is open, then another, which is refused later; one number comes last
    if tensors:
        best = min(_fit(one.shape[1], classes) for one in tensors)
        one = _only(path, model, [one for one in tensors if _fit(one.shape[1], classes) == best])
        width = one.shape[1] if isinstance(one.shape[1], int) else None
        if width == 1:
            raise InputError(
                f"{path}: its output {one.name} holds one number an event, a sigmoid's or a regression's; expected one "
                "for each class, as of a softmax over two"
            )
        return ClassOutput(one.name, width)
    producers = _producers(model.graph)
    for one in outputs:
        if one.type in MAPS and one.name in producers:
            keys = _keys(producers[one.name])
            return ClassOutput(one.name, len(keys), keys)
    listed = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in outputs)
    raise InputError(
        f"{path}: no output of floats with shape (events, classes): expected a classifier; it has {listed}"
    )


def _only(path: Path, model: onnx.ModelProto, fits: Sequence[Any]) -> Any:
    """Choose of outputs of one shape: those that say the same in other numbers, else the one of a usual name."""
    producers = _producers(model.graph)

    def origin(name: str) -> str:
        while (node := producers.get(name)) is not None and node.op_type in SAME | {*SOFTMAX, *LOG_SOFTMAX}:
            name = node.input[0]
        return name

    if len({origin(one.name) for one in fits}) > 1:
        usual = [one for one in fits if one.name.lower() in USUAL]
        if len({origin(one.name) for one in usual}) != 1:
            raise InputError(
                f"{path}: several of its outputs may be of classes: {', '.join(one.name for one in fits)}; expected "
                f"one of them, or one called {' or '.join(USUAL[:2])}"
            )
        return usual[0]
    return fits[0]


def _fit(width: int | str | None, classes: int | None) -> int:
    if width == 1:
        return 3
    if classes is None or width == classes:
        return 0
    return 2 if isinstance(width, int) else 1


def _keys(node: onnx.NodeProto) -> tuple[str | int, ...]:
    for attribute in node.attribute:
        if attribute.name == "classlabels_strings" and attribute.strings:
            return tuple(name.decode("utf-8", "replace") for name in attribute.strings)
        if attribute.name == "classlabels_int64s" and attribute.ints:
            return tuple(attribute.ints)
    return ()


def zipped_rows(rows: Sequence[Any], keys: Sequence[str | int]) -> Floats:
    """Turn ZipMap's dictionaries, one an event, into numbers of shape (events, keys)."""
    return np.array([[row[key] for key in keys] for row in rows], dtype=np.float32).reshape(len(rows), len(keys))


def stated_numbers(path: Path, model: onnx.ModelProto, output: str) -> tuple[Numbers | None, str]:
    """Tell by the graph whether an output holds probabilities or logits, and how that was told; None if it is open.

    Raises
    ------
    InputError
        It ends in a sigmoid: each number is a probability of its own, and no row a distribution.
    """
    producers = _producers(model.graph)
    node = producers.get(output)
    while node is not None and node.op_type in SAME and node.input:
        node = producers.get(node.input[0])
    if node is None:
        return None, ""
    if node.op_type in SOFTMAX or _adds_up(node):
        return "probabilities", f"it ends in {node.op_type}"
    if node.op_type in SIGMOID:
        raise InputError(
            f"{path}: ends in {node.op_type}: each number is a probability of its own (multi-label), no row a "
            "distribution over the classes; expected softmax or plain logits"
        )
    if node.op_type in LOG_SOFTMAX or _tail_is_linear(producers, node):
        return "logits", f"it ends in {node.op_type}"
    return None, ""


def _adds_up(node: onnx.NodeProto) -> bool:
    """Say whether it divides scikit-learn's scores by their sum."""
    return node.op_type == "Normalizer" and any(one.name == "norm" and one.s == b"L1" for one in node.attribute)


def probed_numbers(path: Path, values: Floats) -> tuple[Numbers, str]:
    """Tell by answers to a few made-up inputs whether a model gives probabilities or logits, and how that was told.

    It is told once for a file, so that no event's answer is read otherwise than another's.

    Raises
    ------
    InputError
        All numbers are from 0 to 1, and the rows are no distributions: independent probabilities.
    """
    rows = values[np.isfinite(values).all(axis=1)]
    if len(rows) and not len(broken_rows(rows)):
        return "probabilities", f"its answers to {len(rows)} made-up inputs add up to 1"
    if len(rows) and rows.min() >= 0 and rows.max() <= 1:
        raise InputError(
            f"{path}: gives numbers from 0 to 1 that add up to {rows.sum(axis=1).min():.3g} to "
            f"{rows.sum(axis=1).max():.3g} an event: independent probabilities, no distribution over the classes; "
            "expected softmax or plain logits"
        )
    return "logits", f"its answers to {len(rows)} made-up inputs are no distributions"


def as_logits(values: Floats, numbers: Numbers, where: str | None = None) -> Floats:
    """Return logits as they are, and of probabilities, which are divided by their sum later, the logarithms.

    Parameters
    ----------
    where
        Names the model in an error: a row that is no distribution is then refused; None takes rows as they are, as of
        a model that was made coarser.
    """
    if numbers == "logits":
        return np.asarray(values, dtype=np.float32)
    if where is not None and len(bad := broken_rows(values)):
        row = [round(float(x), 4) for x in values[bad[0]]]
        raise InputError(f"{where}: it gives probabilities, but {len(bad)} rows are none, such as {row}")
    return log_probabilities(values)


def outside_files(path: Path, model: onnx.ModelProto) -> tuple[Path, ...]:
    """List the files of weights that are stored outside of a model's file, which must lie in its folder or below.

    Raises
    ------
    InputError
        A place that leads elsewhere, or a file that is not there.
    """
    found: dict[Path, None] = {}
    for tensor in tensors_of(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        parts = PurePosixPath(place)
        if not place or parts.is_absolute() or ".." in parts.parts:
            raise InputError(f"{path}: weights are said to be in {place[:100]!r}, expected a file beside the model")
        file = path.parent / parts
        if not file.is_file():
            raise InputError(f"{path}: its weights are in {file}, which is not there; expected it beside the model")
        found[file] = None
    return tuple(sorted(found))


def tensors_of(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that a model stores: in its graphs, their sub-graphs, functions and attributes."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _of_node(node)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _of_node(node)


def _of_node(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from _of_graph(graph)


def read_graph(path: Path) -> onnx.ModelProto:
    """Read a model's file without the weights outside; InputError if it is none."""
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, which it does not export in one place
        raise InputError(f"{path}: not an ONNX file: {first_line(error)}") from None


def _producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _tail_is_linear(producers: dict[str, onnx.NodeProto], last: onnx.NodeProto) -> bool:
    """Say whether all that leads to an output, back to the last products, only adds and scales: then it has no bounds.

    A softmax in steps has an Exp there, a sigmoid its own operator; what is unknown leaves the question open.
    """
    seen, ahead = set(), [last]
    while ahead:
        node = ahead.pop()
        if node.domain not in ("", "ai.onnx", "com.microsoft") or node.op_type not in TAIL | LINEAR:
            return False
        if id(node) in seen or node.op_type in LINEAR:
            continue
        seen.add(id(node))
        ahead += [producers[name] for name in node.input if name in producers]
    return True
