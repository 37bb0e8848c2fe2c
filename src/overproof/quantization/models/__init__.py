"""Open what is quantized, one file each kind.

A bundle with an FP32 model, an ONNX classifier with its tokenizer beside it, or one whose only input is a float tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from overproof.bundle.runtime import session
from overproof.distillation.teachers import onnxfile
from overproof.distillation.teachers.contract import first_line, require_classes
from overproof.distillation.teachers.onnxfloats import in_float32, short_floats
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
    weights = outside_files(path, read_graph(path))
    require_single_label_beside(path)
    model, short, running = _opened(path)
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
    _check_classes(path, quantizable.classes, output)
    require_classes(quantizable.classes, str(path))
    quantizable = replace(quantizable, size=sum(file.stat().st_size for file in (path, *weights)))
    if short:
        said = f"{quantizable.runtime}; its {' and '.join(short)} converted to float32, which holds each number exactly"
        quantizable = replace(quantizable, runtime=said)
    return quantizable if benign is None else replace(quantizable, benign=_some_of(benign, quantizable.classes))


def _opened(path: Path) -> tuple[onnx.ModelProto, tuple[str, ...], Any]:
    """Read a file with its weights, in float32; say which 16-bit floats were not, and open a session on it."""
    try:
        model = onnx.load(str(path))
        if short := short_floats(model):
            model = in_float32(model)
            return model, short, session(model.SerializeToString())
        return model, short, session(str(path))
    except Exception as error:  # protobuf's and ONNX Runtime's own classes
        raise InputError(f"{path}: not an ONNX model that can be run: {first_line(error)}") from None


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


def _check_classes(path: Path, classes: Sequence[str], output: ClassOutput) -> None:
    if isinstance(output.width, int) and output.width != len(classes):
        raise InputError(
            f"{path}: gives {output.width} numbers an event, but there are {len(classes)} class names beside it"
        )
    own = tuple(map(str, output.keys))
    named = own and isinstance(output.keys[0], str)
    if own != tuple(classes) and (named or list(output.keys) != sorted(output.keys)):
        # what is written gives plain numbers in the graph's order, and keeps the file beside it
        raise InputError(
            f"{path}: the graph has the classes in the order {', '.join(own)}, the file beside it has them as "
            f"{', '.join(classes)}; expected one order"
        )


def _some_of(benign: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    if not 0 < sum(name in benign for name in classes) < len(classes):
        raise InputError(f"--benign {', '.join(benign)}: expected some, not all, of the classes {', '.join(classes)}")
    return tuple(benign)
