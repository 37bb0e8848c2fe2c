"""Open what is quantized: a graph, how events become its input, and how its output becomes logits of events.

A bundle with an FP32 model, an ONNX classifier with its tokenizer beside it, or one whose only input is a float tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.manifest import MODEL, Bundle, open_bundle
from overproof.bundle.runtime import INPUT, OUTPUT, OnnxScorer, WindowScorer, batches, session
from overproof.bundle.scores import Floats
from overproof.distillation.embedding_output import with_embedding
from overproof.distillation.teachers import onnxfile
from overproof.errors import InputError
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns, Rejects, load_events
from overproof.quantization.normalize_graph import normalize_graph
from overproof.quantization.onnx_inputs import OnnxInput, run_model
from overproof.quantization.tensors import load_tensors

TENSOR_BATCH = 64


@dataclass(frozen=True)
class Prepared:
    """Events as a model's input.

    Attributes
    ----------
    onnx_inputs
        A batch each: input name to array.
    gather
        The output of every batch, in order, to logits (events, classes).
    """

    onnx_inputs: tuple[OnnxInput, ...]
    gather: Callable[[Sequence[NDArray[Any]]], Floats]


@dataclass(frozen=True)
class QuantizableModel:
    """A classifier to be quantized.

    Attributes
    ----------
    name
        Its file or folder.
    model
        The float graph.
    classes, benign
        Names of the outputs, and labels that are no attacks, whether the model has a class of that name or not.
    output
        The graph's output that holds logits or probabilities.
    load
        Files of events to a table with `label` and `family` columns.
    prepare
        Such a table to input.
    bundle
        The bundle it came from, or None.
    beside
        Files that must lie beside the quantized file for it to be usable.
    """

    name: str
    model: onnx.ModelProto
    classes: tuple[str, ...]
    benign: tuple[str, ...]
    output: str
    load: Callable[[Sequence[str], Columns | None, Rejects], pa.Table]
    prepare: Callable[[pa.Table], Prepared]
    bundle: Bundle | None = None
    beside: tuple[Path, ...] = ()

    def logits(self, model: onnx.ModelProto, prepared: Prepared) -> Floats:
        """Run `model`, a rewritten `self.model`, on the events: logits (events, classes)."""
        running = session(model.SerializeToString())
        try:
            outputs = [run_model(running, [self.output], onnx_input)[0] for onnx_input in prepared.onnx_inputs]
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        for values in outputs:
            if values.ndim != 2 or values.shape[1] != len(self.classes):
                raise InputError(
                    f"{self.name}: its output has shape {values.shape}, expected {len(self.classes)} classes"
                )
        return prepared.gather(outputs)


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
        return _of_bundle(path)
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
        quantizable = _of_text(path, model, output)
    elif len(inputs) == 1 and inputs[0].type == "tensor(float)":
        quantizable = _of_tensor(path, model, inputs[0], output)
    else:
        listed = ", ".join(f"{spec.name}: {spec.type}" for spec in inputs)
        raise InputError(f"{path}: inputs are {listed}; expected {onnxfile.IDS[0]} of a tokenizer or one tensor(float)")
    _check_classes(path, quantizable.classes, output.shape[1])
    return quantizable if benign is None else replace(quantizable, benign=_some_of(benign, quantizable.classes))


def _of_text(path: Path, model: onnx.ModelProto, output: Any) -> QuantizableModel:
    teacher = onnxfile.load(path)

    def prepare(events: pa.Table) -> Prepared:
        batches = list(teacher.onnx_inputs(events))

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            found = np.empty((events.num_rows, len(teacher.classes)), dtype=np.float32)
            for (batch, _), values in zip(batches, outputs, strict=True):
                found[batch] = values[: len(batch)]
            return onnxfile.as_logits(found)

        return Prepared(tuple(onnx_input for _, onnx_input in batches), gather)

    return QuantizableModel(
        name=str(path),
        model=model,
        classes=teacher.classes,
        benign=DEFAULT_BENIGN,
        output=output.name,
        load=_load_texts,
        prepare=prepare,
        beside=onnxfile.files_beside(path),
    )


def from_scorer(name: str, model: onnx.ModelProto, scorer: WindowScorer, benign: Sequence[str]) -> QuantizableModel:
    """Take our own encoder, judged in windows as it is when it is deployed."""

    def prepare(events: pa.Table) -> Prepared:
        windows = scorer.windows(events["text"].to_pylist())
        parts = list(batches(windows.ids))

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            logits = np.empty((len(windows.ids), len(scorer.classes)), dtype=np.float32)
            for (rows, _), values in zip(parts, outputs, strict=True):
                logits[rows] = values
            return scorer.decide(windows, logits).logits

        return Prepared(tuple({INPUT: batch} for _, batch in parts), gather)

    return QuantizableModel(
        name=name,
        model=model,
        classes=scorer.classes,
        benign=tuple(benign),
        output=OUTPUT,
        load=_load_texts,
        prepare=prepare,
    )


def _of_bundle(path: Path) -> QuantizableModel:
    bundle = open_bundle(path)
    if bundle.manifest.precision != "fp32":
        raise InputError(
            f"{path}: its model is {bundle.manifest.precision} already; expected float32: a teacher's bundle, or the "
            "student that `overproof compress --keep-fp32 DIR` keeps"
        )
    model = with_embedding(onnx.load_from_string(bundle.files[MODEL]))
    quantizable = from_scorer(str(path), model, OnnxScorer(bundle), bundle.manifest.benign)
    return replace(quantizable, bundle=bundle)


def _of_tensor(path: Path, model: onnx.ModelProto, spec: Any, output: Any) -> QuantizableModel:
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


def _load_texts(files: Sequence[str], columns: Columns | None, rejects: Rejects) -> pa.Table:
    return load_events(files, columns=columns, rejects=rejects)


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
