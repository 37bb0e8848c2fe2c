"""Show where the student's time goes, and what was tried against it: fused operators, a merged projection, OpenVINO.

Every variant holds the weights of the trained tutorial-student, calibrated alike. One is kept only if it is faster with
the same verdicts.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from accuracy import STUDENT, kept
from onnx import TensorProto, helper, numpy_helper
from settings import TEST, TRAIN
from speed import interleaved

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer, session
from overproof.bundle.windows import TOKENS_PER_RUN
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.encoder import new_encoder
from overproof.distillation.students.presets import ENCODERS
from overproof.quantization.rewrite import quantize_model

EVENTS, CALIBRATION, TOKENS = 2000, 1024, 13
Feed = dict[str, np.ndarray[Any, Any]]
Run = Callable[[Feed], np.ndarray[Any, Any]]
SHIPPED, FLOAT, OPENVINO = "as shipped", "FP32", "OpenVINO"


def measured() -> dict[str, Any]:
    """Milliseconds of one event and of a batch, flips against what is shipped, and the share of each operator."""
    scorer = OnnxScorer(open_bundle(kept(STUDENT, 0)))
    graph = onnx.load_from_string(open_bundle(kept(STUDENT, 0)).files[MODEL])
    calibration, tested = (_feeds(scorer, file, count) for file, count in ((TRAIN, CALIBRATION), (TEST, EVENTS)))
    files = {SHIPPED: quantize_model(graph, calibration)}
    for name, edit in EDITS.items():
        files[name] = quantize_model(edit(graph), calibration)
    runs: dict[str, Run] = {name: _runner(session(file.SerializeToString())) for name, file in files.items()}
    runs[FLOAT] = _runner(session(graph.SerializeToString()))
    openvino = _openvino(files[SHIPPED])
    if openvino is not None:
        runs[OPENVINO] = openvino
    labels = {name: [run(feed).argmax(1) for feed in tested] for name, run in runs.items()}
    flips = {
        name: sum(int((a != b).sum()) for a, b in zip(found, labels[SHIPPED], strict=True))
        for name, found in labels.items()
    }
    wide = _wide(calibration)
    runs["feed-forward twice as wide (untrained)"] = _runner(session(wide.SerializeToString()))
    rows = np.concatenate([feed["input_ids"] for feed in tested if feed["input_ids"].shape[1] == TOKENS])
    ones = [{"input_ids": row[None]} for row in rows]
    full = [{"input_ids": np.resize(rows, (TOKENS_PER_RUN // TOKENS, TOKENS))}]
    return {
        "events": sum(len(feed["input_ids"]) for feed in tested),
        "tokens": TOKENS,
        "flips": flips,
        "one": interleaved({n: lambda k, run=run: run(ones[k % len(ones)]) for n, run in runs.items()}),
        "batch": interleaved({n: lambda k, run=run: run(full[k % len(full)]) for n, run in runs.items()}, calls=20),
        "operators": _profile(files[SHIPPED], ones),
        "openvino": openvino is not None,
    }


def _feeds(scorer: OnnxScorer, file: Path, count: int) -> list[Feed]:
    texts = random.Random(0).sample(overproof.load_events([file])["text"].to_pylist(), count)
    return [onnx_input for _, onnx_input in scorer.windows(texts).batches()]


def _runner(running: Any) -> Run:
    return lambda feed: running.run(None, feed)[0]


def _openvino(model: onnx.ModelProto) -> Run | None:
    """Return the same file under OpenVINO, one thread; None where the extra `openvino` is not installed."""
    try:
        import openvino as ov
    except ModuleNotFoundError:
        print("bench: OpenVINO is not installed, so it is left out", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/model.onnx")
        core = ov.Core()
        limits = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(core.read_model(f"{folder}/model.onnx"), "CPU", limits).create_infer_request()
    return lambda feed: np.array(request.infer(feed, share_inputs=True, share_outputs=True)[0])


def _wide(calibration: list[Feed]) -> onnx.ModelProto:
    """Return the tutorial-student as it was before: four times as wide inside as its hidden width, for speed alone."""
    from dataclasses import replace

    sizes = ENCODERS[STUDENT]
    network = new_encoder(replace(sizes, feed_forward=4 * sizes.hidden), 14, seed=0).eval()
    return quantize_model(to_onnx(network), calibration)


def _profile(model: onnx.ModelProto, feeds: list[Feed]) -> dict[str, float]:
    """Share of the time inside operators, by type; ONNX Runtime's own profile."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        running = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for k in range(500):
            running.run(None, feeds[k % len(feeds)])
        events = json.loads(Path(running.end_profiling()).read_text())
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return {name: time / spent.total() for name, time in spent.most_common()}


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if not any(o.domain == "com.microsoft" for o in result.opset_import):
        result.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return result


