"""Open an ONNX classifier whose only input is a float tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa

from overproof.distillation.teachers import onnxfile
from overproof.errors import InputError
from overproof.events.labels import DEFAULT_BENIGN
from overproof.quantization.models.interface import Prepared, QuantizableModel
from overproof.quantization.models.tensors import load_tensors

TENSOR_BATCH = 64


def load(path: Path, model: onnx.ModelProto, spec: Any, output: Any) -> QuantizableModel:
    """Open the file with its class names, if there are any beside it.

    Parameters
    ----------
    model, spec, output
        The graph, brought into form, its input, and its output of logits or probabilities.
    """
    rows, *shape = spec.shape or [None]
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    if not sizes or sizes.count(None) > 1:
        raise InputError(
            f"{path}: input {spec.name} has shape {spec.shape}; expected (events, …), at most one size open"
        )
    step = rows if isinstance(rows, int) else TENSOR_BATCH
    classes = onnxfile.class_names_beside(path)
    if classes is None:
        if not isinstance(output.shape[1], int):
            names = " or ".join(onnxfile.NAMES)
            raise InputError(f"{path}: does not say how many classes it has; expected {names} beside it")
        classes = tuple(map(str, range(output.shape[1])))

    def prepare(events: pa.Table) -> Prepared:
        values = np.stack(events["values"].to_numpy(zero_copy_only=False)).astype(np.float32)
        values = values.reshape(len(values), *(size or -1 for size in sizes))
        missing = -len(values) % step if isinstance(rows, int) else 0
        full = np.concatenate([values, np.repeat(values[-1:], missing, 0)])
        onnx_inputs = tuple({spec.name: full[s : s + step]} for s in range(0, len(full), step))
        return Prepared(onnx_inputs, lambda outputs: onnxfile.as_logits(np.concatenate(outputs)[: len(values)]))

    return QuantizableModel(
        name=str(path),
        model=model,
        classes=classes,
        benign=DEFAULT_BENIGN,
        output=output.name,
        load=lambda files, columns, rejects: load_tensors(files, sizes, columns),
        prepare=prepare,
        beside=onnxfile.files_beside(path),
    )
