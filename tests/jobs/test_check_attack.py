"""The red team of `check` on a small bundle: what is attacked, what is not and why, and the flood that is replayed."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import overproof
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.checks.attacked import AttackSettings, FloodMix
from overproof.checks.report import CheckReport
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.cascade import Bucket, Cascade, Policy
from overproof.jobs.attack_replay import replay
from overproof.jobs.check_attack import PARSERS, why_not_attacked
from overproof.jobs.check_flood import Flood
from overproof.jobs.full_model import RemoteTeacher
from overproof.jobs.model_outputs import ModelQueries
from overproof.quantization.rewrite import quantize_model
from overproof.redteam.result import read_cases
from overproof.results.typed_json import NotMeasured

from ..conftest import Made, write_small
from .stand_ins import StandIn

PAYLOADS = [f"{n}' or {n}={n}--" for n in range(40)] + [f"1 union select {n},{n}#" for n in range(40)]
LETTERS = ["".join(chr(65 + (n * k) % 10) for k in range(1, 4 + n % 17)) for n in range(200)]
SURE = 0.52
CLASSES = ("benign", "sqli", "xss")


def sees_through(texts: Sequence[str]) -> Floats:
    """A full model that knows SQL from words."""
    hostile = np.array([any(c in text for c in "'#=") or "union" in text for text in texts])
    return np.where(hostile[:, None], [[0.01, 0.98, 0.01]], [[0.98, 0.01, 0.01]]).astype(np.float32)


FULL = StandIn(CLASSES, sees_through)


@pytest.fixture(scope="module")
def events(student: OnnxScorer) -> pa.Table:
    """What the untrained student happens to get right."""
    benign = [text for text in LETTERS if student.judge([text])[0].attack <= 0.5]
    assert len(benign) > 20
    labels = ["sqli"] * len(PAYLOADS) + ["benign"] * len(benign)
    return event_table({"text": [*PAYLOADS, *benign], "label": labels})


def checked(bundle: Path, events: pa.Table, cache: Path, **options: Any) -> CheckReport:
    """Check a bundle that passes on what it is least sure of; SQL is out of distribution for it by far."""
    given = {"full": FULL, "attack": 30, "accept_public_data": True, **options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.check.policy_for", lambda manifest, **_: Policy(confidence=SURE))
        return overproof.check(bundle, events, cache=cache, **given)


def gate(report: CheckReport, name: str) -> Any:
    return next(gate for gate in report.gates if gate.key == f"redteam/{name}")


@pytest.fixture(scope="module")
def fooled(made: Made, student: OnnxScorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that tells SQL from letters, and is fooled by comments: its head alone is fitted, in closed form."""
    comments = [text for payload in PAYLOADS for text in (f"{payload}/**/", payload.replace(" ", "/**/"))]
    texts = [*LETTERS, *PAYLOADS, *comments]
    wanted = np.array([0] * len(LETTERS) + [1] * len(PAYLOADS) + [0] * len(comments))
    scores, read = student.score_and_embed(texts)
    whole = scores.windows == 1
    given = np.c_[read, np.ones(len(read))][whole]
    weights, *_ = np.linalg.lstsq(given, np.where(wanted[whole, None] == np.arange(3), 2.0, -2.0), rcond=None)
    network = copy.deepcopy(made.network)
    network.head.weight.data = torch.tensor(weights[:-1].T, dtype=torch.float32)
    network.head.bias.data = torch.tensor(weights[-1], dtype=torch.float32)
    fp32, random = to_onnx(network), np.random.default_rng(0)
    feeds = [{"input_ids": random.integers(2, network.config.vocabulary, (16, n))} for n in (4, 12, 32)]
    planted = Made(network, fp32, quantize_model(fp32, feeds), made.tokenizer)
    return write_small(tmp_path_factory.mktemp("fooled") / "bundle", planted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proof")


@pytest.fixture(scope="module")
def report(small_bundle: Path, events: pa.Table, folder: Path) -> CheckReport:
    return checked(small_bundle, events, folder / "cache", out=folder / "out")


def test_the_checks_own_events_are_attacked_and_counted(
    report: CheckReport, student: OnnxScorer, events: pa.Table
) -> None:
    found = report.checks[-1].data.attacks
    assert report.proof.attack == report.checks[-1].data.settings and report.proof.attack.queries == 30
    texts = set(events["text"].to_pylist())
    assert found.cases and {case.original for case in found.cases} <= texts
    for case in found.cases:
        assert case.queries <= 30 and case.model == "distilled + INT8"
        if case.objective == "bypass":
            assert student.judge([case.edited])[0].attack <= 0.5 < student.judge([case.original])[0].attack
    (bypass,) = (one for one in found.falls if one.objective == "bypass")
    assert bypass.of.k == sum(case.objective == "bypass" for case in found.cases)
    assert found.past_cascade.k <= bypass.of.k and found.past_cascade.n == bypass.of.n
    assert gate(report, "cascade-bypass").value == found.past_cascade.k / found.past_cascade.n
    assert gate(report, "exclusive").message.startswith("unmeasured: no evidence was given")


def test_what_its_source_cut_is_not_attacked(small_bundle: Path, events: pa.Table, folder: Path) -> None:
    at = events.schema.get_field_index("overflow")
    cut = events.set_column(at, "overflow", pa.array([True] * events.num_rows))
    report = checked(small_bundle, cut, folder / "cache")
    found = report.checks[-1].data.attacks
    assert not [case for case in found.cases if case.objective == "bypass"]
    assert found.left_out["cut by its source, so that the full model has it"] > 0


def test_the_boundary_is_tried_by_proved_edits_of_the_red_team(report: CheckReport) -> None:
    found = report.checks[3].data.edits
    assert {edits.kind for edits in found if edits.proved} == {"sql", "plain"}
    assert all(set(edits.models) == {"full", "distilled + INT8"} for edits in found)
    assert "of them proved to keep what the event does) flip" in report.checks[3].gates[0].message


def test_a_success_is_a_case_that_can_be_replayed(report: CheckReport, small_bundle: Path, folder: Path) -> None:
    cases = read_cases(folder / "out" / "attack.jsonl")
    assert cases == report.checks[-1].data.attacks.cases
    assert replay(small_bundle, folder / "out" / "attack.jsonl").cases == len(cases)
    results = json.loads((folder / "out" / "check.sarif").read_text())["runs"][0]["results"]
    evaded = [result for result in results if result["ruleId"] in ("redteam/bypass", "redteam/evasion")]
    assert len(evaded) == sum(case.objective != "flood" for case in cases)
    assert cases and "<ins>" in (folder / "out" / "report.html").read_text()


def test_an_evasion_is_replayed_and_fools_only_who_is_fooled_by_it(
    fooled: Path, small_bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*PAYLOADS[:12], *LETTERS]
    events = event_table({"text": texts, "label": ["sqli"] * 12 + ["benign"] * len(LETTERS)})
    found = checked(fooled, events, folder / "cache", out=folder / "fooled", attack=10).checks[-1].data.attacks
    evasions = [case for case in found.cases if case.objective == "evasion"]
    (falls,) = (one for one in found.falls if one.objective == "evasion")
    assert len(evasions) == falls.of.k > 2
    for case in evasions:
        assert case.meaning == "proved" and case.full == pytest.approx(0.99, abs=1e-3) and case.steps
    monkeypatch.setattr("overproof.jobs.open_cascade.policy_for", lambda manifest, **_: Policy(confidence=SURE))
    again = replay(fooled, folder / "fooled" / "attack.jsonl").fooled
    assert [case for case in again if case.objective == "evasion"] == evasions
    assert not any(
        case.objective == "evasion" for case in replay(small_bundle, folder / "fooled" / "attack.jsonl").fooled
    )


def test_the_same_seed_finds_the_same(report: CheckReport, small_bundle: Path, events: pa.Table, folder: Path) -> None:
    assert checked(small_bundle, events, folder / "cache") == report


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"attack": 0}, "unmeasured: --attack 0"),
        ({"full": None}, "unmeasured: no full model was given"),
        ({"full": replace(FULL, labels_new_events=False)}, "unmeasured: the full model is a table of soft labels"),
    ],
)
def test_what_is_not_attacked_says_why(
    small_bundle: Path, events: pa.Table, folder: Path, options: dict[str, Any], why: str
) -> None:
    found = checked(small_bundle, events, folder / "cache", **options)
    for name in ("exclusive", "cascade-bypass", "flood"):
        assert gate(found, name).message.startswith(why) and not gate(found, name).closed
    assert isinstance(found.checks[-1].data.attacks, NotMeasured)


