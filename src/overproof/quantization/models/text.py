"""Open an ONNX classifier of text, with its tokenizer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.distillation.teachers import onnxfile
from overproof.distillation.teachers.onnxgraph import as_logits
from overproof.distillation.teachers.onnxnames import files_beside
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns, Rejects, load_events
from overproof.quantization.models.interface import Prepared, QuantizableModel


def load(path: Path, model: onnx.ModelProto, output: str) -> QuantizableModel:
    """Open the file with its tokenizer and class names.

    Parameters
    ----------
    model, output
        The graph, brought into form, and the name of its output of logits or probabilities.
    """
    teacher = onnxfile.load(path)

    def prepare(events: pa.Table) -> Prepared:
        batches = list(teacher.onnx_inputs(events))

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            found = np.empty((events.num_rows, len(teacher.classes)), dtype=np.float32)
            for (batch, _), values in zip(batches, outputs, strict=True):
                found[batch] = values[: len(batch)]
            return as_logits(found, teacher.numbers)

        return Prepared(tuple(onnx_input for _, onnx_input in batches), gather)

    return QuantizableModel(
        name=str(path),
        model=model,
        classes=teacher.classes,
        benign=DEFAULT_BENIGN,
        output=output,
        load=load_texts,
        prepare=prepare,
        beside=files_beside(path),
        runtime=teacher.card.runtime,
    )


def load_texts(files: Sequence[str], columns: Columns | None, rejects: Rejects) -> pa.Table:
    """Load files of text events."""
    return load_events(files, columns=columns, rejects=rejects)
