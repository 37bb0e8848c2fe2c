"""Measure how portable the INT8 student's verdicts are: what varies here, and other CPUs under qemu-user.

The same file runs on this CPU and on emulated ones, on real payloads: some at random, and those whose two best
logits lie closest. Beside the default file stands one with the same weights spread over the whole range of S8: its
FP32 weights are not in the bundle, so the stored integers are dequantized and quantized again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from accuracy import STUDENT, bundle
from numpy.typing import NDArray
from onnx import numpy_helper
from settings import OUT, TEST

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.quantization.portability import portability
from overproof.quantization.saturation import emulate

QEMU = "qemu-x86_64"
CPUS = {"Haswell": "AVX2, no VNNI", "Nehalem": "SSE4.2"}
EVENTS = 64  # of each kind: qemu is some two hundred times slower than the CPU
LONGEST = 64
VARIED = 200
REDUCED, WHOLE = 64, 127
DEFAULT, SPREAD = "S8 weights -64 … 64 (the default)", "the same weights over -127 … 127"

# All that runs under qemu: files of feeds and models in, a file of logits out.
SCRIPT = """
import sys
import numpy as np, onnxruntime as ort
feeds, out, *models = sys.argv[1:]
feeds, found = np.load(feeds), {}
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 3
for model in models:
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found[model] = np.concatenate([session.run(None, {"input_ids": feeds[name]})[0] for name in feeds.files])
np.savez(out, **found)
"""


def measured() -> dict[str, Any]:
    """Measure what both files answer under qemu and in our emulation, and the report on the default one."""
    opened = open_bundle(bundle(STUDENT, 0))
    model = onnx.load_from_string(opened.files[MODEL])
    texts = overproof.load_events([TEST])["text"].to_pylist()
    scorer = OnnxScorer(opened)
    windows = scorer.windows(texts)
    fit = [row for row, i in enumerate(windows.ids or ()) if len(i) <= LONGEST]
    ids = [(windows.ids or [])[row] for row in fit]
    some = random.Random(0).sample(range(len(ids)), VARIED)
    best = np.sort(scorer.window_logits(windows)[fit], axis=1)
    narrow = np.argsort(best[:, -1] - best[:, -2])[:EVENTS].tolist()
    feeds = [{"input_ids": np.array([ids[i]])} for i in some[:EVENTS] + narrow]
    models = {DEFAULT: model, SPREAD: over_whole_range(model)}
    report = portability(model, [{"input_ids": np.array([ids[i]])} for i in some])
    return {
        "events": len(feeds),
        "qemu": subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0],
        "files": on_other_cpus(models, feeds),
        "report": [*map(str, report.variations)],
    }


def on_other_cpus(
    models: dict[str, onnx.ModelProto], feeds: list[dict[str, NDArray[np.int64]]]
) -> dict[str, dict[str, Any]]:
    """For each model: our emulation's prediction, and what each CPU answered."""
    folder = OUT / "portable"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.onnx" for number in range(len(models))]
    for file, model in zip(files, models.values(), strict=True):
        file.write_bytes(model.SerializeToString())
    np.savez(folder / "feeds.npz", *[feed["input_ids"] for feed in feeds])
    native = _logits([], folder, files)
    others = {cpu: _logits([QEMU, "-cpu", cpu], folder, files) for cpu in CPUS}
    result = {}
    for number, (name, model) in enumerate(models.items()):
        found = emulate(model, feeds)
        result[name] = {
            "worst_case": max(m.bound for m in found.matrices),
            "saturated": sum(m.saturated for m in found.matrices),
            "pair_sums": sum(m.total for m in found.matrices),
            "emulation": _changed(found.exact, found.saturating),
            **{cpu: _changed(native[number], logits[number]) for cpu, logits in others.items()},
        }
    return result


def over_whole_range(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same weights over -127 … 127; each bias follows its product's grid."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    stored = {w.name: w for w in copy.graph.initializer}
    of = {node.output[0]: list(node.input) for node in copy.graph.node if node.op_type == "DequantizeLinear"}
    for node in copy.graph.node:
        for dequantized in node.input[1:3] if node.op_type == "Gemm" else []:
            _scale(stored[of[dequantized][0]], WHOLE / REDUCED)
            _scale(stored[of[dequantized][1]], REDUCED / WHOLE)
    return copy


def _scale(tensor: onnx.TensorProto, factor: float) -> None:
    values = numpy_helper.to_array(tensor)
    scaled = values * factor if values.dtype.kind == "f" else np.rint(values * factor)
    tensor.CopyFrom(numpy_helper.from_array(scaled.astype(values.dtype), tensor.name))


def _logits(prefix: list[str], folder: Path, files: list[Path]) -> list[NDArray[np.float32]]:
    """Return what ONNX Runtime answers, in a process of its own: on this CPU, or on the one that `prefix` emulates."""
    out = folder / "logits.npz"
    python = str(Path(sys.executable).resolve())
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    subprocess.run(
        [*prefix, python, "-c", SCRIPT, folder / "feeds.npz", out, *files],
        env={**os.environ, **one, "PYTHONPATH": sysconfig.get_path("purelib")},
        stderr=subprocess.DEVNULL if prefix else None,  # qemu lists the features that it does not have
        check=True,
    )
    with np.load(out) as found:
        return [found[str(file)] for file in files]


def _changed(before: NDArray[np.float32], after: NDArray[np.float32]) -> dict[str, Any]:
    return {
        "flipped": np.flatnonzero(before.argmax(1) != after.argmax(1)).tolist(),
        "max_difference": float(np.abs(before - after).max()),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Write the report's rows, and a table of the two files on every CPU."""
    cpus = [f"{cpu} ({has}), qemu" for cpu, has in CPUS.items()]
    head = [f"{result['events']} payloads", "pair sums beyond 16 bits", "our emulation", *cpus]
    lines = [*(f"- {row}" for row in result["report"]), ""]
    lines += [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, found in result["files"].items():
        cells = [_cell(found[column]) for column in ("emulation", *CPUS)]
        lines.append(f"| {name} | {found['saturated']:,} of {found['pair_sums']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: dict[str, Any]) -> str:
    if not found["max_difference"]:
        return "identical"
    return f"flipped: {len(found['flipped'])}, logits off by {found['max_difference']:.2g}"
