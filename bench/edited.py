"""Count the verdicts that harmless edits flip near the boundary, and those of events in long benign text.

Of the bundles that `students.py` makes: a student beside its teacher, MiniLM alone and the linear baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from accuracy import TEACHER
from numpy.typing import NDArray
from settings import OUT, SEEDS, once
from students import FOLDER, RECOMMENDED, comparison
from traffic import BENIGN, of_families, payloads, share, share_cell, without_families

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.checks.boundary.compute import NEAREST
from overproof.checks.boundary.edits import variants_of
from overproof.checks.stats import Units, difference_within
from overproof.distillation.baseline import fit_baseline
from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.events.schema import event_table
from overproof.jobs.check import CHARACTERS_PER_TOKEN

SEPARATORS = ("&", "; ", ", ", "|", "\n")
LISTS, VALUES, BEFORE = 300, 20, 10  # lists, benign values in one, and benign values before an attack

Margins = NDArray[np.float64]  # log of the odds that it is an attack, shape (texts,): above 0 it is flagged
Model = Callable[[Sequence[str]], Margins]


def margins(logits: NDArray[np.float32], classes: Sequence[str]) -> Margins:
    """Return the log of the odds that each text is an attack."""
    innocent = np.array([name == BENIGN for name in classes])
    wide = logits.astype(np.float64)
    return np.asarray(np.logaddexp.reduce(wide[:, ~innocent], axis=1) - np.logaddexp.reduce(wide[:, innocent], axis=1))


def of_student(student: str, seed: int) -> Model:
    """Return a student's margins as a function of texts."""
    scorer = overproof.open(FOLDER / f"{student}-{seed}")
    return lambda texts: margins(scorer.score(texts).logits, scorer.classes)


def of_full(specifications: list[str]) -> Model:
    """Return a teacher's margins as a function of texts."""
    full = load_teacher(specifications)
    return lambda texts: margins(cached_logits(full, event_table({"text": list(texts)}), OUT / "cache"), full.classes)


def of_baseline() -> Model:
    """Return the linear baseline's margins as a function of texts."""
    learned = payloads("train")
    baseline = fit_baseline(learned["text"].to_pylist(), learned["label"].to_pylist(), seed=0)
    return lambda texts: margins(baseline.logits(texts), baseline.classes)


def of_teacher(student: str, seed: int) -> Model:
    """Return the margins of the average that a student learned from."""
    return of_full([str(TEACHER), str(FOLDER / f"{student}-{seed}.ngram-teacher")])


def edits(student: str, seed: int) -> dict[str, Any]:
    """Edit the events nearest to the boundary of student or teacher, and tell which verdicts of each that flips."""
    comparison(student, seed)
    events = payloads("test")
    texts: list[str] = events["text"].to_pylist()
    models = {"student": of_student(student, seed), "teacher": of_teacher(student, seed)}
    plain = {name: model(texts) for name, model in models.items()}
    nearest = np.sort(np.argsort(np.min([np.abs(m) for m in plain.values()], axis=0), kind="stable")[:NEAREST])
    window = open_bundle(FOLDER / f"{student}-{seed}").manifest.windowing.size * CHARACTERS_PER_TOKEN
    filler = max(of_families(events, [BENIGN])["text"].to_pylist(), key=len)
    variants = variants_of(texts, nearest.tolist(), window_characters=window, filler=filler)
    rows = [variant.row for variant in variants]
    changed = [variant.text for variant in variants]
    flipped = {name: (model(changed) > 0) != (plain[name][rows] > 0) for name, model in models.items()}
    return {"rows": rows, **{name: flips.tolist() for name, flips in flipped.items()}}


def lists(seed: int = 0) -> dict[str, list[list[str]]]:
    """Draw lists of benign test values, and attacks behind some."""
    random, events = np.random.default_rng(seed), payloads("test")
    harmless = of_families(events, [BENIGN])["text"].to_pylist()
    attacks = without_families(events, [BENIGN])["text"].to_pylist()
    return {
        "benign": [random.choice(harmless, VALUES).tolist() for _ in range(LISTS)],
        "attack": [[*random.choice(harmless, BEFORE), str(random.choice(attacks))] for _ in range(LISTS)],
    }


def in_lists(model: Model) -> dict[str, list[bool]]:
    """Tell which lists a model flags, and which hold a value that it flags alone."""
    drawn = lists()
    found: dict[str, list[bool]] = {}
    for name, several in drawn.items():
        texts = [SEPARATORS[k % len(SEPARATORS)].join(values) for k, values in enumerate(several)]
        found[name] = (model(texts) > 0).tolist()
    alone = model([value for values in drawn["benign"] for value in values]) > 0
    found["alone"] = [bool(flags.any()) for flags in np.split(alone, LISTS)]
    return found


def measured() -> dict[str, Any]:
    """Everything this file measures, by student and seed."""
    result: dict[str, Any] = {"edits": {}, "lists": {}}
    for student in RECOMMENDED:
        result["edits"][student] = [once(f"edits-{student}-{seed}", partial(edits, student, seed)) for seed in SEEDS]
    rows: dict[str, list[tuple[str, Callable[[], Model]]]] = {
        "MiniLM": [("minilm", lambda: of_full([str(TEACHER)]))],
        "MiniLM and an n-gram network": [("teacher", lambda: of_teacher(RECOMMENDED[0], 0))],
        "linear baseline": [("baseline", of_baseline)],
    }
    for student in RECOMMENDED:
        rows[f"{student} INT8"] = [(f"{student}-{seed}", partial(of_student, student, seed)) for seed in SEEDS]
    for title, models in rows.items():
        result["lists"][title] = [once(f"lists-{name}", lambda make=make: in_lists(make())) for name, make in models]  # type: ignore[misc]
    return result


def to_markdown(result: dict[str, Any]) -> str:
    """Write two tables: flips by edits, and events in long text."""
    head = ["harmless edits of the 200 events nearest to the boundary", "edits", "flip the student", "its teacher"]
    head.append("student \N{MINUS SIGN} teacher, points")
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for student, of_seeds in result["edits"].items():
        lines += [_edits_row(f"{student} INT8, seed {seed}", found) for seed, found in enumerate(of_seeds)]
    head = [f"long text, {LISTS} lists each", f"{VALUES} benign values, flagged", "and no value is flagged alone"]
    head.append(f"attack behind {BEFORE} benign values, found")
    lines += ["", f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for title, of_seeds in result["lists"].items():
        flagged, alone, found = (np.array([one[key] for one in of_seeds]) for key in ("benign", "alone", "attack"))
        cells = [flagged.mean(axis=0), (flagged & ~alone).mean(axis=0), found.mean(axis=0)]
        lines.append(f"| {title} | {' | '.join(share_cell(share(one)) for one in cells)} |")
    return "\n".join(lines)


def _edits_row(title: str, found: dict[str, Any]) -> str:
    student, teacher = (np.array(found[name]) for name in ("student", "teacher"))
    apart = difference_within(student.astype(np.int8) - teacher, Units.of(len(student), found["rows"]))
    low, value, high = (100 * x for x in (apart.low, apart.value, apart.high))
    cells = [f"{len(student):,}", f"{100 * student.mean():.1f} %", f"{100 * teacher.mean():.1f} %"]
    return f"| {title} | {' | '.join(cells)} | {value:.1f} ({low:.1f} … {high:.1f}) |"