def test_servers_are_never_attacked() -> None:
    service = RemoteTeacher(TeacherCard("service", "s", None, None, "http", None), None)  # type: ignore[arg-type]
    queries = ModelQueries({}, None, full=service)  # type: ignore[arg-type]
    assert "never servers" in why_not_attacked(queries, AttackSettings(10, 10))


def test_a_missing_parser_leaves_unmeasured_what_needs_a_proof(
    small_bundle: Path, events: pa.Table, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.check_attack.find_spec", lambda name: None if name == "sqlglot" else name)
    found = checked(small_bundle, events, folder / "cache")
    for name in ("exclusive", "cascade-bypass"):
        why = "unmeasured: the package sqlglot is not installed (pip install 'overproof[attack]')"
        assert gate(found, name).message == why
    assert {case.objective for case in found.checks[-1].data.attacks.cases} <= {"flood"}


def test_the_parsers_are_those_of_the_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extra = {line.partition(">")[0] for line in project["optional-dependencies"]["attack"]}
    assert {name.replace("_", "-") for name in PARSERS} == extra - {"scipy"}


def test_a_number_of_queries_that_is_none_is_refused(small_bundle: Path, events: pa.Table, folder: Path) -> None:
    with pytest.raises(InputError, match="--attack -1: expected a whole number of queries, or 0 for none"):
        checked(small_bundle, events, folder / "cache", attack=-1)


@pytest.fixture
def flood(student: OnnxScorer) -> Flood:
    """A cascade of which some 60 benign events are decided by the student, among hostile ones that it passes on."""
    scores = student.score(PAYLOADS + LETTERS)
    sure = scores.confidence(1.0)
    order = np.argsort(-sure, kind="stable")  # the surest are benign here
    policy = Policy(confidence=float(np.sort(sure)[30]))
    full = np.tile(np.array([[0.2, 0.7, 0.1]], dtype=np.float32), (len(order), 1))
    return Flood(student, policy, 0.05, scores.take(order), full, 70, 3)


def test_a_flood_neither_exceeds_the_budget_nor_changes_a_verdict(flood: Flood) -> None:
    for mix in flood.mixes():
        assert (mix.over, mix.changed, mix.benign) == (0, 0, 70)
        assert mix.events == 70 + round(70 * mix.hostile_share / (1 - mix.hostile_share))
        assert mix.deferred >= mix.deferred_before


def test_a_budget_that_does_not_hold_is_seen(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.jobs.check_flood.Bucket", lambda rate: Bucket(None))
    assert flood.mixes()[-1].over > 10


def test_a_verdict_that_hangs_on_its_neighbours_is_seen(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Cascade.columns

    def swayed(cascade: Cascade, scores: Any, *rest: Any) -> Any:
        crowd = len(scores.logits) > 100
        return whole(cascade, replace(scores, logits=scores.logits[:, ::-1] if crowd else scores.logits), *rest)

    monkeypatch.setattr(Cascade, "columns", swayed)
    found: tuple[FloodMix, ...] = flood.mixes()
    assert found[0].changed == 0 and found[-1].changed > 10
