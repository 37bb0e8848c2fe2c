"""Time one event on one thread, hot: the 100M teacher in FP32 against the students, in alternating blocks of 50 calls.

The teacher's speed and size need no trained weights, so it is measured as initialized.
"""

from __future__ import annotations

import random
from time import perf_counter
from typing import Any

import numpy as np
from accuracy import SMALLEST, STUDENT, bundle, kept
from numpy.typing import NDArray
from settings import TEST

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.readers import reader_of
from overproof.bundle.runtime import Labels, WindowScorer, session
from overproof.bundle.tokenizer import Windowing
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.encoder import new_encoder, parameter_count
from overproof.distillation.students.presets import ENCODERS

CALLS, BLOCKS, EVENTS = 50, 16, 400


def measured() -> dict[str, Any]:
    """Milliseconds of one event, p50 and p99, for the model alone and from text to logits."""
    network = new_encoder(ENCODERS["tutorial-teacher"], 14, seed=0).eval()
    teacher = to_onnx(network).SerializeToString()
    texts = overproof.load_events([TEST])["text"].to_pylist()
    texts = random.Random(0).sample(texts, EVENTS)
    opened = {name: open_bundle(bundle(name, 0)) for name in (STUDENT, SMALLEST)}
    float_student = open_bundle(kept(STUDENT, 0)).files[MODEL]
    files = {
        "tutorial-teacher FP32": teacher,
        f"{STUDENT} FP32": float_student,
        **{f"{name} INT8": b.files[MODEL] for name, b in opened.items()},
    }
    readers = {name: reader_of(b.files, Windowing(), str(b.path)) for name, b in opened.items()}
    read = {name: readers.get(name.split()[0], readers[STUDENT]) for name in files}
    whole = {name: WindowScorer(file, read[name], Labels(tuple("abcdefghijklmn"), "a")) for name, file in files.items()}
    ids = {name: [np.array([w]) for w in scorer.windows(texts).ids or ()] for name, scorer in whole.items()}
    alone = {name: session(file) for name, file in files.items()}
    return {
        "parameters": {"tutorial-teacher FP32": parameter_count(network)},
        "bytes": {name: len(file) for name, file in files.items()},
        "median_tokens": float(np.median([i.shape[1] for i in ids[f"{STUDENT} INT8"]])),
        "model": interleaved(
            {n: lambda k, n=n: alone[n].run(None, {"input_ids": ids[n][k % len(ids[n])]}) for n in files}
        ),
        "text_to_logits": interleaved({n: lambda k, n=n: whole[n].score([texts[k % EVENTS]]) for n in files}),
    }


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
    teacher = next(iter(result["model"]))
    head = ["one event, one thread", "bytes", "smaller", "model p50 ms", "faster", "text → logits p50 ms", "faster"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in result["model"]:
        size, model, text = (result[k][name] for k in ("bytes", "model", "text_to_logits"))
        ratios = [
            result["bytes"][teacher] / size,
            result["model"][teacher]["p50_ms"] / model["p50_ms"],
            result["text_to_logits"][teacher]["p50_ms"] / text["p50_ms"],
        ]
        smaller, faster, through = ("" if name == teacher else f"{ratio:,.0f} times" for ratio in ratios)
        cells = [name, f"{size:,}", smaller, f"{model['p50_ms']:.3f}", faster, f"{text['p50_ms']:.3f}", through]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
