"""Open an ONNX classifier whose only input is a float tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa

from overproof.distillation.teachers import onnxfile
from overproof.distillation.teachers.contract import first_line
from overproof.distillation.teachers.onnxgraph import (
    FLOATS,
    ClassOutput,
    Numbers,
    as_logits,
    probed_numbers,
    stated_numbers,
    zipped_rows,
)
from overproof.distillation.teachers.onnxnames import NAMES, class_names_beside, files_beside
from overproof.errors import InputError
from overproof.events.labels import DEFAULT_BENIGN
from overproof.quantization.models.interface import Prepared, QuantizableModel
from overproof.quantization.models.tensors import load_tensors

TENSOR_BATCH = 64
PROBES = 16
OPEN_SIZE = 16  # what is drawn for a size that the graph leaves open


def load(path: Path, model: onnx.ModelProto, running: Any, output: ClassOutput, plain: str) -> QuantizableModel:
    """Open the file with its class names, if there are any beside it or in it.

    Parameters
    ----------
    model, running, output, plain
        The graph, brought into form, the file as ONNX Runtime opened it, its output of logits or probabilities, and
        the tensor of the graph that holds them.
    """
    (spec,) = running.get_inputs()
    rows, *shape = spec.shape or [None]
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    if not sizes or sizes.count(None) > 1:
        raise InputError(
            f"{path}: input {spec.name} has shape {spec.shape}; expected (events, …), at most one size open"
        )
    step = rows if isinstance(rows, int) else TENSOR_BATCH
    classes, output = onnxfile.in_order(path, _names(path, output), output)
    numbers, why = stated_numbers(path, model, plain)
    if numbers is None:
        numbers, why = _probed(path, running, output, sizes)

    def prepare(events: pa.Table) -> Prepared:
        values = np.stack(events["values"].to_numpy(zero_copy_only=False)).astype(FLOATS[spec.type])
        values = values.reshape(len(values), *(size or -1 for size in sizes))
        missing = -len(values) % step if isinstance(rows, int) else 0
        full = np.concatenate([values, np.repeat(values[-1:], missing, 0)])
        onnx_inputs = tuple({spec.name: full[s : s + step]} for s in range(0, len(full), step))
        return Prepared(onnx_inputs, lambda outputs: as_logits(np.concatenate(outputs)[: len(values)], numbers))

    return QuantizableModel(
        name=str(path),
        model=model,
        classes=classes,
        benign=DEFAULT_BENIGN,
        output=plain,
        load=lambda files, columns, rejects: load_tensors(files, sizes, columns),
        prepare=prepare,
        beside=files_beside(path),
        runtime=f"onnxruntime, its output taken for {numbers} ({why})",
    )


def _names(path: Path, output: ClassOutput) -> tuple[str, ...] | None:
    """Return the class names beside the file, or numbers where nothing names them; None where the graph does."""
    named = class_names_beside(path)
    if named is not None or output.keys:
        return named
    if output.width is None:
        raise InputError(f"{path}: does not say how many classes it has; expected {' or '.join(NAMES)} beside it")
    return tuple(map(str, range(output.width)))


def _probed(path: Path, running: Any, output: ClassOutput, sizes: Sequence[int | None]) -> tuple[Numbers, str]:
    """Tell by answers to random numbers what a model gives; logits where it cannot take them."""
    (spec,) = running.get_inputs()
    count = spec.shape[0] if isinstance(spec.shape[0], int) else PROBES
    drawn = np.random.default_rng(0).normal(size=(max(PROBES, count), *(size or OPEN_SIZE for size in sizes)))
    drawn *= np.logspace(-2, 0.5, len(drawn)).reshape(-1, *(1 for _ in sizes))
    answers = []
    try:
        for start in range(0, len(drawn) - count + 1, count):
            (found,) = running.run([output.name], {spec.name: drawn[start : start + count].astype(FLOATS[spec.type])})
            answers.append(zipped_rows(found, output.keys) if output.keys else np.asarray(found))
    except Exception as error:  # ONNX Runtime's own classes: the size that is open may have to be another
        return "logits", f"it does not take made-up inputs: {first_line(error)}"
    return probed_numbers(path, np.concatenate(answers).astype(np.float32))
