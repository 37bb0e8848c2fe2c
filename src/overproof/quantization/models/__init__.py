"""Open what is quantized, one file each kind.

A bundle with an FP32 model, an ONNX classifier with its tokenizer beside it, or one whose only input is a float tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
from onnx import helper

from overproof.bundle.runtime import session
from overproof.distillation.teachers import onnxfile
from overproof.distillation.teachers.contract import require_classes
from overproof.distillation.teachers.onnxgraph import FLOATS, ClassOutput, class_output, outside_files, read_graph
from overproof.distillation.teachers.onnxnames import class_names_beside, require_single_label_beside
from overproof.errors import InputError
from overproof.quantization.models import bundle, features, text
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.normalize_graph import normalize_graph


def open_model(path: Path, benign: Sequence[str] | None = None) -> QuantizableModel:
    """Open a bundle's folder or an ONNX file.

    Parameters
    ----------
    benign
        Names of benign classes; a bundle knows its own.

    Raises
    ------
    InputError
        Not a bundle and not an ONNX classifier, a bundle that is quantized already, or inputs that are neither
        text nor one float tensor.
    """
    if path.is_dir():
        return bundle.load(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; expected a bundle or an ONNX file")
    outside_files(path, read_graph(path))
    require_single_label_beside(path)
    try:
        model = onnx.load(str(path))
        running = session(str(path))
    except Exception as error:  # protobuf's and ONNX Runtime's own classes
        raise InputError(f"{path}: not an ONNX model that can be run: {str(error).strip()[:300]}") from None
    named = class_names_beside(path)
    output = class_output(path, model, running.get_outputs(), None if named is None else len(named))
    plain, model = unzipped(model, output)
    model = normalize_graph(model, str(path))
    inputs = running.get_inputs()
    if any(spec.name in onnxfile.IDS for spec in inputs):
        quantizable = text.load(path, model, plain)
    elif len(inputs) == 1 and inputs[0].type in FLOATS:
        quantizable = features.load(path, model, running, output, plain)
    else:
        listed = ", ".join(f"{spec.name}: {spec.type}" for spec in inputs)
        raise InputError(f"{path}: inputs are {listed}; expected {onnxfile.IDS[0]} of a tokenizer or one tensor(float)")
    _check_classes(path, quantizable.classes, output.width)
    require_classes(quantizable.classes, str(path))
    return quantizable if benign is None else replace(quantizable, benign=_some_of(benign, quantizable.classes))


def unzipped(model: onnx.ModelProto, output: ClassOutput) -> tuple[str, onnx.ModelProto]:
    """Return the tensor that holds an output's numbers, and the model with that as output in place of a ZipMap's.

    A dictionary an event, which is what ZipMap makes of it, cannot be quantized or compared.
    """
    if not output.keys:
        return output.name, model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    zipmap = next(node for node in changed.graph.node if output.name in node.output)
    name = zipmap.input[0]
    changed.graph.node.remove(zipmap)
    place = [one.name for one in changed.graph.output].index(output.name)
    shape = [None, len(output.keys)]
    changed.graph.output[place].CopyFrom(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    return name, changed


def _check_classes(path: Path, classes: Sequence[str], width: object) -> None:
    if isinstance(width, int) and width != len(classes):
        raise InputError(f"{path}: gives {width} numbers an event, but there are {len(classes)} class names beside it")


def _some_of(benign: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    if not 0 < sum(name in benign for name in classes) < len(classes):
        raise InputError(f"--benign {', '.join(benign)}: expected some, not all, of the classes {', '.join(classes)}")
    return tuple(benign)
