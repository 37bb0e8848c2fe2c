"""Triage of a bundle of two students: verdicts and summary say which of them decided."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from overproof.bundle.manifest import open_bundle
from overproof.bundle.tiers import open as open_student
from overproof.events.schema import event_table
from overproof.inference.cascade import Cascade, Full, Policy
from overproof.inference.service.loaded_bundle import LoadedBundle
from overproof.inference.sinks import VerdictBatch
from overproof.inference.sinks.severity import severities
from overproof.inference.stream.summary import Summary, Tally

TEXTS = ["".join("ABCDEFGHIJ "[(i * k) % 11] for k in range(3 + i % 17)) for i in range(200)]


def cascade(bundle: Path) -> Cascade:
    student = open_student(bundle)
    full = Full(student.classes, lambda texts: open_student(bundle).score(texts).probabilities, "full")
    return Cascade(student, full, Policy(confidence=0.45, temperature=1.5))


def test_verdicts_say_which_student_decided(tiered_bundle: Path, small_bundle: Path) -> None:
    found = cascade(tiered_bundle).judge(TEXTS)
    tiers = open_student(tiered_bundle).score(TEXTS).tier
    assert tiers is not None and [verdict["student"]["tier"] for verdict in found] == tiers.tolist()
    assert {verdict["decided_by"] for verdict in found} == {"student", "full"}
    assert all(verdict["student"]["tier"] is None for verdict in cascade(small_bundle).judge(TEXTS[:3]))
    json.dumps(found)


def test_a_verdict_names_both_models(tiered_bundle: Path) -> None:
    first, second = (open_bundle(tiered_bundle).files[name] for name in ("first.model.onnx", "model.onnx"))
    import hashlib

    named = "+".join(hashlib.sha256(content).hexdigest()[:16] for content in (first, second))
    assert cascade(tiered_bundle).models["student"] == named


def test_the_summary_counts_what_each_student_decided(tiered_bundle: Path) -> None:
    tally, judging = Tally(), cascade(tiered_bundle)
    scores = judging.student.score(TEXTS)
    decision = judging.decide(scores)
    columns = judging.columns(scores, decision, judging.ask([TEXTS[i] for i in decision.escalated]))
    events = event_table({"text": TEXTS}).combine_chunks().to_batches()[0]
    batch = VerdictBatch(events, columns, np.arange(len(TEXTS)))
    tally.add(batch, severities(columns, ("benign",)))
    verdicts = list(batch)
    counted = Counter(str(v["student"]["tier"]) for v in verdicts if v["decided_by"] == "student")
    assert tally.counts["tier"] == counted and set(counted) == {"1", "2"}
    assert Tally.from_json(json.loads(json.dumps(tally.to_json()))).counts == tally.counts
    before = {name: value for name, value in tally.to_json().items() if name != "tier"}
    assert not Tally.from_json(before).counts["tier"], "a run that an older version broke off goes on"
    shown = Summary(tally, {}, None, 0, 1.0, "b", None, {}, "out").render()
    assert f"({counted['1']:,} of the student's by the first of its two, {counted['2']:,} by the second)" in shown


def test_the_services_page_shows_the_windows_of_who_decides(tiered_bundle: Path) -> None:
    loaded, student = LoadedBundle(cascade(tiered_bundle)), open_student(tiered_bundle)
    scores = student.score(TEXTS[:40])
    attack = student.attack(scores.probabilities)
    for i, shown in enumerate(loaded.look(TEXTS[:40])):
        (window,) = [window for window in shown["windows"] if window["decides"]]
        assert window["label"] == scores.classes[int(scores.labels[i])]
        if scores.tier is not None and scores.tier[i] == 2:
            assert abs(window["attack"] - float(attack[i])) < 1e-6
