"""A bundle of two students is checked, and deployed with its check, as any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import FIRST, MODEL, Bundle, Manifest, digest, open_bundle, write_bundle
from overproof.bundle.tiers import TieredScorer, open_student
from overproof.checks.escalation.result import Escalation, TierTrade
from overproof.checks.report import CheckReport
from overproof.errors import InputError
from overproof.inference.cascade.signals import signals
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import CascadeConfig, TriageConfig
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.triage import triage

from .stand_ins import StandIn, drawn, right
from .test_checked import Proven, checked, write_gates


@pytest.fixture(scope="module")
def proven(tiered_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    folder = tmp_path_factory.mktemp("proven")
    bundle = open_bundle(tiered_bundle)
    student = open_student(bundle)
    events = drawn(student)  # type: ignore[arg-type]
    scores = student.score(events["text"].to_pylist())
    usual = signals(scores.logits, bundle.manifest.calibration, scores.ood_distance, scores.benign)
    write_bundle(folder / "bundle", replace(bundle.manifest, signals=usual), bundle.files)
    write_gates(folder / "gates.toml")
    full = StandIn(student.classes, right(events, student))  # type: ignore[arg-type]
    report = checked(folder, events, full, folder / "proof")
    assert report.decision == "deploy with escalation", report.render()
    return Proven(folder, student, events, full, report)  # type: ignore[arg-type]


def trade_of(report: CheckReport) -> TierTrade:
    (data,) = (check.data for check in report.checks if isinstance(check.data, Escalation))
    assert data.tiers is not None
    return data.tiers


def test_what_was_checked_is_what_runs(proven: Proven) -> None:
    cascade = proven.opened()
    assert isinstance(cascade.student, TieredScorer)
    assert cascade.policy.promise is not None and cascade.policy.promise.limit == 0.02
    assert CheckReport.read(proven.folder / "proof" / "check.json") == proven.report


def test_the_curve_at_the_sealed_point_is_what_the_cascade_does(proven: Proven) -> None:
    """Share decided at each tier, and attacks missed there: by the very cascade that is deployed."""
    trade, texts = trade_of(proven.report), proven.events["text"].to_pylist()
    at = trade.points[trade.sealed]
    attack = np.array([label != "benign" for label in proven.events["label"].to_pylist()])
    verdicts = proven.opened(max_escalations=None).judge(texts)
    policy = proven.opened().policy
    cascade = open_cascade(proven.bundle, CascadeConfig(full=proven.full, check=proven.folder / "proof" / "check.json"))
    assert cascade.policy == policy
    scores = cascade.student.score(texts)
    from overproof.inference.cascade.policy import deferrals

    sent = np.zeros(len(texts), dtype=bool)
    sent[deferrals(scores, policy).rows] = True
    assert scores.tier is not None and len(verdicts) == len(texts)
    missed = attack & (scores.labels == 0) & ~sent
    assert at.decided["full"] == pytest.approx(sent.mean())
    for name, tier in (("first", 1), ("second", 2)):
        assert at.decided[name] == pytest.approx((~sent & (scores.tier == tier)).mean())
        assert at.missed[name] == (missed & (scores.tier == tier)).sum()
    assert at.missed["full"] == 0, "the full model of this test is always right"
    assert at.decided["first"] > 0.1 and at.decided["second"] > 0.1
    assert trade.lost is not None and trade.lost.value == pytest.approx(sum(at.missed.values()) / trade.attacks)
    sealed = open_bundle(proven.folder / "bundle").manifest.first
    assert sealed is not None and (at.benign, at.attack) == (sealed.benign, sealed.attack)
    assert trade.seconds == sealed.chosen["seconds"]


def test_the_curve_goes_from_nothing_to_all_that_the_first_may_decide(proven: Proven) -> None:
    trade = trade_of(proven.report)
    shares = [point.decided["first"] for point in trade.points]
    assert shares == sorted(shares) and shares[0] == 0 and len(trade.points) > 10
    assert all(sum(point.decided.values()) == pytest.approx(1) for point in trade.points)
    assert 0 < trade.sealed < len(trade.points) - 1


def test_the_report_draws_it(proven: Proven) -> None:
    page = (proven.folder / "proof" / "report.html").read_text()
    for words in ("Attacks missed by share decided", "first student", "certified together", "Share decided"):
        assert words in page


def test_triage_with_that_check_says_who_decided(proven: Proven, tmp_path: Path) -> None:
    lines, out = tmp_path / "events.txt", tmp_path / "verdicts.jsonl"
    lines.write_text("\n".join(proven.events["text"].to_pylist()[:300]))
    config = CascadeConfig(full=proven.full, check=proven.folder / "proof" / "check.json")
    summary = triage(TriageConfig(proven.folder / "bundle", Request((str(lines),), out=str(out)), config))
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    assert {verdict["student"]["tier"] for verdict in verdicts} == {1, 2}
    by_first = sum(v["decided_by"] == "student" and v["student"]["tier"] == 1 for v in verdicts)
    assert f"{by_first:,} of the student's by the first of its two" in summary.render()


def changed(proven: Proven, out: Path, change: Callable[[Manifest, dict[str, bytes]], Manifest]) -> Bundle:
    bundle = open_bundle(proven.folder / "bundle")
    files = dict(bundle.files)
    manifest = change(bundle.manifest, files)
    write_bundle(out, replace(manifest, files={name: digest(content) for name, content in files.items()}), files)
    return open_bundle(out)


def test_a_proof_names_a_first_student_that_is_another(proven: Proven, first_bundle: Path, tmp_path: Path) -> None:
    def other_model(manifest: Manifest, files: dict[str, bytes]) -> Manifest:
        files[f"{FIRST}{MODEL}"] = files[MODEL]
        return manifest

    def bolder(manifest: Manifest, files: dict[str, bytes]) -> Manifest:
        assert manifest.first is not None
        return replace(manifest, first=replace(manifest.first, benign=0.1))

    with pytest.raises(InputError, match=r"proof of something else: its first\.model\.onnx is another file"):
        proven.opened(changed(proven, tmp_path / "a", other_model))
    with pytest.raises(InputError, match=r"proof of something else: its (entry first is not|first differs)"):
        proven.opened(changed(proven, tmp_path / "b", bolder))


def test_neither_student_may_be_the_full_model(proven: Proven, first_bundle: Path) -> None:
    for name in (first_bundle, proven.folder / "bundle"):
        with pytest.raises(InputError, match="is the student that is checked"):
            proven.check(full=str(name))


def test_a_bundle_of_one_student_has_no_such_curve(small_bundle: Path, proven: Proven, tmp_path: Path) -> None:
    (tmp_path / "bundle").symlink_to(small_bundle)
    write_gates(tmp_path / "gates.toml")
    report = checked(tmp_path, proven.events, proven.full, None)
    (data,) = (check.data for check in report.checks if isinstance(check.data, Escalation))
    assert data.tiers is None
