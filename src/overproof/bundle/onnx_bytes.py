"""Look into an ONNX file's bytes without the package onnx: whether all that decides is in them, and what it runs.

ONNX Runtime reads weights that a file only names from the working directory, which no hash of a bundle covers. It
runs a Loop for as long as its condition holds, unfolds functions that call each other for ever, and draws at random
where a graph says so.

Source: the wire format of Protocol Buffers, https://protobuf.dev/programming-guides/encoding/, and onnx.proto3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from overproof.errors import BundleError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DEEPEST = 64  # graphs in graphs
# Message to its fields that are messages: number to kind. onnx.proto3's, as far as a tensor may lie in them.
FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
OP_TYPE, DOMAIN = 4, 7  # of a node
FUNCTION = 25  # of a model
LOOP = b"Loop"
# What overproof writes into a bundle: nothing that makes much of little, draws at random or holds a graph of its own.
OPERATORS = frozenset(
    b"Add Cast Concat DequantizeLinear Equal Gather Gemm Identity LayerNormalization MatMul QuantizeLinear Relu "
    b"Reshape Shape Slice Softmax Split Sum Transpose Unsqueeze Where".split()
)
MOST_NODES = 16_384  # of a bundle's graph: a hundred for each layer of the largest network, many times over
Found = Callable[[str, int, int, memoryview | None], bool]  # kind of message, field, value of a number, content


def require_whole(content: bytes, where: str, *, onnx: bool = True) -> None:
    """Raise BundleError unless the bytes are an ONNX file whose tensors are all in it.

    Parameters
    ----------
    onnx
        False: what is no ONNX file passes, as nothing of it is run yet.
    """
    try:
        outside = _holds(memoryview(content), "model", 0, _is_outside)
    except (ValueError, IndexError):
        if not onnx:
            return
        raise BundleError(f"{where}: not an ONNX file") from None
    if outside:
        raise BundleError(f"{where}: has weights in a file outside of it, which no hash covers; expected all in it")


def require_ours(content: bytes, where: str) -> None:
    """Raise BundleError unless an ONNX file's graph is made of what overproof writes, so that its work is bounded."""
    nodes = 0

    def is_other(kind: str, field: int, _: int, part: memoryview | None) -> bool:
        nonlocal nodes
        named = bytes(part or b"")
        if kind == "node" and field == OP_TYPE:
            nodes += 1
            if nodes > MOST_NODES:
                raise BundleError(
                    f"{where}: its graph has more than {MOST_NODES:,} nodes, which none of overproof's has"
                )
            if named not in OPERATORS:
                shown = named[:60].decode("utf-8", "replace")
                raise BundleError(
                    f"{where}: has the operator {shown} in its graph, which overproof writes into no bundle"
                )
        if (kind == "node" and field == DOMAIN and named) or (kind == "model" and field == FUNCTION):
            raise BundleError(
                f"{where}: has an operator or a function of its own, which overproof writes into no bundle"
            )
        return False

    _holds(memoryview(content), "model", 0, is_other)


def may_go_on(content: memoryview) -> bool:
    """Say whether a graph has a Loop, the one operator that need not end; so may what cannot be read."""
    if re.search(LOOP, content) is None:  # without a copy of what may be gigabytes
        return False
    try:
        return _holds(content, "model", 0, _is_loop)
    except (ValueError, IndexError):
        return True


def _is_outside(kind: str, field: int, value: int, _: memoryview | None) -> bool:
    return kind == "tensor" and (field == EXTERNAL_DATA or (field == DATA_LOCATION and value > 0))


def _is_loop(kind: str, field: int, _: int, part: memoryview | None) -> bool:
    return kind == "node" and field == OP_TYPE and part is not None and bytes(part) == LOOP


def _holds(message: memoryview, kind: str, depth: int, found: Found) -> bool:
    """Say whether a message, or one within it, has a field that is looked for."""
    if depth > DEEPEST:
        raise ValueError("graphs in graphs")
    inner = FIELDS.get(kind, {})
    return any(
        found(kind, field, value, part)
        or (part is not None and field in inner and _holds(part, inner[field], depth + 1, found))
        for field, value, part in _entries(message)
    )


def _entries(message: memoryview) -> Iterator[tuple[int, int, memoryview | None]]:
    """Yield the fields of a message: number, value of a number, content of what has a length."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        field, wire = key >> 3, key & 7
        if wire == VARINT:
            value, place = _varint(message, place)
            yield field, value, None
        elif wire == BYTES:
            size, place = _varint(message, place)
            if place + size > end:
                raise ValueError("cut off")
            yield field, 0, message[place : place + size]
            place += size
        elif wire in (FIXED64, FIXED32):
            place += 8 if wire == FIXED64 else 4
            if place > end:
                raise ValueError("cut off")
        else:
            raise ValueError(f"wire type {wire}")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("too long a number")
