"""Time one event and many on one thread, hot: the 100M teacher in FP32, the students and the linear baseline.

In alternating blocks of calls. The teacher's speed and size need no trained weights, so it is measured as initialized.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from settings import TEST, TRAIN
from students import FOLDER, RECOMMENDED, comparison

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.model_names import BASELINE
from overproof.bundle.readers import NGRAMS, HybridReader, Reader, TokenReader, reader_of
from overproof.bundle.runtime import Labels, WindowScorer, session
from overproof.bundle.tokenizer import Windowing
from overproof.distillation.baseline import fit_baseline
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.encoder import new_encoder, parameter_count
from overproof.distillation.students.presets import ENCODERS

CALLS, BLOCKS, EVENTS = 50, 16, 400
BATCH, BATCHES = 256, 16
TEACHER = "tutorial-teacher FP32"
LABELS = Labels(tuple("abcdefghijklmn"), "a")

Models = dict[str, tuple[bytes, Reader]]


def models() -> Models:
    """Return each model's file, and what it reads with."""
    network = new_encoder(ENCODERS["tutorial-teacher"], 14, seed=0).eval()
    for name in RECOMMENDED:
        comparison(name, 0)  # distils it if it is not there
    opened = {name: open_bundle(FOLDER / f"{name}-0") for name in RECOMMENDED}
    readers = {name: reader_of(b.files, b.manifest.windowing, str(b.path)) for name, b in opened.items()}
    hybrid = readers[RECOMMENDED[-1]]
    if not isinstance(hybrid, HybridReader):
        raise RuntimeError(f"{RECOMMENDED[-1]} is expected to read tokens and n-grams")
    tokens = TokenReader(hybrid.tokenizer, Windowing())  # as many windows as the teacher would have
    return {
        TEACHER: (to_onnx(network).SerializeToString(), tokens),
        **{f"{name} INT8": (b.files[MODEL], readers[name]) for name, b in opened.items()},
    }


def measured() -> dict[str, Any]:
    """Milliseconds of one event, p50 and p99, for the model alone and from text to logits; events/s in batches."""
    found = models()
    texts = random.Random(0).sample(overproof.load_events([TEST])["text"].to_pylist(), EVENTS)
    many = overproof.load_events([TEST])["text"].to_pylist()[: BATCH * BATCHES]
    train = overproof.load_events([TRAIN])
    baseline = fit_baseline(train["text"].to_pylist(), train["label"].to_pylist(), seed=0)
    whole = {name: WindowScorer(file, reader, LABELS).score for name, (file, reader) in found.items()}
    scored: dict[str, Callable[[Sequence[str]], object]] = {**whole, BASELINE: baseline.logits}
    tokens = [len(ids) for ids in found[TEACHER][1].read(texts).ids or ()]
    sizes = {name: len(file) + len(reader.files().get(NGRAMS, b"")) for name, (file, reader) in found.items()}
    sizes[TEACHER] = len(found[TEACHER][0])
    fast = {name: call for name, call in scored.items() if name != TEACHER}  # a batch of it takes ten seconds
    interleaved({name: partial(_batch, call, many) for name, call in fast.items()}, 4)
    return {
        "parameters": {TEACHER: parameter_count(new_encoder(ENCODERS["tutorial-teacher"], 14, seed=0))},
        "bytes": {**sizes, BASELINE: baseline.bytes},
        "median_tokens": float(np.median(tokens)),
        "model": interleaved({name: _alone(file, reader, texts) for name, (file, reader) in found.items()}),
        "text_to_logits": interleaved({name: partial(_one, call, texts) for name, call in scored.items()}),
        "events_per_second": {
            name: BATCH / (times["p50_ms"] / 1e3)
            for name, times in interleaved(
                {name: partial(_batch, call, many) for name, call in fast.items()}, 4
            ).items()
        },
    }


def _alone(file: bytes, reader: Reader, texts: Sequence[str]) -> Callable[[int], object]:
    """Return a call of the model alone on one event's windows."""
    running = session(file)
    inputs = [onnx_input for text in texts for _, onnx_input in reader.read([text]).batches()]
    return lambda k: running.run(None, inputs[k % len(inputs)])


def _one(call: Callable[[Sequence[str]], object], texts: Sequence[str], k: int) -> object:
    return call([texts[k % len(texts)]])


def _batch(call: Callable[[Sequence[str]], object], texts: Sequence[str], k: int) -> object:
    start = BATCH * (k % BATCHES)
    return call(texts[start : start + BATCH])


def interleaved(candidates: dict[str, Any], calls: int = CALLS) -> dict[str, dict[str, float]]:
    """Milliseconds of one call, p50 and p99: every candidate in turn, in blocks of calls."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for block in range(BLOCKS + 1):  # the first block warms up
        for name, call in candidates.items():
            for k in range(calls):
                begin = perf_counter()
                call(block * calls + k)
                if block:
                    times[name].append((perf_counter() - begin) * 1e3)
    return {name: {"p50_ms": _at(t, 50), "p99_ms": _at(t, 99)} for name, t in times.items()}


def _at(times: list[float], percent: int) -> float:
    values: NDArray[np.float64] = np.asarray(times)
    return float(np.percentile(values, percent))


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of sizes and times, each with its ratio to the teacher."""
    head = ["one thread", "bytes", "smaller", "model p50 ms", "faster", "text → logits p50 ms", "faster"]
    head += [f"events/s in batches of {BATCH}"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, text in result["text_to_logits"].items():
        model = result["model"].get(name)
        cells = [name, f"{result['bytes'][name]:,}", _ratio(result["bytes"][TEACHER] / result["bytes"][name])]
        if model is None:
            cells += ["", ""]
        else:
            cells += [f"{model['p50_ms']:.3f}", _ratio(result["model"][TEACHER]["p50_ms"] / model["p50_ms"])]
        cells += [f"{text['p50_ms']:.3f}", _ratio(result["text_to_logits"][TEACHER]["p50_ms"] / text["p50_ms"])]
        speed = result["events_per_second"].get(name)
        lines.append(f"| {' | '.join([*cells, '' if speed is None else f'{speed:,.0f}'])} |")
    return "\n".join(lines)


def _ratio(times: float) -> str:
    return "" if times == 1 else f"{times:,.0f} times"
