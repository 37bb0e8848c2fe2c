"""`attack` on a small bundle: what is attacked, what is counted, what is written, and that a run goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import overproof
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.errors import BundleError, InputError
from overproof.events.schema import event_table
from overproof.inference.cascade import Cascade
from overproof.jobs.attack import CASES, REPORT, _decisive
from overproof.jobs.attack_config import AttackConfig
from overproof.jobs.attack_journal import JOURNAL
from overproof.jobs.attack_targets import Targets
from overproof.redteam.campaign import Campaign, Target
from overproof.redteam.mutate.words import WORDS
from overproof.redteam.page import page
from overproof.redteam.result import AttackReport, read_cases

from .stand_ins import StandIn

PAYLOADS = [f"{n}' or {n}={n}--" for n in range(40)] + [f"1 union select {n},{n}#" for n in range(40)]


@pytest.fixture(scope="module")
def events(student: OnnxScorer) -> pa.Table:
    """SQL that the untrained student happens to call an attack, and a few events of a family without edits."""
    texts = [text for text in PAYLOADS if student.judge([text])[0].attack > 0.5]
    assert len(texts) > 20
    odd = ["beep boop", "boop beep"]
    labels = ["sqli"] * len(texts) + ["xss", "xss"]
    families = ["sqli"] * len(texts) + ["telepathy"] * 2
    return event_table({"text": [*texts, *odd], "label": labels, "family": families})


def sees_through(texts: Sequence[str]) -> Floats:
    """A full model that calls everything an attack."""
    return np.tile(np.array([0.01, 0.98, 0.01], dtype=np.float32), (len(texts), 1))


FULL = StandIn(("benign", "sqli", "xss"), sees_through)


def attacked(bundle: Path, events: pa.Table, **options: Any) -> AttackReport:
    given = {"full": FULL, "budget": 40, "objectives": ["blind-spot"], "sample": 30, "triggers": 0, **options}
    return overproof.attack(bundle, events, **given)


@pytest.fixture(scope="module")
def report(small_bundle: Path, events: pa.Table) -> AttackReport:
    return attacked(small_bundle, events)


def test_every_search_is_spent_and_counted(report: AttackReport) -> None:
    assert [(row.search, row.model) for row in report.rows] == [
        ("bandit", "distilled + INT8"),
        ("random", "distilled + INT8"),
    ]
    for row in report.rows:
        assert list(row.at) == ["10", "40"]
        assert row.at["10"].value <= row.at["40"].value
        assert row.at["40"].n == report.families["sqli"]
        assert row.at["40"].low <= row.at["40"].value <= row.at["40"].high
        assert row.families["sqli"] == row.at["40"]
    assert report.exclusive == () and report.transfer == {}, "there is no other model"
    assert report.left_out["no edits for the family telepathy"] == 2


def test_a_success_is_an_attack_that_the_student_alone_calls_benign(
    report: AttackReport, student: OnnxScorer, events: pa.Table
) -> None:
    assert report.cases, "an untrained student is fooled by something"
    originals = dict(zip(events["text"].to_pylist(), events["origin"].to_pylist(), strict=True))
    for case in report.cases:
        assert student.judge([case.original])[0].attack > 0.5 >= student.judge([case.edited])[0].attack
        assert case.origin == originals[case.original]
        assert case.queries <= 40 and case.steps and case.full is not None and case.full > 0.5
    counted = {row.search: round(row.at["40"].value * row.at["40"].n) + row.unproved for row in report.rows}
    for search, count in counted.items():
        assert count == sum(case.search == search for case in report.cases)


def test_the_same_seed_gives_the_same_and_another_does_not(
    report: AttackReport, small_bundle: Path, events: pa.Table
) -> None:
    assert attacked(small_bundle, events) == report
    assert attacked(small_bundle, events, seed=1).cases != report.cases


def test_what_is_written_can_be_read_and_replayed(
    report: AttackReport, small_bundle: Path, first_bundle: Path, events: pa.Table, tmp_path: Path
) -> None:
    attacked(small_bundle, events, out=tmp_path)
    assert read_cases(tmp_path / CASES) == report.cases
    assert json.loads((tmp_path / REPORT).read_text()) == report.to_json()
    assert not (tmp_path / JOURNAL).exists()
    again = overproof.replay(small_bundle, tmp_path / CASES)
    assert not again.passed and again.fooled == report.cases
    assert overproof.replay(first_bundle, tmp_path / CASES).cases == len(report.cases)


def test_a_run_that_was_cut_off_goes_on_where_it_was(
    report: AttackReport, small_bundle: Path, events: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.attack.WAVE", 10)
    whole, ran = Campaign.run, []

    def counted(campaign: Campaign, targets: Any) -> Any:
        if len(ran) == 4:
            raise KeyboardInterrupt
        ran.append(campaign.search)
        return whole(campaign, targets)

    monkeypatch.setattr(Campaign, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        attacked(small_bundle, events, out=tmp_path)
    assert not (tmp_path / CASES).exists()
    with open(tmp_path / JOURNAL, "a") as file:
        file.write('{"wave": [1], "attempts": 3}\n[]\n' + "[" * 10_000 + '\n{"wave": "half a li')
    before, ran[:] = len(ran), []
    monkeypatch.setattr(
        Campaign, "run", lambda campaign, targets: ran.append(campaign.search) or whole(campaign, targets)
    )
    assert attacked(small_bundle, events, out=tmp_path) == report
    assert before == 4 and len(ran) == 2 * -(-report.events // 10) - 4


def test_a_run_is_known_by_all_that_its_events_are(student: OnnxScorer) -> None:
    """The family decides which edits an event gets."""
    one = Target(0, "1 or 1=1", "sqli", "sql", True)
    deployed: Any = SimpleNamespace(evidence=(), cascade=Cascade(student))
    found = [
        _decisive(AttackConfig(()), deployed, Targets((each,), (), {}))
        for each in (one, replace(one), replace(one, family="xss"), replace(one, domain="html"))
    ]
    assert found[0] == found[1]
    assert found[0] not in found[2:]
    assert json.dumps(found[0])  # as the journal keeps it


def test_another_run_does_not_go_on_with_what_is_left(small_bundle: Path, events: pa.Table, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text('{"budget": 1}\n{"wave": "blind-spot by evolution", "attempts": []}\n')
    assert attacked(small_bundle, events, out=tmp_path).events > 0


@pytest.mark.parametrize("line", ["[" * 100_000, "{}", "1", '{"text": 1}', '"a\\nb"'])
def test_a_line_that_is_no_case_is_refused_by_its_number(line: str, tmp_path: Path) -> None:
    (tmp_path / CASES).write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=r"attack\.jsonl:2: no case") as refused:
        read_cases(tmp_path / CASES)
    assert "\n" not in str(refused.value)


def test_only_what_all_get_right_is_attacked(small_bundle: Path, events: pa.Table) -> None:
    def half(texts: Sequence[str]) -> Floats:
        found = sees_through(texts)
        found[["union" in text for text in texts]] = [0.9, 0.05, 0.05]
        return found

    found = attacked(small_bundle, events, full=StandIn(FULL.classes, half))
    assert found.left_out["the full model gets it wrong as it is"] > 0
    assert all("union" not in case.original for case in found.cases)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"objectives": ["world peace"]}, "--objective world peace: expected one of evasion"),
        ({"searches": ["luck"]}, "--search luck: expected one of random"),
        ({"budget": 0}, "--budget 0: expected a whole number from 1 on"),
        ({"families": ["xyz"]}, "--family xyz: expected one of sqli, telepathy"),
        ({"families": ["telepathy"]}, "no event can be attacked.*no edits for the family telepathy"),
        ({"objectives": ["grid"]}, "--objective grid: expected --evidence too"),
        ({"full": "https://example.com/score"}, "never servers"),
    ],
)
def test_what_cannot_be_attacked_is_refused(
    small_bundle: Path, events: pa.Table, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        attacked(small_bundle, events, **options)


def test_servers_are_never_attacked(events: pa.Table) -> None:
    with pytest.raises(InputError, match="never servers"):
        attacked(Path("https://example.com"), events)


def test_a_place_that_is_no_folder_and_a_bundle_that_is_none_are_refused(
    small_bundle: Path, events: pa.Table, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; expected a folder"):
        attacked(small_bundle, events, out=tmp_path / "file")
    with pytest.raises(BundleError):
        attacked(tmp_path, events)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "holds no case"),
        ("nonsense\n", r"attack\.jsonl:1: no case of `overproof attack`"),
        ('{"objective": "evasion"}\n', r"attack\.jsonl:1: no case of `overproof attack` \(search: Field required"),
    ],
)
def test_cases_that_are_none_are_refused(small_bundle: Path, tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / CASES).write_text(content)
    with pytest.raises(InputError, match=expected):
        overproof.replay(small_bundle, tmp_path / CASES)


def test_cases_that_are_not_there_are_named(small_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.*expected attack\.jsonl"):
        overproof.replay(small_bundle, tmp_path / "nowhere")


def test_false_alarms_and_floods_are_looked_for_among_benign_events(small_bundle: Path, student: OnnxScorer) -> None:
    words = [*WORDS, *(" ".join(pair) for pair in pairwise(WORDS))]
    texts = [text for text in words if student.judge([text])[0].attack <= 0.5]
    assert len(texts) > 5
    table = event_table({"text": texts, "label": ["benign"] * len(texts)})
    found = attacked(small_bundle, table, full=None, objectives=["false-alarm", "flood"], searches=["bandit"])
    assert {row.objective for row in found.rows} == {"false-alarm", "flood"}
    for case in found.cases:
        verdict = student.judge([case.edited])[0]
        assert case.domain == "plain" and case.meaning == "proved"
        assert (verdict.attack > 0.5) == (case.objective == "false-alarm") or case.objective == "flood"
    assert found.families == {"benign": found.events}


def test_blind_spots_of_unlabelled_events_are_told(small_bundle: Path, student: OnnxScorer, events: pa.Table) -> None:
    """A full model that lets pass what the student calls an attack, wherever a word stands, and else agrees."""
    random = np.random.default_rng(0)
    letters = ["".join(random.choice(list("ABCDEFGHIJ "), 12)) for _ in range(400)]
    texts = [text + " kumquat" * (row % 4 == 0) for row, text in enumerate(letters)]

    def agrees_but(asked: Sequence[str]) -> Floats:
        found = student.score(list(asked)).probabilities.copy()
        odd = np.array(["kumquat" in text for text in asked]) & (student.attack(found) > 0.5)
        found[odd] = [0.9, 0.05, 0.05]
        return found

    flagged = student.attack(student.score(texts).probabilities) > 0.5
    assert sum(flagged[::4]) > 40 < sum(~flagged), "else there is nothing to part on"
    full = StandIn(FULL.classes, agrees_but)
    found = attacked(small_bundle, events, full=full, budget=5, unlabelled=event_table({"text": texts}))
    assert found.blind_spots is not None and found.blind_spots.events == 400
    assert found.blind_spots.missed == 0 < found.blind_spots.false_alarms
    assert "kumquat" in "".join(found.blind_spots.regions[0].ngrams)
    assert "kumquat" in found.render() and "kumquat" in page(found)
    with pytest.raises(InputError, match="--unlabelled: expected --full too"):
        attacked(small_bundle, events, full=None, unlabelled=event_table({"text": texts}))


def test_words_that_make_any_attack_benign_are_looked_for(small_bundle: Path, student: OnnxScorer) -> None:
    """Of the events' own words and the bundle's tokens; an untrained student has no trigger, and some words do more."""
    random = np.random.default_rng(1)
    letters = ["".join(random.choice(list("ABCDEFGHIJ =<"), 14)) for _ in range(400)]
    texts = [text for text in letters if student.judge([text])[0].attack > 0.5]
    table = event_table({"text": [*texts, *PAYLOADS], "label": ["sqli"] * (len(texts) + len(PAYLOADS))})
    found = attacked(small_bundle, table, budget=2, sample=3, searches=["random"], triggers=3000).triggers
    assert found is not None and found.searched == 32 and found.verified > 40
    assert 100 < found.candidates <= 400 and found.queries > 1000
    assert all(one.felled.n == found.verified for one in (*found.held, *found.ordinary))
    report = attacked(small_bundle, table, budget=2, sample=3, searches=["random"], triggers=3000)
    assert report.triggers == found, "the same seed finds the same"
    assert "Triggers: " in report.render() and "Words that make any attack benign" in page(report)
    assert report.to_json()["triggers"]["candidates"] == found.candidates
    none = attacked(small_bundle, table, budget=2, sample=3, searches=["random"])
    assert none.triggers is None and "Triggers" not in none.render()
    with pytest.raises(InputError, match="--triggers -1: expected a whole number from 0 on"):
        attacked(small_bundle, table, triggers=-1)