def skip_layer_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Each Add with the LayerNormalization behind it as one com.microsoft.SkipLayerNormalization."""
    result = _copy(model)
    nodes = {node.output[0]: node for node in result.graph.node}
    for norm in [n for n in result.graph.node if n.op_type == "LayerNormalization"]:
        add = nodes.get(norm.input[0])
        if add is None or add.op_type != "Add":
            continue
        fused = helper.make_node(
            "SkipLayerNormalization",
            [*add.input, norm.input[1], norm.input[2]],
            [norm.output[0], "", "", add.output[0]],
            norm.name,
            domain="com.microsoft",
            epsilon=1e-5,
        )
        result.graph.node.remove(add)
        norm.CopyFrom(fused)
    return result


def multi_head_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return what lies between the projections and the context as one com.microsoft.MultiHeadAttention."""
    result = _copy(model)
    made = {output: node for node in result.graph.node for output in node.output}
    weights = {w.name: numpy_helper.to_array(w) for w in result.graph.initializer}
    heads = int(weights["tail_by_head"][1])
    for place in range(_layers(model)):
        p = f"layers.{place}"
        context = next(n for n in result.graph.node if n.output[0] == f"{p}.context")
        sources = {"q": made[f"{p}.q.split"].input[0], "k": f"{p}.k", "v": f"{p}.v"}
        inner = {f"{p}.{end}" for end in INNER}
        for node in [n for n in result.graph.node if n.output[0] in inner]:
            result.graph.node.remove(node)
        at = list(result.graph.node).index(context)
        rows = [helper.make_node("Reshape", [x, "by_token"], [f"{p}.{n}3"], f"{p}.{n}3") for n, x in sources.items()]
        attention = helper.make_node(
            "MultiHeadAttention",
            [f"{p}.q3", f"{p}.k3", f"{p}.v3", "", "keys"],
            [f"{p}.ct"],
            f"{p}.attention",
            domain="com.microsoft",
            num_heads=heads,
            scale=1.0,
        )
        for offset, node in enumerate((*rows, attention)):
            result.graph.node.insert(at + offset, node)
    by_token = next(n for n in result.graph.node if n.output[0] == "by_token")
    result.graph.node.remove(by_token)
    result.graph.node.insert(1, by_token)
    mask = next(i for i, n in enumerate(result.graph.node) if n.output[0] == "padding")
    result.graph.node.insert(mask + 1, helper.make_node("Not", ["padding"], ["tokens"], "tokens"))
    result.graph.node.insert(mask + 2, helper.make_node("Cast", ["tokens"], ["keys"], "keys", to=TensorProto.INT32))
    return result


INNER = ("q.split", "q", "kt.split", "kt", "vt.split", "vt", "qk", "scores", "share", "mixed", "ct")


def _layers(model: onnx.ModelProto) -> int:
    return sum(node.name.endswith(".widen") for node in model.graph.node)


def merged_projection(model: onnx.ModelProto) -> onnx.ModelProto:
    """Query, key and value of every layer but the last as one Gemm."""
    result = _copy(model)
    weights = {w.name: w for w in result.graph.initializer}
    for place in range(_layers(model) - 1):
        p = f"layers.{place}"
        for part, axis in (("weight", 1), ("bias", 0)):
            both = [numpy_helper.to_array(weights[f"{p}.{name}.{part}"]) for name in ("query", "key_value")]
            result.graph.initializer.append(numpy_helper.from_array(np.concatenate(both, axis), f"{p}.all.{part}"))
        query, key_value, split = (
            next(n for n in result.graph.node if n.name == f"{p}.{name}") for name in ("query", "key_value", "split")
        )
        key_value.CopyFrom(
            helper.make_node("Gemm", [key_value.input[0], f"{p}.all.weight", f"{p}.all.bias"], [f"{p}.all"], f"{p}.all")
        )
        parts = [f"{p}.query", f"{p}.k", f"{p}.v"]
        split.CopyFrom(helper.make_node("Split", [f"{p}.all"], parts, split.name, axis=1, num_outputs=3))
        result.graph.node.remove(query)
    return result


EDITS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "SkipLayerNormalization": skip_layer_norm,
    "MultiHeadAttention": multi_head_attention,
    "query, key, value merged": merged_projection,
}


def to_markdown(result: dict[str, Any]) -> str:
    """Write a row for each variant: one event and a batch against what is shipped, and the verdicts that differ."""
    head = [
        "variant",
        "one event, p50 ms",
        "against shipped",
        "batch, p50 ms",
        "against shipped",
        "verdicts that differ",
    ]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in result["one"]:
        cells = [name]
        for kind in ("one", "batch"):
            time, shipped = result[kind][name]["p50_ms"], result[kind][SHIPPED]["p50_ms"]
            cells += [f"{time:.3f}", "" if name == SHIPPED else f"{time / shipped:.2f} times as long"]
        flips = result["flips"].get(name)
        cells.append("" if name == SHIPPED else "-" if flips is None else f"{flips} of {result['events']:,}")
        lines.append(f"| {' | '.join(cells)} |")
    spent = ", ".join(f"{name} {share:.0%}" for name, share in list(result["operators"].items())[:6])
    return "\n".join([*lines, "", f"Time inside operators, one event: {spent}."])
