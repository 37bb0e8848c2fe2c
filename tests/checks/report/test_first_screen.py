"""What the page opens with: the verdict, three reasons, what to do next, and the closed gates, the worst first."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from overproof.checks.base import GateResult
from overproof.checks.boundary.compute import NEAREST
from overproof.checks.gates import DEFAULTS, MARGIN
from overproof.checks.report import CheckReport, page
from overproof.checks.report.first_screen import headline, meaning, reasons, verdict
from overproof.checks.report.next_steps import steps, worst_first
from overproof.checks.report.remedies import FAILED, GIVEN, NEEDS, remedy
from overproof.report.markup import prose

from .figures import EVIL, result

KEYS = [*DEFAULTS, MARGIN]


@pytest.mark.parametrize("key", KEYS)
def test_whatever_closes_a_gate_something_would_open_it(key: str, everything: CheckReport) -> None:
    failed = result(key, "failed", 0.5, 0.1, 0.05)
    few = result(key, "unmeasured", 0.05, 0.1, 0.05, events=150, units=70, needed=190)
    attacked = replace(everything, proof=replace(everything.proof, attack=replace(everything.proof.attack, sample=200)))
    assert remedy(failed, attacked).text == FAILED[key].replace("{which}", "they were found")
    opens = remedy(few, attacked)
    assert opens.text == f"Check it on 190 independent {opens.kind} (here 70)." and opens.needed == 190
    assert meaning(key)


def test_nothing_is_advised_for_gates_that_there_are_not() -> None:
    assert set(FAILED) == set(NEEDS) == set(KEYS)


def test_a_gate_of_one_of_several_names_which(everything: CheckReport) -> None:
    lost = result("rare/family:xxe", "failed", 0.5, 0.1, 0.05)
    few = result("rare/family:xxe", "unmeasured", 0.05, 0.1, 0.05, events=20, needed=90)
    assert "training events of the family xxe, " in remedy(lost, everything).text
    assert remedy(few, everything).text == "Check it on 90 independent attacks of the family xxe (here 20)."
    assert meaning("rare/family:xxe").startswith("xxe: Events of each attack family")


def test_more_events_than_a_check_looks_at_are_not_asked_for(everything: CheckReport) -> None:
    many = result("boundary/edits", "unmeasured", 0.05, 0.1, 0.05, events=NEAREST, needed=NEAREST + 1)
    assert "and the check looks at 200: More events hardly decide: another student" in remedy(many, everything).text
    assert "hardly" not in remedy(replace(many, needed=NEAREST), everything).text
    sample = everything.proof.attack.sample
    edited = result("redteam/exclusive", "unmeasured", 0.05, 0.1, 0.05, events=sample, needed=sample + 1)
    assert f"and the check looks at {sample:,}" in remedy(edited, everything).text


def test_what_more_events_hardly_decide_is_told_so(everything: CheckReport) -> None:
    text = remedy(result("held-out/misses", "unmeasured", 0.005, 0.1, 0.005), everything).text
    assert text.startswith("More events hardly decide: another student, or a limit")


@pytest.mark.parametrize("lacking", GIVEN)
def test_what_was_not_given_is_asked_for(lacking: str, everything: CheckReport) -> None:
    bare = GateResult("held-out/misses", "unmeasured", f"unmeasured: without {lacking} nothing", limit=0.005)
    assert remedy(bare, everything).text == GIVEN[lacking]
    assert "its finding" in remedy(replace(bare, message="unmeasured: why"), everything).text


def test_the_reasons_that_checks_give_are_known(nothing: CheckReport) -> None:
    """Whatever the checks miss without full model and evidence, what gives it is said."""
    given = {remedy(gate, nothing).text for gate in nothing.closed}
    assert given & set(GIVEN.values())


def test_the_worst_comes_first() -> None:
    slight = result("rare/pooled", "failed", 0.06, 0.001, 0.05)
    grave = result("rare/family:x", "failed", 0.5, 0.1, 0.05)
    wide = result("held-out/novel", "unmeasured", 0.2, 0.6, 0.05)
    bare = GateResult("own-data/leaked", "unmeasured", "unmeasured: why", limit=0.01)
    rests = GateResult("held-out/misses", "unmeasured", "unmeasured: why", limit=0.01)
    assert worst_first([bare, rests, wide, slight, grave]) == (grave, slight, wide, rests, bare)


def test_what_to_do_is_said_once_with_the_most_that_it_takes(everything: CheckReport) -> None:
    fewer = result("held-out/misses", "unmeasured", 0.005, 0.1, 0.005, events=300, units=250, needed=400)
    more = result("held-out/quantized-alone", "unmeasured", 0.001, 0.01, 0.005, events=300, units=250, needed=900)
    held = next(check for check in everything.checks if check.key == "held-out")
    report = replace(everything, checks=(replace(held, gates=(fewer, more)),))
    deploy, collect = steps(report)
    assert deploy.text.startswith("Put it to work with the full model behind it") and deploy.gates == ()
    assert collect.text == "Check it on 900 independent attacks (here 250)."
    assert set(collect.gates) == {fewer, more}


def test_every_closed_gate_has_its_step(sabotaged: CheckReport, nothing: CheckReport, everything: CheckReport) -> None:
    for report in (sabotaged, nothing, everything):
        assert report.closed
        assert sorted(gate.key for step in steps(report) for gate in step.gates) == sorted(g.key for g in report.closed)


def test_the_verdict_in_a_line(sabotaged: CheckReport, nothing: CheckReport, everything: CheckReport) -> None:
    assert re.match(r"The student may not be deployed: \d gates? failed", headline(sabotaged))
    assert headline(nothing).startswith("The student may not be deployed yet: nothing failed, but 17 gates could not")
    assert headline(everything).startswith("The student may work with the full model behind it")
    alone = replace(everything, verdict=replace(everything.verdict, decision="deploy alone"))
    assert headline(alone) == "The student may stand in for the full model: no gate is closed."


def test_three_reasons_and_a_failed_gate_before_all(sabotaged: CheckReport, everything: CheckReport) -> None:
    first = reasons(sabotaged)[0]
    assert first.status == "failed" and first.key.startswith("rare/") and len(reasons(sabotaged)) <= 3
    assert [gate.key for gate in reasons(everything)] == [
        "escalation/guarantee",
        "held-out/misses",
        f"rare/slices:server={EVIL}",
    ]
    kept = tuple(check.gates[0].key for check in everything.checks)
    alone = replace(everything.verdict, decision="deploy alone", because=kept)
    assert len(reasons(replace(everything, verdict=alone))) == 3


def test_closed_gates_stand_before_all_else_and_the_others_are_folded(everything: CheckReport) -> None:
    html = page(everything)
    part = html[html.index('id="closed"') : html.index('id="comparison"')]
    shown, _, folded = part.partition("<details>")
    places = {gate.key: place for place, gate in enumerate(everything.gates, 1)}
    found = [int(place) for place in re.findall(r'id="gate-(\d+)"', shown)]
    assert found == [places[gate.key] for gate in worst_first(everything.closed)]
    assert shown.count("To open it: ") == len(found) == 3
    undecided = [gate for gate in everything.gates if gate.status == "unmeasured" and not gate.closed]
    assert f"{len(undecided)} gates unmeasured, and not required" in folded
    assert all(f'href="#gate-{places[gate.key]}"' in folded for gate in undecided)


def test_of_many_closed_gates_the_worst_are_shown(nothing: CheckReport) -> None:
    html = page(nothing)
    shown, _, folded = html[html.index('id="closed"') : html.index('id="comparison"')].partition("<details>")
    assert shown.count("To open it: ") == 3 and folded.startswith("<summary>14 more closed gates</summary>")


def test_what_is_typed_stands_as_code(measured: CheckReport) -> None:
    shown = verdict(measured)
    steps_shown = shown.partition("What to do next")[2].partition("</ol>")[0]
    assert "`" not in steps_shown
    assert re.search(r"<code>(overproof|--)", steps_shown)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("run `a b`.", "run <code>a b</code>."),
        ("a ` alone", "a ` alone"),
        ("`<b>` and <i>", "<code>&lt;b&gt;</code> and &lt;i&gt;"),
        ("plain", "plain"),
    ],
    ids=["a command", "no partner", "markup", "no command"],
)
def test_a_sentence_with_commands(text: str, drawn: str) -> None:
    assert prose(text) == drawn
