"""Open our own network: a bundle with an FP32 model, or a student that is on its way into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OUTPUT, OnnxScorer, WindowScorer
from overproof.bundle.scores import Floats
from overproof.distillation.embedding_output import with_embedding
from overproof.errors import InputError
from overproof.quantization.models.interface import Prepared, QuantizableModel
from overproof.quantization.models.text import load_texts


def from_scorer(name: str, model: onnx.ModelProto, scorer: WindowScorer, benign: Sequence[str]) -> QuantizableModel:
    """Take our own network, judged in windows as it is when it is deployed."""

    def prepare(events: pa.Table) -> Prepared:
        windows = scorer.windows(events["text"].to_pylist())
        parts = list(windows.batches())

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            logits = np.empty((len(windows), len(scorer.classes)), dtype=np.float32)
            for (rows, _), values in zip(parts, outputs, strict=True):
                logits[rows] = values
            return scorer.decide(windows, logits).logits

        return Prepared(tuple(onnx_input for _, onnx_input in parts), gather)

    return QuantizableModel(
        name=name,
        model=model,
        classes=scorer.classes,
        benign=tuple(benign),
        output=OUTPUT,
        load=load_texts,
        prepare=prepare,
    )


def load(path: Path) -> QuantizableModel:
    """Open a bundle whose model is FP32; InputError if it is quantized already."""
    bundle = open_bundle(path)
    if bundle.manifest.first is not None:
        raise InputError(f"{path}: holds two students, expected one: quantize each, then `overproof join` them")
    if bundle.manifest.precision != "fp32":
        raise InputError(
            f"{path}: its model is {bundle.manifest.precision} already; expected float32: a teacher's bundle, or the "
            "student that `overproof compress --keep-fp32 DIR` keeps"
        )
    model = with_embedding(onnx.load_from_string(bundle.files[MODEL]))
    quantizable = from_scorer(str(path), model, OnnxScorer(bundle), bundle.manifest.benign)
    return replace(quantizable, bundle=bundle)
