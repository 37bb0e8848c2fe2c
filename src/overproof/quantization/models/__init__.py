"""Open what is quantized, one file each kind.

A bundle with an FP32 model, an ONNX classifier with its tokenizer beside it, or one whose only input is a float tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from overproof.bundle.runtime import session
from overproof.distillation.teachers import onnxfile
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
    try:
        model = onnx.load(str(path))
        running = session(str(path))
    except Exception as error:  # protobuf's and ONNX Runtime's own classes
        raise InputError(f"{path}: not an ONNX model that can be run: {str(error).strip()[:300]}") from None
    output, model = _output(path, running), normalize_graph(model, str(path))
    inputs = running.get_inputs()
    if any(spec.name in onnxfile.IDS for spec in inputs):
        quantizable = text.load(path, model, output)
    elif len(inputs) == 1 and inputs[0].type == "tensor(float)":
        quantizable = features.load(path, model, inputs[0], output)
    else:
        listed = ", ".join(f"{spec.name}: {spec.type}" for spec in inputs)
        raise InputError(f"{path}: inputs are {listed}; expected {onnxfile.IDS[0]} of a tokenizer or one tensor(float)")
    _check_classes(path, quantizable.classes, output.shape[1])
    return quantizable if benign is None else replace(quantizable, benign=_some_of(benign, quantizable.classes))


def _output(path: Path, running: Any) -> Any:
    """Find the first output of floats (rows, classes): converters put the label itself before the probabilities."""
    for output in running.get_outputs():
        if output.type == "tensor(float)" and len(output.shape) == 2:
            return output
    raise InputError(f"{path}: no output of floats with shape (events, classes): expected a classifier")


def _check_classes(path: Path, classes: Sequence[str], width: object) -> None:
    if isinstance(width, int) and width != len(classes):
        raise InputError(f"{path}: gives {width} numbers an event, but there are {len(classes)} class names beside it")
    if len(classes) < 2:
        raise InputError(f"{path}: gives one number an event, expected one for each class")


def _some_of(benign: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    if not 0 < sum(name in benign for name in classes) < len(classes):
        raise InputError(f"--benign {', '.join(benign)}: expected some, not all, of the classes {', '.join(classes)}")
    return tuple(benign)
