"""Measure whether the spans that explain an alert carry its verdict, and what an explanation costs.

Of 1,000 alerts among the test payloads, as the check asks of 300: the attack score without the span that was named
first, against that without another place of its length, drawn at random. The students are small ones, of the n-gram
teacher: one that counts n-grams and one that is an encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from settings import OUT, TEST, TRAIN

import overproof
from overproof.bundle.scores import Scorer, Scores
from overproof.checks.explanation.compute import KEY
from overproof.checks.explanation.result import Alerts, Faithfulness
from overproof.events.sources import load_events
from overproof.inference.explanation import explain
from overproof.jobs import check_explanations
from overproof.report.words import interval
from overproof.results.typed_json import from_json, to_json

NAME = "explanations"
FOLDER = OUT / NAME
EPOCHS = {"ngram-student": None, "tiny-student": 2}
ALERTS = 1_000
TIMED = 200  # of them, one by one


class _Counted:
    """A model that counts what it is asked."""

    def __init__(self, scorer: Scorer) -> None:
        self.classes, self._scorer = scorer.classes, scorer
        self.questions = 0

    def score(self, texts: Sequence[str]) -> Scores:
        self.questions += len(texts)
        return self._scorer.score(texts)


def measured() -> dict[str, Any]:
    """Explain alerts of every student, and time some."""
    return {student: _of(student) for student in EPOCHS}


def _of(student: str) -> dict[str, Any]:
    bundle = FOLDER / student
    if not bundle.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        overproof.compress([TRAIN], test=[TEST], teacher=["ngram"], student=student, epochs=EPOCHS[student], out=bundle)
    check_explanations.EXPLAINED = ALERTS
    report = overproof.check(bundle, [TEST], full=f"{bundle}.ngram-teacher", attack=0, accept_public_data=True, seed=0)
    found = next(check.data for check in report.checks if check.key == KEY)
    return {"alerts": to_json(found.alerts), "cost": _cost(bundle)}


def _cost(bundle: Path) -> dict[str, list[float]]:
    """Return what each explanation takes alone: questions, and seconds."""
    student = overproof.open(bundle)
    scorer = _Counted(student)
    texts: list[str] = load_events([TEST])["text"].to_pylist()
    flagged = [text for text, verdict in zip(texts, student.judge(texts), strict=True) if verdict.attack > 0.5]
    drawn = [flagged[i] for i in np.random.default_rng(0).permutation(len(flagged))[:TIMED]]
    cost: dict[str, list[float]] = {"questions": [], "seconds": [], "characters": list(map(len, drawn))}
    for text in drawn:
        before, begin = scorer.questions, perf_counter()
        explain(scorer, [text])
        cost["seconds"].append(perf_counter() - begin)
        cost["questions"].append(scorer.questions - before)
    return cost


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of what the spans carry, and one of what they cost."""
    heads = ("student", "verdict of", "alerts", "fall more than at random [95 %]", "no alert without", "random one")
    lines = [f"| {' | '.join(heads)} |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    costs = ["| student | questions an alert, median | 95th percentile | ms an alert, median | 95th percentile |"]
    costs.append("| --- | ---: | ---: | ---: | ---: |")
    for student, found in result.items():
        alerts = from_json(Alerts, found["alerts"])
        lines += [_row(student, model, carried) for model, carried in alerts.models.items()]
        lines.append(f"| | not compared | {alerts.whole} | the span is the whole event | | |")
        numbers = [f"{x:,.0f}" for x in _middle(found["cost"]["questions"])]
        times = [f"{1000 * x:.1f}" for x in _middle(found["cost"]["seconds"])]
        costs.append(f"| {student} | {' | '.join([*numbers, *times])} |")
    return "\n".join([*lines, "", *costs])


def _middle(values: list[float]) -> tuple[float, float]:
    return median(values), float(np.quantile(values, 0.95))


def _row(student: str, model: str, found: Faithfulness) -> str:
    shares = [f"{found.k:,}: {interval(found.share)}", interval(found.cleared), interval(found.cleared_random)]
    return f"| {student} | {model} | {found.n:,} | {' | '.join(shares)} |"
