"""Change ONNX files by their message: nodes, weights, shapes, types and names."""

from __future__ import annotations

from random import Random

import onnx

from fuzz.mutate import raw, values

DIMENSIONS = (0, 1, 2, 3, 7, 1 << 20, 1 << 40, -1, 2**63 - 1)
OPERATORS = (
    "Add",
    "MatMul",
    "Gather",
    "Reshape",
    "Identity",
    "If",
    "Loop",
    "Softmax",
    "QLinearMatMul",
    "Nonsense",
    "NonZero",
    "Expand",
    "Tile",
)


def changed(content: bytes, random: Random) -> bytes:
    """Change one thing in a model, or bytes of its file."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # protobuf's own class has no stable name
        return raw.changed(content, random)
    if random.random() < 0.15 or not model.graph.node:
        return raw.changed(content, random)
    for _ in range(random.choice((1, 1, 2))):
        _change(model, random)
    return bytes(model.SerializeToString())


def _change(model: onnx.ModelProto, random: Random) -> None:
    graph, how = model.graph, random.randrange(10)
    node = random.choice(graph.node)
    if how == 0:
        node.op_type = random.choice((*OPERATORS, *[one.op_type for one in graph.node]))
    elif how == 1 and node.input:
        node.input[random.randrange(len(node.input))] = random.choice(_names(graph))
    elif how == 2 and node.output:
        node.output[random.randrange(len(node.output))] = random.choice((*_names(graph), "logits", "embedding", ""))
    elif how == 3:
        graph.node.remove(node)
    elif how == 4 and graph.initializer:
        _weights(random.choice(graph.initializer), random)
    elif how == 5:
        shape = random.choice([*graph.input, *graph.output]).type.tensor_type.shape
        if shape.dim:
            random.choice(shape.dim).dim_value = random.choice(DIMENSIONS)
    elif how == 6:
        random.choice([*graph.input, *graph.output]).type.tensor_type.elem_type = random.randrange(24)
    elif how == 7 and node.attribute:
        attribute = random.choice(node.attribute)
        attribute.i = random.choice(DIMENSIONS)
        attribute.type = random.choice((attribute.type, 2, 1, 7))
    elif how == 8:
        random.choice([*graph.input, *graph.output]).name = values.string(random).encode("utf-8", "replace").decode()
    else:
        model.ir_version = random.choice((0, 3, 10, 99, 2**62))
        if model.opset_import:
            model.opset_import[0].version = random.choice((0, 1, 7, 13, 21, 99, 2**62))


def _weights(tensor: onnx.TensorProto, random: Random) -> None:
    how = random.randrange(5)
    if how == 0:
        tensor.data_type = random.randrange(24)
    elif how == 1 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(DIMENSIONS)
    elif how == 2:
        tensor.raw_data = raw.changed(tensor.raw_data, random)
    elif how == 3:
        tensor.raw_data = b"\xff" * len(tensor.raw_data)
    else:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", random.choice(("manifest.json", "/dev/zero", "../x", ""))


def _names(graph: onnx.GraphProto) -> list[str]:
    return ["", *(name for node in graph.node for name in (*node.input, *node.output))]
