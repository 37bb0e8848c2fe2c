"""Run an ONNX classifier with its tokenizer beside it, or one that reads text itself.

Files are looked for with the model's own stem first (`waf.tokenizer.json` for `waf.onnx`), then by
their usual names: `tokenizer.json`, and for the classes `labels.json` or `id2label` of `config.json`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from overproof.bundle.runtime import session
from overproof.bundle.scores import Floats
from overproof.distillation.teachers.contract import first_line, foreign
from overproof.distillation.teachers.interface import (
    Report,
    TeacherCard,
    by_length,
    fingerprint_files,
    padded,
    texts_of,
)
from overproof.distillation.teachers.onnxfloats import in_float32, short_floats
from overproof.distillation.teachers.onnxgraph import (
    FLOATS,
    ClassOutput,
    Numbers,
    as_logits,
    class_output,
    outside_files,
    probed_numbers,
    read_graph,
    stated_numbers,
    zipped_rows,
)
from overproof.distillation.teachers.onnxnames import (
    NAMES,
    TOKENIZERS,
    beside,
    class_names_beside,
    files_beside,
    require_single_label_beside,
)
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.files import utf8_path

DEFAULT_TOKENS = 128
BATCH = 64
IDS = ("input_ids", "ids")
PROBES = (
    "GET /index.html",
    "id=1' or 1=1--",
    "",
    "<script>alert(1)</script>",
    "hello world",
    "a",
    "0 " * 40,
    "ls -la /",
)
SHORT = 64  # characters of those that any model reads, however few positions it has
_PLACE = re.compile(r"/\S*onnxruntime/\S+\.(?:cc|h):\d+ [^()\n]*\([^()\n]*\)(?: const)?:? *")
KNOWN_INPUTS = (*IDS, "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class OnnxTeacher:
    """An ONNX file under ONNX Runtime; only the first window of each event is judged.

    Attributes
    ----------
    tokenizer
        None where the graph reads the text itself, as scikit-learn's do.
    output, numbers
        Which output is asked for, and what its numbers are.
    """

    classes: tuple[str, ...]
    card: TeacherCard
    session: Any
    tokenizer: Tokenizer | None
    output: ClassOutput
    numbers: Numbers = "logits"
    labels_new_events: bool = True

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute the file's output of classes, (events, classes); of probabilities the logarithms."""
        return as_logits(self.answers(events, report), self.numbers, self.card.name)

    def answers(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute the output as it is."""
        out = np.empty((events.num_rows, len(self.classes)), dtype=np.float32)
        for batch, onnx_input in self.onnx_inputs(events):
            out[batch] = self._run(onnx_input)[: len(batch)]
            if report is not None:
                report(len(batch))
        return out

    def onnx_inputs(self, events: pa.Table) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]:
        """Batch events as input, with their places; a batch of fixed size is filled up with its last row."""
        texts = texts_of(events)
        if self.tokenizer is None:
            yield from self._texts(texts)
            return
        pad_id = _pad_id(self.tokenizer)
        with foreign(self.card.name, "its tokenizer cannot read the events"):
            ids = [row.ids for row in self.tokenizer.encode_batch(texts)]
        inputs = {spec.name: spec for spec in self.session.get_inputs()}
        rows, width = next(spec.shape for name, spec in inputs.items() if name in IDS)
        size = rows if isinstance(rows, int) else BATCH
        # Without a mask among the inputs nothing says what is padding, so batches then hold one length.
        for batch in by_length([len(row) for row in ids], size, equal="attention_mask" not in inputs):
            wanted = [ids[i] for i in batch]
            full = wanted + [wanted[-1]] * (size - len(wanted)) if isinstance(rows, int) else wanted
            yield batch, _onnx_input(inputs, full, pad_id, width if isinstance(width, int) else None)

    def _texts(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]:
        (spec,) = self.session.get_inputs()
        size = spec.shape[0] if isinstance(spec.shape[0], int) else BATCH
        for start in range(0, len(texts), size):
            part = list(texts[start : start + size])
            full = part + part[-1:] * (size - len(part)) if isinstance(spec.shape[0], int) else part
            rows = np.array(full, dtype=object).reshape(-1, *(1 for _ in spec.shape[1:]))
            yield np.arange(start, start + len(part)), {spec.name: rows}

    def _run(self, onnx_input: dict[str, NDArray[Any]]) -> Floats:
        with foreign(self.card.name, "ONNX Runtime cannot run it"):
            (found,) = self.session.run([self.output.name], onnx_input)
            values = zipped_rows(found, self.output.keys) if self.output.keys else np.asarray(found)
        rows = len(next(iter(onnx_input.values())))
        if values.shape != (rows, len(self.classes)):
            raise InputError(
                f"{self.card.name}: its output {self.output.name} has shape {values.shape}, "
                f"expected {(rows, len(self.classes))} for {len(self.classes)} classes"
            )
        with np.errstate(over="ignore"):  # it becomes infinite, which is refused
            return values.astype(np.float32)


def load(path: Path) -> OnnxTeacher:
    """Open an ONNX file as a teacher.

    Raises
    ------
    InputError
        File, tokenizer, weights or class names missing or unusable, an input that is not a tokenizer's, an output
        that is no distribution over classes or not one row an event, or answers that are drawn at random.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    model = read_graph(path)
    weights = outside_files(path, model)
    require_single_label_beside(path)
    running = _session(path, model)
    tokenizer = None if _reads_text(running) else _open_tokenizer(beside(path, TOKENIZERS[0]))
    if tokenizer is not None:
        _check_inputs(path, running, tokenizer)
    named = class_names_beside(path)
    output = class_output(path, model, running.get_outputs(), None if named is None else len(named))
    if named is None and not output.keys:
        beside(path, *NAMES)  # says what it looked for
    classes, output = in_order(path, named, output)
    card = TeacherCard(
        kind="onnx",
        name=str(path),
        parameters=sum(math.prod(tensor.dims) for tensor in model.graph.initializer),
        bytes=path.stat().st_size + sum(file.stat().st_size for file in weights),
        runtime="onnxruntime",
        fingerprint=None,
    )
    return _told(path, model, OnnxTeacher(classes, card, running, tokenizer, output), weights)


def in_order(path: Path, named: Sequence[str] | None, output: ClassOutput) -> tuple[tuple[str, ...], ClassOutput]:
    """Return the classes, and the output with its keys, if it has any, in their order.

    Raises
    ------
    InputError
        The names beside the model are not those that the graph itself gives.
    """
    if named is None:
        return tuple(map(str, output.keys)), output
    own = [key for key in output.keys if isinstance(key, str)]
    if own and sorted(own) != sorted(named):
        raise InputError(f"{path}: the graph names the classes {', '.join(own)}, the file beside it {', '.join(named)}")
    # the first name beside it is that of the lowest number, wherever the graph has it
    return tuple(named), replace(output, keys=tuple(named) if own else tuple(sorted(output.keys)))


def _told(path: Path, model: onnx.ModelProto, teacher: OnnxTeacher, weights: Sequence[Path]) -> OnnxTeacher:
    """Find out what a teacher's numbers are, and say so on its card."""
    numbers, why = stated_numbers(path, model, teacher.output.name)
    _require_steady(path, teacher)
    if numbers is None:
        numbers, why = probed_numbers(path, teacher.answers(event_table({"text": list(PROBES)})))
    prints = fingerprint_files(path, *weights, *files_beside(path))
    card = replace(
        teacher.card,
        runtime=f"onnxruntime, its output taken for {numbers} ({why})",
        fingerprint=hashlib.sha256(f"{numbers} {teacher.output.name} {prints}".encode()).hexdigest(),
    )
    return replace(teacher, numbers=numbers, card=card)


def _require_steady(path: Path, teacher: OnnxTeacher) -> None:
    """Ask about made-up events, each of them twice so that some stand in one batch, and about all of them again."""
    short = [text for text in PROBES if len(text) < SHORT]
    events = event_table({"text": [text for text in short for _ in range(2)]})
    answers, again = teacher.answers(events), teacher.answers(events)
    if not np.allclose(answers, again, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise InputError(
            f"{path}: gives the same events other answers when it is asked again; expected a model that draws nothing "
            "at random (exported for training, its dropout does)"
        )


def _session(path: Path, model: onnx.ModelProto) -> Any:
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    try:
        with utf8_path(path) as name:
            if "bfloat16" in short_floats(model):  # next to nothing runs it on a CPU
                return session(in_float32(onnx.load(name)).SerializeToString(), threads=threads)
            return session(name, threads=threads)
    except Exception as error:  # ONNX Runtime raises its own classes
        raise InputError(f"{path}: ONNX Runtime cannot open it: {_plain(error)}") from None


def _plain(error: Exception) -> str:
    """Return what ONNX Runtime says without the place in its own source, which fills the line."""
    return first_line(Exception(_PLACE.sub("", str(error))))


def _reads_text(running: Any) -> bool:
    """Say whether a graph takes text as it is, one string an event."""
    inputs = running.get_inputs()
    return len(inputs) == 1 and inputs[0].type == "tensor(string)" and inputs[0].shape[1:] in ([], [1])


def _open_tokenizer(path: Path) -> Tokenizer:
    try:
        with utf8_path(path) as name:
            tokenizer = Tokenizer.from_file(name)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise InputError(f"{path}: the tokenizers library cannot read it: {error}") from None
    _cut(path, tokenizer, _limit(path, tokenizer))
    tokenizer.no_padding()
    return tokenizer


def _cut(path: Path, tokenizer: Tokenizer, length: int) -> None:
    """Let a tokenizer cut events at a length; InputError if that leaves no room for one."""
    around = tokenizer.num_special_tokens_to_add(False)
    if length <= around:
        raise InputError(
            f"{path}: events are cut at {length} tokens, {around} of them the tokenizer's own; expected room for it"
        )
    tokenizer.enable_truncation(max_length=length)


def _limit(path: Path, tokenizer: Tokenizer) -> int:
    if tokenizer.truncation is not None:
        return int(tokenizer.truncation["max_length"])
    try:
        stated = json.loads(path.with_name("tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return DEFAULT_TOKENS
    return (
        stated if isinstance(stated, int) and not isinstance(stated, bool) and 0 < stated <= 1 << 16 else DEFAULT_TOKENS
    )  # else "no limit" as 1e30


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
    if 0 in ids[0]:
        raise InputError(f"{path}: its input has shape {ids[0]}, room for nothing; expected (batch, length)")
    width, cut = ids[0][1], tokenizer.truncation
    if isinstance(width, int) and cut is not None:
        _cut(path, tokenizer, min(width, cut["max_length"]))


def _onnx_input(
    inputs: dict[str, Any], ids: Sequence[Sequence[int]], pad_id: int, width: int | None
) -> dict[str, NDArray[Any]]:
    tokens = padded(ids, pad_id, width)
    lengths = np.array([len(row) for row in ids])
    arrays = {
        "attention_mask": (np.arange(tokens.shape[1]) < lengths[:, None]).astype(np.int64),
        "token_type_ids": np.zeros_like(tokens),
    }
    types = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_, **FLOATS}
    return {
        name: arrays.get(name, tokens).astype(types.get(spec.type, np.int64), copy=False)
        for name, spec in inputs.items()
    }
