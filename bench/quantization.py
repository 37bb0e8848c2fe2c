"""Round the trained student: INT8 and 4-bit weights, by calibration alone and trained with the rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from accuracy import STUDENT, TEACHER, interval, kept
from settings import OUT, SEEDS, TEST, TRAIN, once

import overproof
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.distillation.dataset import SPLIT_SEED
from overproof.distillation.teachers import align, cached_logits, load_teacher
from overproof.events.families import families_of
from overproof.events.split import split_events
from overproof.progress import terminal
from overproof.quantization.affine import fit
from overproof.quantization.calibrated_model import calibrate, split_calibration
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.models import open_model
from overproof.quantization.schemes import WEIGHTS_4
from overproof.results import Labelled, measure
from overproof.results.divergence import judge, truth

FLOAT = "FP32"
MIN_ROWS = 15


# Trained with the rounding: under the model's own float self, and under the teacher that the student learned from.
TRAINED = (("w8a8", "itself"), ("w4a8", "itself"), ("w4a8", "the teacher"))


def trained(precision: str, guide: str, seed: int) -> Path:
    """Where a student trained with the rounding lies."""
    return OUT / f"qat-{precision}-{guide.split()[-1]}-{seed}"


def qat(precision: str, guide: str, seed: int) -> dict[str, Any]:
    """Train one student with the rounding and return the report."""
    report = overproof.quantize(
        kept(STUDENT, seed),
        calibrate_on=[str(TRAIN)],
        test=[str(TEST)],
        precision=precision,
        qat=True,
        teacher=None if guide == "itself" else [str(TEACHER)],
        cache=OUT / "cache",
        out=trained(precision, guide, seed),
        seed=seed,
        console=terminal(),
    )
    return report.to_json()


def measured() -> dict[str, Any]:
    """Every way of rounding, on the students of every seed."""
    for seed in SEEDS:
        for precision, guide in TRAINED:
            once(trained(precision, guide, seed).name, lambda p=precision, g=guide, s=seed: qat(p, g, s))  # type: ignore[misc]
    test = overproof.load_events([TEST])
    teacher = load_teacher([str(TEACHER)])
    soft = cached_logits(teacher, test, OUT / "cache", lambda done: None)
    rows: dict[str, list[dict[str, Any]]] = {}
    bundles: list[int] = []
    for seed in SEEDS:
        quantizable = open_model(kept(STUDENT, seed))
        evaluation = EvaluationSet(quantizable, test)
        wanted = align(soft, teacher.classes, quantizable.classes)
        events = split_events(overproof.load_events([TRAIN]), seed=SPLIT_SEED, validation=0.1, test=0.0).train
        ready = calibrate(quantizable, split_calibration(events, seed=seed)[0], seed=seed)
        names = [layer.name for layer in ready.layers]
        minmax = {x.name: fit(x.values, WEIGHTS_4, axis=x.channel) for x in ready.layers}
        models = {
            FLOAT: quantizable.model,
            "w8a8, calibrated": ready.at(dict.fromkeys(names, "w8a8")),
            "w4a8, calibrated by min-max": type(ready)(quantizable, ready.layers, ready.ranges, minmax).at(
                dict.fromkeys(names, "w4a8")
            ),
            "w4a8, calibrated": ready.at(dict.fromkeys(names, "w4a8")),
        }
        found = {
            name: (quantizable.logits(model, evaluation.prepared), model.ByteSize()) for name, model in models.items()
        }
        for precision, guide in TRAINED:
            bundle = open_bundle(trained(precision, guide, seed))
            logits = OnnxScorer(bundle).score(test["text"].to_pylist()).logits
            found[f"{precision}, QAT under {guide}"] = logits, len(bundle.files[MODEL])
            bundles.append(sum(file.stat().st_size for file in bundle.path.iterdir()))
        before = found[FLOAT][0]
        for name, (logits, size) in found.items():
            rows.setdefault(name, []).append(_row(logits, before, wanted, quantizable, test) | {"bytes": size})
    return {"rows": rows, "events": test.num_rows, "smallest_bundle": min(bundles)}


def _row(logits: Any, before: Any, wanted: Any, quantizable: Any, test: pa.Table) -> dict[str, Any]:
    labels, families = test["label"].to_pylist(), test["family"].to_pylist()
    known = truth(before, quantizable.classes, quantizable.benign, labels, families_of(test))
    events = Labelled(labels, families, quantizable.benign)
    metrics, float_metrics = (measure(x, quantizable.classes, events, wanted) for x in (logits, before))
    lost = {
        name: float_metrics.families[name].k - share.k
        for name, share in metrics.families.items()
        if share.n >= MIN_ROWS
    }
    return {
        "accuracy": metrics.accuracy,
        "macro_f1": metrics.macro_f1,
        "flips": int((logits.argmax(1) != before.argmax(1)).sum()),
        "sqnr_db": judge(before, logits, known).sqnr_db,
        "kl_to_teacher": judge(wanted, logits, known).kl,
        "worst_family": max(lost.values()),
        "worst_name": max(lost, key=lambda name: lost[name]),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Means over the seeds with 95 % intervals; what is lost is lost against the same student in FP32."""
    head = ["", "logit SQNR, dB", "verdicts that flip", "most events lost by a family", "accuracy lost (points)"]
    head += ["macro-F1 lost (points)", "KL to the teacher", "ONNX bytes"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    base = result["rows"][FLOAT]
    for name, rows in result["rows"].items():
        lost = [
            [100 * (b[figure] - r[figure]) for b, r in zip(base, rows, strict=True)]
            for figure in ("accuracy", "macro_f1")
        ]
        cells = [name]
        if name == FLOAT:
            cells += [""] * 5
        else:
            cells.append(_span([r["sqnr_db"] for r in rows], 1))
            cells.append(f"{', '.join(str(r['flips']) for r in rows)} of {result['events']:,}")
            cells.append(", ".join(str(r["worst_family"]) for r in rows))
            cells += [_span(values, 2) for values in lost]
        cells.append(_span([r["kl_to_teacher"] for r in rows], 4))
        cells.append(f"{np.mean([r['bytes'] for r in rows]):,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"The smallest of these bundles has {result['smallest_bundle']:,} bytes, tokenizer and reports included.",
        ]
    )


def _span(values: list[float], digits: int) -> str:
    middle, low, high = interval(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"
