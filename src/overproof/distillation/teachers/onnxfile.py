"""Run an ONNX classifier with its tokenizer beside it.

Files are looked for with the model's own stem first (`waf.tokenizer.json` for `waf.onnx`), then by
their usual names: `tokenizer.json`, and for the classes `labels.json` or `id2label` of `config.json`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from overproof.bundle.runtime import session
from overproof.bundle.scores import Floats
from overproof.distillation.teachers.interface import (
    Report,
    TeacherCard,
    by_length,
    fingerprint_files,
    log_probabilities,
    padded,
    texts_of,
)
from overproof.errors import InputError

DEFAULT_TOKENS = 128
BATCH = 64
IDS = ("input_ids", "ids")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")
NAMES = ("labels.json", "config.json")
KNOWN_INPUTS = (*IDS, "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class OnnxTeacher:
    """An ONNX file under ONNX Runtime; only the first window of each event is judged."""

    classes: tuple[str, ...]
    card: TeacherCard
    session: Any
    tokenizer: Tokenizer
    pad_id: int
    labels_new_events: bool = True

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute the file's first output, (events, classes); if it ends in a softmax, the log of that."""
        out = np.empty((events.num_rows, len(self.classes)), dtype=np.float32)
        for batch, onnx_input in self.onnx_inputs(events):
            out[batch] = self._run(onnx_input)[: len(batch)]
            if report is not None:
                report(len(batch))
        return as_logits(out)

    def onnx_inputs(self, events: pa.Table) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]:
        """Batch events as input, with their places; a batch of fixed size is filled up with its last row."""
        ids = [row.ids for row in self.tokenizer.encode_batch(texts_of(events))]
        inputs = {spec.name: spec for spec in self.session.get_inputs()}
        rows, width = next(spec.shape for name, spec in inputs.items() if name in IDS)
        size = rows if isinstance(rows, int) else BATCH
        # Without a mask among the inputs nothing says what is padding, so batches then hold one length.
        for batch in by_length([len(row) for row in ids], size, equal="attention_mask" not in inputs):
            wanted = [ids[i] for i in batch]
            full = wanted + [wanted[-1]] * (size - len(wanted)) if isinstance(rows, int) else wanted
            yield batch, _onnx_input(inputs, full, self.pad_id, width if isinstance(width, int) else None)

    def _run(self, onnx_input: dict[str, NDArray[Any]]) -> Floats:
        try:
            first = np.asarray(self.session.run(None, onnx_input)[0])
        except Exception as error:  # ONNX Runtime raises its own classes for what a graph cannot do
            raise InputError(f"{self.card.name}: ONNX Runtime cannot run it: {error}") from error
        rows = len(next(iter(onnx_input.values())))
        if first.shape != (rows, len(self.classes)):
            raise InputError(
                f"{self.card.name}: its first output has shape {first.shape}, "
                f"expected {(rows, len(self.classes))} for {len(self.classes)} classes"
            )
        return first.astype(np.float32)


