"""Searches find what there is to find within their budget, and every one of them alike each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from overproof.redteam.base import Edited, replay
from overproof.redteam.search import LABEL_ONLY, SEARCHES
from overproof.redteam.search.drive import Asked, Outcome, drive
from overproof.redteam.search.interface import MOST_STEPS, Answer, Proposals, Start
from overproof.redteam.search.moves import crossed, moved

GUIDED = sorted(set(SEARCHES) - LABEL_ONLY)
Run = Callable[..., tuple[list[Outcome], "Asking"]]


class Asking:
    """Answers by the toy's odds, and notes what it was asked."""

    def __init__(self, toy: Any, below: float) -> None:
        self.model, self.below, self.texts = toy.WordCounter(), below, []  # type: ignore[var-annotated]

    def __call__(self, asked: Sequence[Asked]) -> list[Answer]:
        self.texts += [(one.event, one.edited.text) for one in asked]
        odds = self.model.score([one.edited.text for one in asked]).logits[:, 0].tolist()
        return [Answer(loss, loss < self.below) for loss in odds]


@pytest.fixture
def run(toy: Any) -> Run:
    def searched(
        name: str, below: float, budget: int, texts: Sequence[str] = ("evil",)
    ) -> tuple[list[Outcome], Asking]:
        asking = Asking(toy, below)
        starts = [Start(text, toy.MUTATORS, 400, toy.guide) for text in texts]
        return drive(SEARCHES[name], starts, asking, budget=budget, seeds=[f"1 {text}" for text in texts]), asking

    return searched


@pytest.mark.parametrize("name", GUIDED)
def test_a_search_that_sees_scores_finds_what_takes_many_edits(run: Run, toy: Any, name: str) -> None:
    [outcome], _ = run(name, below=-20.0, budget=1000)
    assert outcome.found is not None
    assert outcome.queries <= 1000
    assert toy.WordCounter().score([outcome.found.text]).logits[0, 0] < -20
    assert replay("evil", outcome.found.steps, toy.MUTATORS) == outcome.found


@pytest.mark.parametrize("name", GUIDED)
def test_scores_help(run: Run, name: str) -> None:
    """What edits at random do not find, a search that follows the score does."""
    [blind], _ = run("random", below=-20.0, budget=300)
    [seeing], _ = run(name, below=-20.0, budget=300)
    assert blind.found is None and seeing.found is not None


def test_who_follows_a_guide_needs_fewer_queries(run: Run) -> None:
    """It asks about the twelve words at once that the others find one after the other."""
    texts = [f"evil {word}" for word in "abcdefgh"]
    spent = {name: sum(outcome.queries for outcome in run(name, -9.0, 300, texts)[0]) for name in sorted(SEARCHES)}
    assert all(2 * spent["gradient"] < spent[name] for name in set(SEARCHES) - {"gradient"})


@pytest.mark.parametrize("refused", [False, True])
def test_who_follows_a_guide_goes_on_from_the_best_unless_it_was_refused(toy: Any, refused: bool) -> None:
    proposals = SEARCHES["gradient"](Start("evil", toy.MUTATORS, 400, toy.guide), Random(1))
    [first] = next(proposals)
    [second] = proposals.send([Answer(0.0, refused=refused)])
    assert (second.steps[: len(first.steps)] == first.steps) == (not refused)


def test_a_search_by_gradients_asks_for_a_guide(toy: Any) -> None:
    with pytest.raises(ValueError, match="needs a guide"):
        next(SEARCHES["gradient"](Start("evil", toy.MUTATORS, 400), Random(1)))


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_budgets_are_kept_and_no_text_is_asked_about_twice(run: Run, name: str) -> None:
    outcomes, asking = run(name, below=-1000.0, budget=57, texts=("evil", "evil evil", "EVIL plan"))
    assert [outcome.queries for outcome in outcomes] == [57, 57, 57]
    assert len(asking.texts) == len(set(asking.texts)) == 3 * 57


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_an_event_is_searched_alike_whatever_is_searched_beside_it(run: Run, name: str) -> None:
    alone, _ = run(name, below=-2.0, budget=200)
    beside, _ = run(name, below=-2.0, budget=200, texts=("evil evil", "evil"))
    assert alone[0] == beside[1]


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_a_search_without_edits_ends(toy: Any, name: str) -> None:
    nothing = Start("evil", {"never": lambda text, random: None}, 400, toy.guide)
    assert drive(SEARCHES[name], [nothing], Asking(toy, -2.0), budget=100, seeds=["1"]) == [Outcome(0)]


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_a_search_that_runs_dry_ends_before_its_budget(toy: Any, name: str) -> None:
    case = Start("evil", {"case": toy.MUTATORS["case"]}, 400, toy.guide)
    [outcome] = drive(SEARCHES[name], [case], Asking(toy, -1000.0), budget=1000, seeds=["1"])
    assert outcome.found is None and outcome.queries <= 2


def test_the_query_that_succeeded_is_the_one_that_is_counted() -> None:
    def proposes(start: Start, random: Random) -> Proposals:
        yield [Edited("a"), Edited("b"), Edited("a"), Edited("c"), Edited("d")]

    def asked(edits: Sequence[Asked]) -> list[Answer]:
        return [Answer(0.0, one.edited.text in "cd") for one in edits]

    found = drive(proposes, [Start("evil", {}, 9)], asked, budget=9, seeds=["1"])
    assert found == [Outcome(3, Edited("c"))]


def test_moves_stay_within_length_and_number_of_edits(toy: Any) -> None:
    assert all(len(edited.text) <= 12 for edited in _moves(Start("evil", toy.MUTATORS, 12), 30))
    assert max(len(edited.steps) for edited in _moves(Start("evil", toy.MUTATORS, 10**6), 300)) == MOST_STEPS


def test_a_cross_takes_edits_of_both(toy: Any) -> None:
    random, at = Random(3), Start("evil", toy.MUTATORS, 400)
    one, other = (moved(Edited("evil"), at, random, count=6) for _ in range(2))
    assert one is not None and other is not None
    children = [crossed(one, other, at, random) for _ in range(50)]
    assert all(set(child.steps) <= {*one.steps, *other.steps} for child in children)
    assert any(set(child.steps) & set(one.steps) and set(child.steps) & set(other.steps) for child in children)


def _moves(at: Start, count: int) -> list[Edited]:
    random, found = Random(1), [Edited(at.text)]
    for _ in range(count):
        found.append(moved(found[-1], at, random) or found[-1])
    return found
