"""Define what is quantized: a graph, how events become its input, and how its output becomes logits of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.manifest import Bundle
from overproof.bundle.runtime import session
from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects
from overproof.quantization.onnx_inputs import OnnxInput, run_model


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
    runtime
        What runs it, what its numbers were taken for and what was converted, in words.
    size
        Bytes of its file as it was given, with weights outside; None where `model` is what was given.
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
    runtime: str = "onnxruntime"
    size: int | None = None

    def logits(self, model: onnx.ModelProto, prepared: Prepared) -> Floats:
        """Run `model`, a rewritten `self.model`, on the events: logits (events, classes)."""
        return self.opened(model)(prepared)

    def opened(self, model: onnx.ModelProto) -> Callable[[Prepared], Floats]:
        """Open `model`, a rewritten `self.model`, to be run often."""
        running = session(model.SerializeToString())

        def run(prepared: Prepared) -> Floats:
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

        return run
