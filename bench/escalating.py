"""Measure the cascade on real payloads: what it misses against the full model alone, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from settings import OUT, TEST, TRAIN

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.bundle.scores import Floats, labels_of, softmax
from overproof.checks.base import FULL, CheckContext, ModelOutputs
from overproof.checks.escalation.halves import halves
from overproof.checks.stats import clopper_pearson, mcnemar
from overproof.events.sources import load_events
from overproof.inference.cascade import Full
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.full_model import open_full, reserve
from overproof.jobs.model_outputs import query_with_cache
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.samples import sample_of
from overproof.progress import terminal

TEACHER = OUT / "teacher"
BUNDLE = OUT / "field" / "http"
BATCH = 2048
TIMED, BLOCK = 480, 24


def made() -> dict[str, Any]:
    """Compress the student of the comparison once more, into a bundle with an embedding and its own thresholds."""
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        teacher=str(TEACHER),
        out=BUNDLE,
        cache=OUT / "cache",
        keep_fp32=BUNDLE.with_name("http-fp32"),
        console=terminal(),
    )
    return report.to_json()


def measured() -> dict[str, Any]:
    """Misses and false alarms of full model, student and cascade; what is escalated; what it costs."""
    events = load_events([TEST])
    texts: list[str] = events["text"].to_pylist()
    attack = np.array([label != "benign" for label in events["label"].to_pylist()])
    bundle = open_bundle(BUNDLE)
    known = _answers(events, bundle.manifest.classes)
    full = Full(bundle.manifest.classes, lambda asked: np.stack([known[text] for text in asked]), "teacher")
    # half of these events choose a threshold there, so that only the other half may be counted here
    report = overproof.check(BUNDLE, [TEST], full=str(TEACHER), cache=OUT / "cache", attack=0, console=terminal())
    answers = {FULL: ModelOutputs(np.stack([known[text] for text in texts]))}
    manifest = bundle.manifest
    verifying = ~halves(
        CheckContext(sample_of(events), manifest.classes, manifest.benign, answers, {}, 0.0, seed=report.seed)
    )
    settings = {
        "5 % of the events": (None, np.ones(len(texts), dtype=bool)),
        "the checklist's guarantee": (report.proof.policy.confidence, verifying),
    }
    rows = {name: _row(bundle, full, sure, texts, attack, part) for name, (sure, part) in settings.items()}
    times = _times([texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:TIMED]])
    for row in rows.values():
        row["cost"] = (times["student"] + row["escalated"] / row["events"] * times["full"]) / times["full"]
    return {"rows": rows, "times": times}


def _answers(events: pa.Table, classes: tuple[str, ...]) -> dict[str, Floats]:
    """Text to what the full model says of it."""
    ask = query_with_cache(open_full(str(TEACHER), classes), classes, cache=OUT / "cache", console=terminal())
    return dict(zip(events["text"].to_pylist(), softmax(ask(events, "events")), strict=True))


def _row(bundle: Any, full: Full, sure: float | None, texts: list[str], attack: Any, part: Any) -> dict[str, Any]:
    cascade = open_cascade(bundle, CascadeConfig(full=full))
    if sure is not None:  # taken alone: a check of published payloads decides not to deploy, and is refused as a whole
        cascade.policy = replace(cascade.policy, confidence=sure, basis="the threshold that the check found")
    verdicts: list[dict[str, Any]] = []
    for start in range(0, len(texts), BATCH):
        verdicts += cascade.judge(texts[start : start + BATCH])
    benign = bundle.manifest.benign
    names = np.array(bundle.manifest.classes)
    flagged = {
        "full": ~np.isin(names[labels_of(full.ask(texts), np.isin(names, benign))], benign),
        "student": np.array([v["student"]["label"] not in benign for v in verdicts]),
        "cascade": np.array([v["label"] not in benign for v in verdicts]),
    }
    attacks, others = attack & part, ~attack & part
    lost = int((attacks & flagged["full"] & ~flagged["cascade"]).sum())
    won = int((attacks & ~flagged["full"] & flagged["cascade"]).sum())
    status = np.array([v["status"] for v in verdicts])
    detected = int((attacks & flagged["full"]).sum())
    return {
        "basis": cascade.policy.basis,
        "threshold": cascade.policy.confidence,
        "events": int(part.sum()),
        "attacks": int(attacks.sum()),
        "benign": int(others.sum()),
        "missed": {name: int((attacks & ~of).sum()) for name, of in flagged.items()},
        "false_alarms": {name: int((others & of).sum()) for name, of in flagged.items()},
        "escalated": int((part & np.array([v["decided_by"] == "full" for v in verdicts])).sum()),
        "deferred": int((part & (status == "deferred")).sum()),
        "lost": lost,
        "won": won,
        "detected": detected,
        "lost_share": clopper_pearson(lost, detected).to_json(),
        "p": mcnemar(lost, won),
    }


def _times(texts: list[str]) -> dict[str, float]:
    """Seconds an event, of both models in alternating blocks on one core, each event by itself."""
    student = overproof.open(BUNDLE)
    full = reserve(open_full(str(TEACHER), student.classes))
    spent = {"student": 0.0, "full": 0.0}
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        for name, judge in (("student", student.score), ("full", full.ask)):
            judge(block[:1])  # what the other model left of the caches is not this one's doing
            begin = perf_counter()
            for text in block:
                judge([text])
            spent[name] += perf_counter() - begin
    return {name: seconds / len(texts) for name, seconds in spent.items()}


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of both settings."""
    names = list(result["rows"])
    rows = [result["rows"][name] for name in names]
    lines = [f"| threshold from | {' | '.join(names)} |", f"| --- |{' ---: |' * len(rows)}"]

    def line(what: str, cell: Any) -> None:
        lines.append(f"| {what} | {' | '.join(cell(row) for row in rows)} |")

    line("confidence below which an event is escalated", lambda r: f"{r['threshold']:.3f}")
    line("events, attacks", lambda r: f"{r['events']:,}, {r['attacks']:,}")
    line("escalated", lambda r: f"{r['escalated']:,} ({100 * r['escalated'] / r['events']:.2f} %)")
    line("deferred: over the budget of 5 %", lambda r: f"{r['deferred']:,}")
    for who in ("full", "student", "cascade"):
        line(f"attacks missed, {who}", lambda r, who=who: f"{r['missed'][who]:,}")
    for who in ("full", "student", "cascade"):
        line(f"benign flagged, {who}", lambda r, who=who: f"{r['false_alarms'][who]:,} of {r['benign']:,}")
    line("lost against the full model, won", lambda r: f"{r['lost']:,}, {r['won']:,}")
    line("share lost of those that it detects (95 %)", lambda r: _share(r["lost_share"]))
    line("exact McNemar test of the misses", lambda r: f"p = {r['p']:.2g}")
    line("cost, of always asking the full model", lambda r: f"{100 * r['cost']:.1f} %")
    return "\n".join(lines)


def _share(share: dict[str, float]) -> str:
    return f"{100 * share['value']:.2f} % ({100 * share['low']:.2f} … {100 * share['high']:.2f})"
