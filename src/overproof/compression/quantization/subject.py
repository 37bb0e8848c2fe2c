"""What is quantized: a graph, how events become its input, and how its output becomes logits of events.

A bundle with an FP32 model, an ONNX classifier with its tokenizer beside it, or one whose only input is a float tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle import MODEL, Bundle, open_bundle
from overproof.compression.export import INPUT, OUTPUT
from overproof.compression.feeds import Feed
from overproof.compression.quantization.layers import usable
from overproof.compression.quantization.tensors import load_tensors
from overproof.compression.teachers import onnxfile
from overproof.errors import InputError
from overproof.event import DEFAULT_BENIGN
from overproof.runtime import OnnxScorer, WindowScorer, batches, session
from overproof.scores import Floats
from overproof.sources import Columns, Rejects, load_events

TENSOR_BATCH = 64


@dataclass(frozen=True)
class Prepared:
    """Events as a model's input.

    Attributes
    ----------
    feeds
        Input name to array, a batch each.
    gather
        The output of every feed, in order, to logits (events, classes).
    """

    feeds: tuple[Feed, ...]
    gather: Callable[[Sequence[NDArray[Any]]], Floats]


@dataclass(frozen=True)
class Subject:
    """A classifier to be quantized.

    Attributes
    ----------
    name
        Its file or folder.
    model
        The float graph.
    classes, benign
        Names of the outputs, and which of them are harmless.
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
        """What `model`, a rewritten `self.model`, says of the events: (events, classes)."""
        running = session(model.SerializeToString())
        return prepared.gather([running.run([self.output], dict(feed))[0] for feed in prepared.feeds])


def open_subject(path: Path, benign: Sequence[str] | None = None) -> Subject:
    """Open a bundle's folder or an ONNX file.

    Parameters
    ----------
    benign
        Names of harmless classes; a bundle knows its own.

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
    inputs = {spec.name: spec for spec in running.get_inputs()}
    output = _output(path, running)
    harmless = DEFAULT_BENIGN if benign is None else benign
    if len(inputs) == 1 and next(iter(inputs.values())).type == "tensor(float)":
        return _of_tensor(path, usable(model, str(path)), next(iter(inputs.values())), output, harmless)
    teacher = onnxfile.load(path)

    def prepare(events: pa.Table) -> Prepared:
        places, feeds = [], []
        for batch, feed in teacher.feeds(events):
            places.append(batch)
            feeds.append(feed)

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            found = np.empty((events.num_rows, len(teacher.classes)), dtype=np.float32)
            for batch, values in zip(places, outputs, strict=True):
                found[batch] = values[: len(batch)]
            return onnxfile.as_logits(found)

        return Prepared(tuple(feeds), gather)

    return Subject(
        name=str(path),
        model=usable(model, str(path)),
        classes=teacher.classes,
        benign=_among(harmless, teacher.classes),
        output=output,
        load=lambda files, columns, rejects: load_events(files, columns=columns, rejects=rejects),
        prepare=prepare,
        beside=onnxfile.files_beside(path),
    )


def of_scorer(name: str, model: onnx.ModelProto, scorer: WindowScorer, benign: Sequence[str]) -> Subject:
    """Our own encoder, judged in windows as it is when it is deployed."""

    def prepare(events: pa.Table) -> Prepared:
        windows = scorer.windows(events["text"].to_pylist())
        parts = list(batches(windows.ids))

        def gather(outputs: Sequence[NDArray[Any]]) -> Floats:
            logits = np.empty((len(windows.ids), len(scorer.classes)), dtype=np.float32)
            for (rows, _), values in zip(parts, outputs, strict=True):
                logits[rows] = values
            return scorer.decide(windows, logits).logits

        return Prepared(tuple({INPUT: batch} for _, batch in parts), gather)

    return Subject(
        name=name,
        model=model,
        classes=scorer.classes,
        benign=tuple(benign),
        output=OUTPUT,
        load=lambda files, columns, rejects: load_events(files, columns=columns, rejects=rejects),
        prepare=prepare,
    )


def _of_bundle(path: Path) -> Subject:
    bundle = open_bundle(path)
    if bundle.manifest.precision != "fp32":
        raise InputError(
            f"{path}: its model is {bundle.manifest.precision} already; expected float32: a teacher's bundle, or the "
            "student that `overproof compress --keep-fp32 DIR` keeps"
        )
    model = onnx.load_from_string(bundle.files[MODEL])
    subject = of_scorer(str(path), model, OnnxScorer(bundle), bundle.manifest.benign)
    return Subject(**{**vars(subject), "bundle": bundle})


def _of_tensor(path: Path, model: onnx.ModelProto, spec: Any, output: str, benign: Sequence[str]) -> Subject:
    rows, *shape = spec.shape
    sizes = [size if isinstance(size, int) else None for size in shape]
    step = rows if isinstance(rows, int) else TENSOR_BATCH
    width = next(o.shape[-1] for o in session(str(path)).get_outputs() if o.name == output)
    classes = onnxfile.class_names_beside(path) or tuple(str(i) for i in range(int(width)))

    def prepare(events: pa.Table) -> Prepared:
        values = np.stack(events["values"].to_numpy(zero_copy_only=False)).astype(np.float32)
        values = values.reshape(len(values), *(size or -1 for size in sizes))
        missing = -len(values) % step if isinstance(rows, int) else 0
        full = np.concatenate([values, np.repeat(values[-1:], missing, 0)])
        feeds = tuple({spec.name: full[s : s + step]} for s in range(0, len(full), step))
        return Prepared(feeds, lambda outputs: onnxfile.as_logits(np.concatenate(outputs)[: len(values)]))

    return Subject(
        name=str(path),
        model=model,
        classes=classes,
        benign=_among(benign, classes),
        output=output,
        load=lambda files, columns, rejects: load_tensors(files, sizes, columns),
        prepare=prepare,
        beside=onnxfile.files_beside(path),
    )


def _output(path: Path, running: Any) -> str:
    """The first output of floats (rows, classes): converters put the label itself before the probabilities."""
    for output in running.get_outputs():
        if output.type == "tensor(float)" and len(output.shape) == 2:
            return str(output.name)
    raise InputError(f"{path}: no output of floats with shape (events, classes): expected a classifier")


def _among(benign: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in classes if name in benign)
