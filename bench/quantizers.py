"""Quantize the same FP32 ONNX files by ONNX Runtime, NNCF and overproof, with the same calibration events."""

from __future__ import annotations

import csv
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa
from foreign_models import FOLDER, folder, made
from numpy.typing import NDArray
from settings import TRAIN

import overproof
from overproof.bundle.runtime import session
from overproof.events.schema import event_table
from overproof.quantization.calibrated_model import calibrate, split_calibration
from overproof.quantization.models import open_model

EVENTS = FOLDER / "calibration.csv"
ROWS = 1_000  # half of them give the ranges; `overproof quantize` judges by the others
FP32, OURS = "FP32", "overproof quantize"
Inputs = list[dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class Quantizer:
    """One way to quantize a file.

    Attributes
    ----------
    settings
        Those that matter, in words.
    package
        What has to be installed for it.
    write
        From the FP32 file, the calibration events' inputs and the place to write to.
    """

    settings: str
    package: str
    write: Callable[[Path, Inputs, Path], None]


def calibration_file() -> Path:
    """Write training rows for `overproof quantize`, as many of each family as there are."""
    if not EVENTS.exists():
        table = overproof.load_events([TRAIN])
        rows = list(zip(*(table[name].to_pylist() for name in ("text", "label", "family")), strict=True))
        EVENTS.parent.mkdir(parents=True, exist_ok=True)
        with EVENTS.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label", "family"])
            writer.writerows(random.Random(1).sample(rows, ROWS))
    return EVENTS


def calibration_events() -> pa.Table:
    """Return the events that `overproof quantize` takes for the ranges: the others are given the same."""
    return split_calibration(overproof.load_events([calibration_file()]), seed=0)[0]


def single_inputs(file: Path, texts: list[str]) -> Inputs:
    """Return each event as a batch of its own, as the file's tokenizer reads it: nothing is padded."""
    prepare = open_model(file).prepare
    return [dict(one) for text in texts for one in prepare(event_table({"text": [text]})).onnx_inputs]


def ort_dynamic(file: Path, inputs: Inputs, out: Path, *, reduced: bool) -> None:
    """Weights in INT8, activations measured in every batch."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(preprocessed(file, out), out, per_channel=reduced, reduce_range=reduced)


def ort_static(file: Path, inputs: Inputs, out: Path, *, reduced: bool, only: Sequence[str] = ()) -> None:
    """Quantize and dequantize around every operator that can be, or some; ranges by minimum and maximum."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[dict[str, NDArray[Any]]] = iter(inputs)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.left, None)

    quantize_static(
        preprocessed(file, out),
        out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(only) or None,
        per_channel=reduced,
        reduce_range=reduced,
    )


def preprocessed(file: Path, out: Path) -> Path:
    """Prepare a file as ONNX Runtime asks for, shapes inferred and the graph optimized; PyTorch's shapes removed.

    Those of PyTorch's newer exporter do not agree with what it infers.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(str(file))
    del model.graph.value_info[:]
    bare, ready = out.with_suffix(".bare.onnx"), out.with_suffix(".ready.onnx")
    onnx.save(model, str(bare))
    quant_pre_process(str(bare), str(ready), skip_symbolic_shape=True)
    return ready


def by_nncf(file: Path, inputs: Inputs, out: Path, *, smooth: bool) -> None:
    """NNCF's post-training quantization, its preset for transformers where SmoothQuant is asked for."""
    import nncf

    options: dict[str, Any] = {"model_type": nncf.ModelType.TRANSFORMER} if smooth else {}
    quantized = nncf.quantize(
        onnx.load(str(file)),
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        target_device=nncf.TargetDevice.CPU,
        **options,
    )
    onnx.save(quantized, str(out))


def by_overproof(file: Path, inputs: Inputs, out: Path) -> None:
    """Write the file that `overproof quantize` writes from the same events, without its reports, which take longest."""
    ready = calibrate(open_model(file), calibration_events(), seed=0)
    onnx.save(ready.at({layer.name: "w8a8" for layer in ready.layers}), str(out))


PRODUCTS = ("MatMul", "Gemm", "Conv")
PORTABLE = "7-bit weights, a scale a channel"
QUANTIZERS = {
    "ORT dynamic": Quantizer("its defaults", "onnxruntime", lambda *a: ort_dynamic(*a, reduced=False)),
    "ORT dynamic, reduced": Quantizer(PORTABLE, "onnxruntime", lambda *a: ort_dynamic(*a, reduced=True)),
    "ORT static": Quantizer("QDQ, its defaults", "onnxruntime", lambda *a: ort_static(*a, reduced=False)),
    "ORT static, reduced": Quantizer(f"QDQ, {PORTABLE}", "onnxruntime", lambda *a: ort_static(*a, reduced=True)),
    "ORT static, reduced, products alone": Quantizer(
        f"QDQ, {PORTABLE}, embeddings in float",
        "onnxruntime",
        lambda *a: ort_static(*a, reduced=True, only=PRODUCTS),
    ),
    "NNCF": Quantizer("QDQ, its defaults", "nncf", lambda *a: by_nncf(*a, smooth=False)),
    "NNCF with SmoothQuant": Quantizer("QDQ, for transformers", "nncf", lambda *a: by_nncf(*a, smooth=True)),
    OURS: Quantizer(f"w8a8, its defaults: {PORTABLE}", "overproof", by_overproof),
}


def quantized(model: str, quantizer: str) -> Path | str:
    """Return the file that a quantizer makes of a classifier, or why there is none."""
    how = QUANTIZERS[quantizer]
    if find_spec(how.package) is None:
        return f"{how.package} is not installed"
    source = made(model)
    out = folder(model) / f"{quantizer.lower().replace(' ', '-').replace(',', '')}.onnx"
    if not out.exists():
        part = out.with_suffix(".part.onnx")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                how.write(source, single_inputs(source, calibration_events()["text"].to_pylist()), part)
            session(str(part))
        except Exception as error:  # of whichever package: what it cannot do is a result
            return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        part.rename(out)
    return out
