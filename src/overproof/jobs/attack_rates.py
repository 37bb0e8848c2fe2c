"""Count what attacks found: shares with intervals, what compression is to blame for, and what fools others as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from overproof.checks.stats import clopper_pearson, tango
from overproof.events.split import template
from overproof.redteam.campaign import Attempt
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.result import Rate
from overproof.redteam.victim import Victim
from overproof.results.attack_cases import Case

BUDGETS = (10, 100, 1000)

Attempts = Mapping[tuple[str, str, str], Sequence[Attempt]]  # objective, search and model to how each event ended


def share(k: int, n: int) -> Rate:
    """Return k of n; n at least 1."""
    found = clopper_pearson(k, n)
    return Rate(n, found.value, found.low, found.high)


def proved(attempt: Attempt, queries: int) -> bool:
    """Tell whether an event fell within so many queries, its meaning proved."""
    return attempt.success is not None and attempt.success.ruling.proved and attempt.queries <= queries


def shares_at(attempts: Sequence[Attempt], budget: int) -> dict[str, Rate]:
    """Return the share of the events that fell, by queries: powers of ten up to the budget, and the budget."""
    counts = [*(count for count in BUDGETS if count < budget), budget]
    return {str(count): share(sum(proved(one, count) for one in attempts), len(attempts)) for count in counts}


def unproved(attempts: Sequence[Attempt]) -> int:
    """Count the events that fell, if what fooled the model still is an attack, which is not proved."""
    return sum(one.success is not None and not one.success.ruling.proved for one in attempts)


def by_family(attempts: Sequence[Attempt], budget: int) -> dict[str, Rate]:
    """Return the share of each family's events that fell."""
    of: dict[str, list[Attempt]] = {}
    for one in attempts:
        of.setdefault(one.target.family, []).append(one)
    return {name: share(sum(proved(one, budget) for one in some), len(some)) for name, some in sorted(of.items())}


def difference(own: Sequence[Attempt], other: Sequence[Attempt], budget: int) -> Rate:
    """Return how many more events fell in one model than in another under the same attack, of the same events."""
    pairs = [(proved(a, budget), proved(b, budget)) for a, b in zip(own, other, strict=True)]
    only, others = (sum(pair == wanted for pair in pairs) for wanted in ((True, False), (False, True)))
    found = tango(only, others, len(pairs))
    return Rate(len(pairs), found.value, found.low, found.high)


def transfer(victims: Mapping[str, Victim], attempts: Attempts) -> dict[str, dict[str, Rate]]:
    """Return for each model the share of its proved successes that fool each other one, whoever decides.

    What was looked for because it does not fool another (an artefact of the grid) tells nothing of what carries over.
    """
    carried = {name for name, one in OBJECTIVES.items() if one.edits == "attacks" and not one.differs}
    found: dict[str, dict[str, Rate]] = {}
    for model in victims if len(victims) > 1 else ():
        texts = sorted(
            {
                one.success.edited.text
                for (objective, _, of), some in attempts.items()
                for one in some
                if of == model and objective in carried and one.success and one.success.ruling.proved
            }
        )
        if texts:
            found[model] = {
                name: share(int((~victim(texts).attack).sum()), len(texts))
                for name, victim in victims.items()
                if name != model
            }
    return found


def cases(key: tuple[str, str, str], attempts: Sequence[Attempt], origins: Sequence[str]) -> Iterator[Case]:
    """Yield the successes of one search against one model."""
    objective, name, model = key
    for one in attempts:
        if one.success is None:
            continue
        target, edited, ruling = one.target, one.success.edited, one.success.ruling
        edits = ", ".join(sorted({step.name for step in edited.steps}))
        yield Case(
            objective,
            name,
            model,
            target.family,
            target.domain,
            origins[target.row],
            target.text,
            edited.text,
            edited.steps,
            one.queries,
            ruling.full,
            ruling.proof.meaning,
            ruling.proof.how,
            f"{template(target.text)} | {edits}",
        )
