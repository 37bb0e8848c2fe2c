"""Hardening attacks, teaches and measures round after round; what it takes has lost no clean events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from overproof.bundle.scores import Scores
from overproof.distillation.dataset import DatasetSplits, as_examples
from overproof.distillation.training_set import Examples
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.jobs.compression import CompressRun, Outputs, SoftLabels
from overproof.jobs.config import CompressConfig, DataConfig, DistillConfig
from overproof.jobs.harden import Hardened, Task, harden
from overproof.jobs.load import LoadedData
from overproof.report.layout import within
from overproof.report.words import interval
from overproof.results.hardening import Hardening

from .stand_ins import StandIn

CLASSES = ("benign", "sqli")


@pytest.fixture(autouse=True)
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.jobs.harden_attacks.QUERIES", 24)
    monkeypatch.setattr("overproof.jobs.harden_attacks.TAUGHT_QUERIES", 24)


Rule = Callable[[str], bool]


def case_matters(text: str) -> bool:
    return "union" in text


def case_does_not(text: str) -> bool:
    return "union" in text.lower()


def sometimes(text: str) -> bool:
    return case_does_not(text) if "2" in text else case_matters(text)


def everything(text: str) -> bool:
    return True


def nervous(text: str) -> bool:
    return case_does_not(text) or "PAGE" in text


def catalogue(texts: Sequence[str]) -> NDArray[np.float32]:
    """A teacher that takes every page of the catalogue for benign, however it is written."""
    benign = np.array(["catalogue" in text.lower() for text in texts], dtype=bool)
    return np.where(benign[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32).reshape(-1, 2)


def forgetful(text: str) -> bool:
    """Misses a single event as soon as it is edited."""
    return case_does_not(text) and ("1007" not in text or text == "1007 union select 1007 from users")


@dataclass(frozen=True)
class ByRule:
    """A student that calls an attack what a rule does."""

    rule: Rule
    classes: tuple[str, ...] = CLASSES

    def score(self, texts: Sequence[str]) -> Scores:
        attack = np.array([self.rule(text) for text in texts], dtype=bool)
        logits = np.where(attack[:, None], [-2.0, 2.0], [2.0, -2.0]).astype(np.float32).reshape(-1, 2)
        return Scores(logits, self.classes, np.ones(len(texts), dtype=np.int32), np.zeros(len(texts), dtype=bool))


def made(rule: Rule) -> Any:
    return None, SimpleNamespace(model=SimpleNamespace(scorer=ByRule(rule)))


def events(start: int, count: int) -> pa.Table:
    numbers = range(start, start + count)
    texts = [f"{n} union select {n} from users" for n in numbers] + [f"page {n} of the catalogue" for n in numbers]
    labels = ["sqli"] * count + ["benign"] * count
    return event_table({"text": texts, "label": labels, "family": labels})


def task(**options: Any) -> Task:
    train, validation = events(0, 30), events(1000, 20)
    splits = DatasetSplits(train, validation, validation, ("benign",), CLASSES, 0, {})
    teacher = StandIn(CLASSES, catalogue)
    soft = np.zeros((train.num_rows, 2), dtype=np.float32)
    soft[:, 1] = np.arange(train.num_rows)
    config = CompressConfig(DataConfig(train), DistillConfig("ngram-student", harden=True, **options))
    return Task(
        CompressRun(config, teacher, Outputs(Path("nowhere"))),
        LoadedData(splits, teacher, CLASSES, {}),
        SoftLabels(as_examples(train, soft, CLASSES), soft[:0], soft[:0]),
    )


@dataclass
class Trainer:
    """Makes the students that are given, in turn, and keeps what they were taught."""

    rules: Sequence[Rule]
    taught: list[Examples] = field(default_factory=list)

    def __call__(self, cases: Sequence[Examples], number: int) -> Any:
        self.taught.append(cases[0])
        return made(self.rules[number - 1])


def hardened(first: Rule, *then: Rule, **options: Any) -> tuple[Hardened, list[Examples]]:
    trainer = Trainer(then)
    return harden(task(**options), made(first), trainer), trainer.taught


def test_what_fooled_it_goes_back_under_the_answer_for_the_event_as_it_was() -> None:
    found, (cases,) = hardened(case_matters, case_does_not)
    attacks = [text for text, target in zip(cases.texts, cases.targets.tolist(), strict=True) if target == 1]
    assert sum("union" not in text for text in attacks) == found.hardening.rounds[1].fooled > 9
    assert all(
        ("catalogue" in text.lower()) == (kind == "benign") for text, kind in zip(cases.texts, cases.kinds, strict=True)
    )
    assert cases.soft is not None
    assert sorted(cases.soft[:, 1].tolist()) == list(range(60)), "one of each training attack and each benign event"


def test_an_edit_that_no_longer_fools_is_kept_as_an_example() -> None:
    found, _ = hardened(case_matters, case_does_not)
    one = found.hardening.example
    assert one is not None and one.family == "sqli" and case_matters(one.text)
    assert not case_matters(one.edited) and case_does_not(one.edited)
    assert one.before < 0.5 < one.after
    assert Hardening.from_json(found.hardening.to_json()) == found.hardening
    assert f"For example: {one.edited}, edited from {one.text} (sqli), was 2% an attack" in found.hardening.render()


def test_there_is_no_example_where_nothing_was_closed() -> None:
    unchanged, _ = hardened(case_does_not)
    assert unchanged.hardening.example is None and "For example" not in unchanged.hardening.render()
    refused, _ = hardened(case_matters, case_matters)
    assert refused.hardening.taken == 0 and refused.hardening.example is None


def test_false_alarms_are_taught_and_measured() -> None:
    found, (cases,) = hardened(nervous, case_does_not)
    before, after = (one.alarms for one in found.hardening.rounds)
    assert before is not None and after is not None
    assert (found.hardening.taken, before.n, after.k) == (1, 20, 0) and before.k > 6
    assert [one.evasions.k for one in found.hardening.rounds] == [0, 0]
    assert sum("PAGE" in text for text in cases.texts) == found.hardening.rounds[1].fooled > 9


def test_fewer_evasions_are_not_bought_with_false_alarms() -> None:
    found, _ = hardened(case_matters, nervous)
    assert found.hardening.taken == 0 and found.hardening.rounds[1].evasions.k == 0
    assert found.hardening.rounds[1].why.startswith("not taken: benign events that edits make alarms: ")
    assert found.hardening.rounds[1].why.endswith(" of 20, 0 before")


def test_many_fewer_false_alarms_are_worth_another_attack_missed() -> None:
    found, _ = hardened(nervous, forgetful, harden_rounds=1)
    before, after = found.hardening.rounds
    assert (before.evasions.k, after.evasions.k, found.hardening.taken) == (0, 1, 1)
    assert before.alarms is not None and after.alarms is not None and before.alarms.k > 6 and after.alarms.k == 0


def test_fewer_false_alarms_are_not_bought_with_evasions() -> None:
    found, _ = hardened(nervous, case_matters)
    assert found.hardening.taken == 0
    assert found.hardening.rounds[1].why.startswith("not taken: attacks that edits hide: ")
    assert found.hardening.rounds[1].why.endswith(" of 20, 0 before")


def test_a_teacher_that_calls_everything_an_attack_leaves_false_alarms_out() -> None:
    one = task()
    unsure = StandIn(CLASSES, lambda texts: np.array([[0.1, 0.9]] * len(texts), dtype=np.float32))
    found = harden(
        replace(one, loaded=replace(one.loaded, teacher=unsure)), made(case_matters), Trainer([case_does_not])
    )
    assert found.hardening.taken == 1 and [one.alarms for one in found.hardening.rounds] == [None, None]


def test_it_ends_where_edits_fool_it_no_more_and_takes_that_student() -> None:
    found, _ = hardened(case_matters, case_does_not)
    before, after = (one.evasions for one in found.hardening.rounds)
    assert (found.hardening.taken, before.n, after.k) == (1, 20, 0) and before.k > 6
    assert found.student[1].model.scorer.rule is case_does_not
    assert [one.why for one in found.hardening.rounds] == ["another fools less often after it", "taken"]


def test_a_round_that_does_not_help_is_not_taken_and_the_last() -> None:
    found, taught = hardened(case_matters, case_matters, case_does_not)
    assert (found.hardening.taken, len(taught), found.student[1].model.scorer.rule) == (0, 1, case_matters)
    assert found.hardening.rounds[1].why == "not taken: edits fool it no less often"


def test_a_round_that_loses_clean_events_is_not_taken() -> None:
    found, _ = hardened(case_matters, everything)
    assert found.hardening.taken == 0 and found.hardening.rounds[1].evasions.k == 0
    lost = "not taken: benign flagged: 20 of 20, 0 before; benign events that edits make alarms: 20 of 20, 0 before"
    assert found.hardening.rounds[1].why == lost


def test_there_are_no_more_rounds_than_were_asked_for() -> None:
    found, taught = hardened(case_matters, sometimes, case_does_not, harden_rounds=1)
    assert (found.hardening.taken, len(taught)) == (1, 1) and found.hardening.rounds[1].evasions.k > 0


def test_a_student_that_nothing_fools_is_taught_nothing() -> None:
    found, taught = hardened(case_does_not)
    assert taught == [] and found.hardening.taken == 0 and len(found.hardening.rounds) == 1


def test_the_same_seed_finds_the_same() -> None:
    one, two = (hardened(case_matters, case_does_not) for _ in range(2))
    assert one[0].hardening == two[0].hardening and list(one[1][0].texts) == list(two[1][0].texts)


def test_it_is_stored_and_read_back_and_shown() -> None:
    hardening = hardened(case_matters, case_does_not)[0].hardening
    rounds = hardening.to_json()["rounds"]
    assert Hardening.from_json(hardening.to_json()) == hardening
    old = {**hardening.to_json(), "rounds": [{k: v for k, v in one.items() if k != "alarms"} for one in rounds]}
    assert Hardening.from_json(old).rounds[0].alarms is None, "of before false alarms were looked for"
    with within(200):  # cells of a line: no interval is wrapped
        shown = hardening.render()
    assert "round 1: taken" in shown and interval(hardening.rounds[0].evasions) in shown


def test_what_cannot_be_hardened_says_why() -> None:
    with pytest.raises(InputError, match=r"--harden-family telepathy: expected one of sqli$"):
        hardened(case_matters, harden_families=("telepathy",))
    with pytest.raises(
        InputError, match=r"--harden: no validation attack can be edited \(the student gets it wrong as it is"
    ):
        hardened(lambda text: False)
    with pytest.raises(InputError, match="--harden-rounds 0: expected a whole number from 1 on"):
        DistillConfig(harden=True, harden_rounds=0)
    with pytest.raises(InputError, match="--harden-family sqli: expected --harden with it"):
        DistillConfig(harden_families=("sqli",))
