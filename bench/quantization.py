"""Rounding the trained student: INT8 and 4-bit weights, by calibration alone and trained with the rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from accuracy import STUDENT, TEACHER, interval, kept
from settings import OUT, SEEDS, TEST, TRAIN, once

import overproof
from overproof.affine import fit
from overproof.compare import measure
from overproof.compare.divergence import judge, truth
from overproof.compression.material import SPLIT_SEED, kinds
from overproof.compression.quantization.guarded import Bench, calibrate, divided
from overproof.compression.quantization.rewrite import WEIGHTS_4
from overproof.compression.quantization.subject import open_subject
from overproof.compression.teachers import align, cached_logits, load_teacher
from overproof.progress import terminal
from overproof.runtime import OnnxScorer, open_bundle
from overproof.split import split_events

FLOAT = "FP32"
MIN_ROWS = 15


def trained(precision: str, seed: int) -> Path:
    """Where a student trained with the rounding lies."""
    return OUT / f"qat-{precision}-{seed}"


def qat(precision: str, seed: int) -> dict[str, Any]:
    """Train one student with the rounding, under its teacher, and return the report."""
    report = overproof.quantize(
        kept(STUDENT, seed),
        calibrate_on=[str(TRAIN)],
        test=[str(TEST)],
        precision=precision,
        qat=True,
        teacher=[str(TEACHER)],
        cache=OUT / "cache",
        out=trained(precision, seed),
        seed=seed,
        console=terminal(),
    )
    return report.to_json()


def measured() -> dict[str, Any]:
    """Every way of rounding, on the students of every seed."""
    for seed in SEEDS:
        for precision in ("w4a8", "w8a8"):
            once(f"qat-{precision}-{seed}", lambda precision=precision, seed=seed: qat(precision, seed))  # type: ignore[misc]
    test = overproof.load_events([TEST])
    teacher = load_teacher([str(TEACHER)])
    soft = cached_logits(teacher, test, OUT / "cache", lambda done: None)
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in SEEDS:
        subject = open_subject(kept(STUDENT, seed))
        bench = Bench(subject, test)
        guide = align(soft, teacher.classes, subject.classes)
        events = split_events(overproof.load_events([TRAIN]), seed=SPLIT_SEED, validation=0.1, test=0.0).train
        ready = calibrate(subject, divided(events, seed=seed)[0], seed=seed)
        names = [layer.name for layer in ready.layers]
        minmax = {x.name: fit(x.values, WEIGHTS_4, axis=x.channel) for x in ready.layers}
        models = {
            FLOAT: subject.model,
            "w8a8, calibrated": ready.at(dict.fromkeys(names, "w8a8")),
            "w4a8, calibrated by min-max": type(ready)(subject, ready.layers, ready.ranges, minmax).at(
                dict.fromkeys(names, "w4a8")
            ),
            "w4a8, calibrated": ready.at(dict.fromkeys(names, "w4a8")),
        }
        found = {name: (subject.logits(model, bench.prepared), model.ByteSize()) for name, model in models.items()}
        for precision in ("w8a8", "w4a8"):
            bundle = open_bundle(trained(precision, seed))
            whole = sum(file.stat().st_size for file in trained(precision, seed).iterdir())
            found[f"{precision}, QAT"] = OnnxScorer(bundle).score(test["text"].to_pylist()).logits, whole
        before = found[FLOAT][0]
        for name, (logits, size) in found.items():
            rows.setdefault(name, []).append(_row(logits, before, guide, subject, test) | {"bytes": size})
    return {"rows": rows, "events": test.num_rows}


def _row(logits: Any, before: Any, guide: Any, subject: Any, test: pa.Table) -> dict[str, Any]:
    labels, families = test["label"].to_pylist(), test["family"].to_pylist()
    known = truth(before, subject.classes, subject.benign, labels, kinds(test))
    metrics, float_metrics = (
        measure(x, subject.classes, labels, families, subject.benign, guide) for x in (logits, before)
    )
    lost = {
        name: float_metrics.families[name].k - share.k
        for name, share in metrics.families.items()
        if share.n >= MIN_ROWS
    }
    return {
        "accuracy": metrics.accuracy,
        "macro_f1": metrics.macro_f1,
        "flips": int((logits.argmax(1) != before.argmax(1)).sum()),
        "kl_to_float": judge(before, logits, known).kl,
        "kl_to_teacher": judge(guide, logits, known).kl,
        "worst_family": max(lost.values()),
        "worst_name": max(lost, key=lambda name: lost[name]),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Means over the seeds with 95 % intervals; what is lost is lost against the same student in FP32."""
    head = ["", "accuracy lost (points)", "macro-F1 lost (points)", "verdicts that flip", "KL to the teacher"]
    head += ["most events lost by a family", "ONNX or bundle bytes"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    base = result["rows"][FLOAT]
    for name, rows in result["rows"].items():
        lost = [
            [100 * (b[figure] - r[figure]) for b, r in zip(base, rows, strict=True)]
            for figure in ("accuracy", "macro_f1")
        ]
        cells = [name, *("" if name == FLOAT else _span(values, 2) for values in lost)]
        cells.append("" if name == FLOAT else f"{', '.join(str(r['flips']) for r in rows)} of {result['events']:,}")
        cells.append(_span([r["kl_to_teacher"] for r in rows], 4))
        cells.append("" if name == FLOAT else ", ".join(str(r["worst_family"]) for r in rows))
        cells.append(f"{np.mean([r['bytes'] for r in rows]):,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _span(values: list[float], digits: int) -> str:
    middle, low, high = interval(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"
