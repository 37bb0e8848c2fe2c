"""The red team: what fell is counted, paired with the control, and decides only where there is enough of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from overproof.checks.attacked import BYPASS, EVASION, Attacked, AttackSettings, Fallen, FloodMix
from overproof.checks.base import CONTROL, QUANTIZED, CheckResult
from overproof.checks.redteam import CHECK
from overproof.checks.redteam.compute import redteam
from overproof.results.typed_json import NotMeasured

if TYPE_CHECKING:
    from overproof.checks.base import CheckContext

HELD = FloodMix(0.5, 200, 100, 0, 0, 9, 4)


def fallen(context: CheckContext, objective: str, model: str, fell: Sequence[bool], seen: bool = True) -> Fallen:
    """An attack on the first attacks of a sample; the full model detects all that was found, or none."""
    rows = np.flatnonzero(context.attacks)[: len(fell)]
    hit = np.array(fell, dtype=bool)
    return Fallen(objective, model, "something", rows, hit, hit & seen)


def attacked(context: CheckContext, *some: Fallen, **changed: Any) -> CheckContext:
    given = Attacked(0.9, some, changed.pop("flood", (HELD,)), **changed)
    return replace(context, attack_settings=AttackSettings(50, 400), attacked=given)


def gates(found: CheckResult[Any]) -> dict[str, Any]:
    return {gate.key.partition("/")[2]: gate for gate in found.gates}


def chosen(n: int, *places: int) -> list[bool]:
    return [place in places for place in range(n)]


def test_only_what_falls_beyond_the_control_is_held_against_the_bundle(healthy: CheckContext) -> None:
    own = fallen(healthy, EVASION, QUANTIZED, chosen(300, *range(60)))
    same = fallen(healthy, EVASION, CONTROL, chosen(300, *range(60)))
    found = redteam(attacked(healthy, own, same))
    assert gates(found)["exclusive"].status == "passed" and gates(found)["exclusive"].value == 0
    assert (found.data.attacks.exclusive.both, found.data.attacks.exclusive.bundle_only) == (60, 0)
    firmer = fallen(healthy, EVASION, CONTROL, chosen(300, *range(55, 65)))
    found = redteam(attacked(healthy, own, firmer))
    exclusive = gates(found)["exclusive"]
    assert exclusive.status == "failed" and exclusive.value == pytest.approx(50 / 300)
    assert "of 300 attacks, edited within 50 queries each, 55 fall in the bundle alone, 5 in the" in exclusive.message
    assert found.data.attacks.exclusive.control_only == 5


def test_what_the_full_model_misses_as_well_is_no_bypass_of_the_cascade(healthy: CheckContext) -> None:
    fell = chosen(300, *range(60))
    for seen, status, past in ((True, "failed", 60), (False, "passed", 0)):
        found = redteam(attacked(healthy, fallen(healthy, BYPASS, QUANTIZED, fell, seen)))
        assert gates(found)["cascade-bypass"].status == status
        assert found.data.attacks.past_cascade.k == past
        (falls,) = found.data.attacks.falls
        assert (falls.of.k, falls.of.n) == (60, 300), "what falls is counted either way"
        assert falls.families["sqli"].k == 60


def test_too_few_events_say_how_many_it_takes(healthy: CheckContext) -> None:
    own, other = (fallen(healthy, EVASION, model, chosen(21)) for model in (QUANTIZED, CONTROL))
    found = gates(redteam(attacked(healthy, own, other, fallen(healthy, BYPASS, QUANTIZED, chosen(21)))))
    for gate in (found["exclusive"], found["cascade-bypass"]):
        assert gate.status == "unmeasured" and gate.message.startswith(f"unmeasured: 21 events, needs {gate.needed}: ")
        assert 21 < gate.needed < 150 and not gate.closed


def test_copies_of_one_attack_count_once(healthy: CheckContext) -> None:
    rows = np.flatnonzero(healthy.attacks)[:300]
    texts = list(healthy.sample.texts)
    for row in rows[:290]:
        texts[row] = texts[rows[0]]
    copied = replace(healthy, sample=replace(healthy.sample, texts=texts))
    gate = gates(redteam(attacked(copied, fallen(copied, BYPASS, QUANTIZED, chosen(300)))))["cascade-bypass"]
    assert (gate.events, gate.units, gate.status) == (300, 11, "unmeasured")


def test_a_flood_must_change_nothing(healthy: CheckContext) -> None:
    found = gates(redteam(attacked(healthy, flood=(HELD, replace(HELD, deferred=30)))))["flood"]
    assert found.status == "passed" and "31 more are deferred because of it" in found.message
    for broken in (replace(HELD, over=1), replace(HELD, changed=1)):
        gate = gates(redteam(attacked(healthy, flood=(HELD, broken))))["flood"]
        assert gate.status == "failed" and gate.closed and gate.value == 1 / 400


def test_what_could_not_be_attacked_says_why(healthy: CheckContext) -> None:
    own = fallen(healthy, EVASION, QUANTIZED, chosen(300))
    none = fallen(healthy, BYPASS, QUANTIZED, [])
    package = "the package sqlglot is not installed (pip install 'overproof[attack]')"
    for context, key, told in (
        (healthy, "exclusive", "unmeasured: the bundle was not attacked"),
        (healthy, "flood", "unmeasured: the bundle was not attacked"),
        (replace(healthy, attacked=NotMeasured("--attack 0")), "cascade-bypass", "unmeasured: --attack 0"),
        (attacked(healthy, own, why_not={CONTROL: "no evidence was given"}), "exclusive", "no evidence was given"),
        (attacked(healthy, why_not={EVASION: package, BYPASS: package}), "exclusive", package),
        (attacked(healthy, why_not={EVASION: package, BYPASS: package}), "cascade-bypass", package),
        (attacked(healthy, none, left_out={"no edits for it": 3}), "cascade-bypass", "(3: no edits for it)"),
        (attacked(healthy, none), "cascade-bypass", "(there is none)"),
        (attacked(healthy, flood=NotMeasured("nothing goes there")), "flood", "unmeasured: nothing goes there"),
    ):
        found = redteam(context)
        assert gates(found)[key].status == "unmeasured" and told in gates(found)[key].message
        assert not gates(found)[key].closed
        assert CHECK.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
        assert CHECK.html(found.data)