def load(path: Path) -> OnnxTeacher:
    """Open an ONNX file as a teacher.

    Raises
    ------
    InputError
        File, tokenizer or class names missing or unusable, or an input that is not a tokenizer's.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    tokenizer_file = beside(path, TOKENIZERS[0])
    labels_file = beside(path, *NAMES)
    tokenizer = _open_tokenizer(tokenizer_file)
    parameters, weights = _size(path)
    card = TeacherCard(
        kind="onnx",
        name=str(path),
        parameters=parameters,
        bytes=path.stat().st_size + sum(file.stat().st_size for file in weights),
        runtime="onnxruntime",
        fingerprint=fingerprint_files(path, *weights, *files_beside(path)),
    )
    running = _session(path)
    _check_inputs(path, running, tokenizer)
    return OnnxTeacher(class_names(labels_file), card, running, tokenizer, _pad_id(tokenizer))


def _session(path: Path) -> Any:
    try:
        return session(str(path), threads=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    except Exception as error:  # as above
        raise InputError(f"{path}: ONNX Runtime cannot open it: {error}") from None


def beside(path: Path, *names: str) -> Path:
    """Find the first of some files beside a model, its own stem first; InputError if there is none."""
    places = [path.with_name(f"{path.stem}.{name}") for name in names] + [path.with_name(name) for name in names]
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"{path}: expected one of {', '.join(place.name for place in places)} beside it")


def class_names_beside(path: Path) -> tuple[str, ...] | None:
    """Read the class names beside a model; None if there is no file of them."""
    try:
        file = beside(path, *NAMES)
    except InputError:
        return None
    return class_names(file)


def files_beside(path: Path) -> tuple[Path, ...]:
    """List the files that the model is read with: tokenizer and class names, those that exist."""
    names = (*TOKENIZERS, *NAMES)
    places = [path.with_name(f"{path.stem}.{name}") for name in names] + [path.with_name(name) for name in names]
    return tuple(place for place in places if place.is_file())


def class_names(path: Path) -> tuple[str, ...]:
    """Read a list of names or {"0": name, …}; in config.json under `id2label`."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(names, dict) and path.name.endswith("config.json"):
            names = names["id2label"]
        if isinstance(names, dict):
            names = [names[str(i)] for i in range(len(names))]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("no list of strings")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f'{path}: expected class names as ["a", "b"] or {{"0": "a", …}}: {error}') from None
    return tuple(names)


def _open_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises bare Exception
        raise InputError(f"{path}: the tokenizers library cannot read it: {error}") from None
    tokenizer.enable_truncation(max_length=_limit(path, tokenizer))
    tokenizer.no_padding()
    return tokenizer


def _limit(path: Path, tokenizer: Tokenizer) -> int:
    if tokenizer.truncation is not None:
        return int(tokenizer.truncation["max_length"])
    try:
        stated = json.loads(path.with_name("tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_TOKENS
    return stated if isinstance(stated, int) and 0 < stated <= 1 << 16 else DEFAULT_TOKENS  # else "no limit" as 1e30


def _pad_id(tokenizer: Tokenizer) -> int:
    for name in ("[PAD]", "<pad>", "<|pad|>"):
        found = tokenizer.token_to_id(name)
        if found is not None:
            return int(found)
    return 0


def _check_inputs(path: Path, running: Any, tokenizer: Tokenizer) -> None:
    shapes = {spec.name: spec.shape for spec in running.get_inputs()}
    unknown = [name for name in shapes if name not in KNOWN_INPUTS]
    ids = [shape for name, shape in shapes.items() if name in IDS]
    if unknown or len(ids) != 1 or len(ids[0]) != 2:
        raise InputError(
            f"{path}: inputs are {', '.join(shapes)}; expected {' or '.join(IDS)} of shape (batch, length), "
            "and at most attention_mask and token_type_ids besides"
        )
    width, cut = ids[0][1], tokenizer.truncation
    if isinstance(width, int) and cut is not None:
        tokenizer.enable_truncation(max_length=min(width, cut["max_length"]))


def _onnx_input(
    inputs: dict[str, Any], ids: Sequence[Sequence[int]], pad_id: int, width: int | None
) -> dict[str, NDArray[Any]]:
    tokens = padded(ids, pad_id, width)
    lengths = np.array([len(row) for row in ids])
    arrays = {
        "attention_mask": (np.arange(tokens.shape[1]) < lengths[:, None]).astype(np.int64),
        "token_type_ids": np.zeros_like(tokens),
    }
    types = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}
    return {
        name: arrays.get(name, tokens).astype(types.get(spec.type, np.int64), copy=False)
        for name, spec in inputs.items()
    }


def as_logits(values: Floats) -> Floats:
    """Return the values, or their logarithms if every row is a distribution, which logits are not by accident."""
    distributions = len(values) and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)
    return log_probabilities(values) if distributions else values


def _size(path: Path) -> tuple[int, list[Path]]:
    """Count the numbers in the initializers, and list the files of those that are stored outside."""
    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # protobuf's DecodeError, which it does not export in one place
        raise InputError(f"{path}: not an ONNX file: {error}") from None
    stored = {entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"}
    return sum(math.prod(tensor.dims) for tensor in graph.initializer), [
        path.with_name(name) for name in sorted(stored)
    ]
