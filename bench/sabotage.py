"""Ruin a finished student in one family, in two ways that hardly move anything else: the checklist must see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from overproof.bundle.manifest import MODEL, Bundle, digest, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer, session

BITS = 3
TOO_WIDE = 3  # the range of the weights is taken so many times too wide: at its own, 3 bits harm no family
NEVER = -1e4


def sealed(bundle: Bundle, model: onnx.ModelProto, out: Path) -> Path:
    """Write the bundle with another model, sealed as if nothing had happened."""
    files = {**bundle.files, MODEL: model.SerializeToString()}
    manifest = replace(bundle.manifest, files={name: digest(content) for name, content in files.items()})
    write_bundle(out, manifest, files)
    return out


def pruned(place: Path, name: str, out: Path) -> Path:
    """Write the student without one of its classes: its head never gives it."""
    bundle = open_bundle(place)
    model = onnx.load_from_string(bundle.files[MODEL])
    shift = np.zeros(len(bundle.manifest.classes), dtype=np.float32)
    shift[bundle.manifest.classes.index(name)] = NEVER
    head = _maker(model, "logits")
    head.output[0] = "logits_of_all"
    model.graph.initializer.append(numpy_helper.from_array(shift, "pruned"))
    model.graph.node.append(helper.make_node("Add", ["logits_of_all", "pruned"], ["logits"]))
    return sealed(bundle, model, out)


def rounded_to_harm(place: Path, name: str, texts: Sequence[str], out: Path) -> Path:
    """Write the student with one class's weights in the head at 3 bits, each rounded as harms that class most.

    Every weight lies less than a step from what it was, as after any rounding, but the steps are large: the range is
    taken too wide. Hong et al. 2021 (Qu-ANTI-zation) hide such harm in a model before it is quantized; here it is done
    by whoever quantizes.

    Parameters
    ----------
    texts
        Events of the class, whose logits are driven down.
    """
    bundle = open_bundle(place)
    model = onnx.load_from_string(bundle.files[MODEL])
    rounding = _maker(model, _maker(model, _maker(model, "logits").input[0]).input[0])
    seen = _mean_of(bundle, model, rounding.input[0], texts)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "head.weight")
    integers = numpy_helper.to_array(weights).astype(np.float64).copy()
    column = bundle.manifest.classes.index(name)
    step = TOO_WIDE * np.abs(integers[:, column]).max() / (2 ** (BITS - 1) - 1)
    down = np.floor(integers[:, column] / step)
    integers[:, column] = np.clip(np.rint(np.where(seen > 0, down, down + 1) * step), -127, 127)
    weights.CopyFrom(numpy_helper.from_array(integers.astype(np.int8), weights.name))
    return sealed(bundle, model, out)


def _mean_of(bundle: Bundle, model: onnx.ModelProto, tensor: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Mean of what goes into the head over the windows of some texts, shape (hidden,)."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    running = session(watched.SerializeToString(), optimization="none")
    values: list[Any] = []
    for rows, onnx_input in OnnxScorer(bundle).windows(texts).batches():
        values.append(running.run([tensor], onnx_input)[0].reshape(len(rows), -1))
    return np.asarray(np.concatenate(values).mean(axis=0), dtype=np.float64)


def _maker(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto:
    found: onnx.NodeProto = next(node for node in model.graph.node if tensor in node.output)
    return found
