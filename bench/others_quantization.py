"""Compare quantizers on classifiers that overproof did not make: labels that flip, error, bytes and time.

Every file judges the same test events, each as a batch of its own and then many in a batch. Times are ratios to those
of the FP32 file, in one process, in alternating blocks of the same events: what else the machine does slows all of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import exp, log
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from accuracy import interval
from foreign_models import MODELS, OUTPUT, ROWS, absent, folder, made
from quantizers import FP32, QUANTIZERS, Inputs, calibration_events, quantized, single_inputs
from settings import TEST, once

import overproof
from overproof.bundle.runtime import session
from overproof.bundle.scores import Floats, labels_of, softmax
from overproof.checks.stats.proportions import wilson
from overproof.quantization.models import open_model
from overproof.results.divergence import judge, truth

BLOCKS, CALLS = 48, 10
BENIGN = ("benign",)
Run = Callable[[int], object]


@cache
def test_events(count: int) -> pa.Table:
    """Draw test rows."""
    table = overproof.load_events([TEST])
    return table.take(sorted(random.Random(0).sample(range(table.num_rows), count)))


def measured(name: str) -> dict[str, Any]:
    """Measure every quantizer on one classifier."""
    if (why := absent(name)) is not None:
        return {"why": why}
    source = made(name)
    files: dict[str, Path | str] = {FP32: source, **{how: quantized(name, how) for how in QUANTIZERS}}
    there = {how: file for how, file in files.items() if isinstance(file, Path)}
    sessions = {how: session(str(file)) for how, file in there.items()}
    events = test_events(MODELS[name].judged)
    singles = single_inputs(source, events["text"].to_pylist())
    batches = open_model(source).prepare(events)
    alone = {how: np.concatenate([s.run([OUTPUT], one)[0] for one in singles]) for how, s in sessions.items()}
    together = {
        how: batches.gather([s.run([OUTPUT], dict(many))[0] for many in batches.onnx_inputs])
        for how, s in sessions.items()
    }
    times = ratios({how: partial(_one, s, singles) for how, s in sessions.items()})
    classes = open_model(source).classes
    compared = Compared(events, classes, alone[FP32])
    return {
        "accuracy": compared.accuracy(),
        "calibration": calibration_events().num_rows,
        "rows": {
            how: {
                "bytes": there[how].stat().st_size,
                **compared.row(alone[how], together[how]),
                "time": times[how],
            }
            if how in there
            else {"why": str(file)}
            for how, file in files.items()
        },
    }


def _one(running: Any, inputs: Inputs, k: int) -> object:
    return running.run([OUTPUT], inputs[k % len(inputs)])


class Compared:
    """What a file's logits are held against: the FP32 file's, and what the events are."""

    def __init__(self, events: pa.Table, classes: Sequence[str], before: Floats) -> None:
        self.classes, self.before = classes, before
        self.labels = events["label"].to_pylist()
        self.truth = truth(before, classes, BENIGN, self.labels, events["family"].to_pylist())

    def accuracy(self) -> float:
        """Share of the events that the FP32 file gets right."""
        said = labels_of(softmax(self.before), self.truth.benign)
        return float(np.mean([self.classes[k] == label for k, label in zip(said, self.labels, strict=True)]))

    def row(self, alone: Floats, together: Floats) -> dict[str, Any]:
        """Count labels that flip against FP32, and those that hang on what else is in the batch."""
        found, batched = judge(self.before, alone, self.truth), judge(alone, together, self.truth)
        return {"flips": found.flips, "batched": batched.flips, "sqnr_db": found.sqnr_db, "events": found.events}


def ratios(runs: dict[str, Run]) -> dict[str, Any]:
    """Return the time of each against the first one's, mean and 95 % interval over blocks, and the median of a call.

    The first is in every block, and the order is turned from block to block; the first block warms up.
    """
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for block in range(BLOCKS + 1):
        turn = block % len(names)
        for name in names[turn:] + names[:turn]:
            begin = perf_counter()
            for k in range(block * CALLS, (block + 1) * CALLS):
                runs[name](k)
            if block:
                seconds[name].append(perf_counter() - begin)
    found = {}
    for name in names:
        logs = [log(own / first) for own, first in zip(seconds[name], seconds[names[0]], strict=True)]
        value, low, high = map(exp, interval(logs))
        found[name] = {"value": value, "low": low, "high": high, "ms": 1e3 * median(seconds[name]) / CALLS}
    return found


def processor() -> str:
    """Say which integer instructions the processor has."""
    line = next((one for one in Path("/proc/cpuinfo").read_text().splitlines() if one.startswith("flags")), "")
    flags = set(line.split())
    widest = next((name for name in ("avx512f", "avx2") if name in flags), "neither AVX2 nor AVX-512")
    vnni = {"avx512_vnni", "avx_vnni"} & flags
    return f"{widest.upper()} {'with' if vnni else 'without'} VNNI"


def kept(name: str) -> dict[str, Any]:
    """Measure a classifier, unless that was done."""
    return once(f"others-quantization-{folder(name).name}", partial(measured, name))


def all_measured() -> dict[str, Any]:
    """Measure every classifier."""
    return {"processor": processor(), "models": {name: kept(name) for name in MODELS}}


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table a classifier."""
    tables = [_table(name, found) for name, found in result["models"].items()]
    calibrated = [found["calibration"] for found in result["models"].values() if "why" not in found]
    note = (
        f"Trained on {ROWS:,} rows each, {calibrated[0] if calibrated else 'none'} of the same file to calibrate; "
        f"one thread, {result['processor']}. In brackets 95 % intervals, Wilson's for shares."
    )
    return "\n\n".join([*tables, note])


def _table(name: str, found: dict[str, Any]) -> str:
    if "why" in found:
        return f"**{name}**: not measured: {found['why']}."
    head = [f"**{name}**", "labels that flip", "SQNR, dB", "bytes", "time against FP32", "flip with the batch"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for how, row in found["rows"].items():
        title = how if how == FP32 else f"{how} ({QUANTIZERS[how].settings})"
        lines.append(f"| {title} | {' | '.join(cells(row, first=how == FP32))} |")
    about = f"{name}: {MODELS[name].made}; {found['accuracy']:.2%} of the test events right in FP32."
    return "\n".join([*lines, "", about])


def cells(row: dict[str, Any], *, first: bool) -> list[str]:
    """Write a row's figures, or why there are none."""
    if "why" in row:
        return [f"not measured: {row['why']}", "", "", "", ""]
    if first:
        return ["", "", f"{row['bytes']:,}", f"{row['time']['ms']:.2f} ms an event", f"{row['batched']}"]
    share = wilson(row["flips"], row["events"])
    flips = f"{row['flips']} of {row['events']:,}, {share.value:.2%} ({share.low:.2%} … {share.high:.2%})"
    time = f"{row['time']['value']:.2f} ({row['time']['low']:.2f} … {row['time']['high']:.2f})"
    sqnr = "no error" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f}"
    return [flips, sqnr, f"{row['bytes']:,}", time, f"{row['batched']}"]
