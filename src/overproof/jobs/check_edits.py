"""Edit events near the boundary as the red team does: what an attacker tries first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from overproof.checks.base import CheckContext, Variant
from overproof.jobs.attack_targets import PLAIN
from overproof.redteam.base import Edited, mutated
from overproof.redteam.domains import domain_of
from overproof.redteam.mutate import MUTATORS


def red_team_edits(context: CheckContext, rows: Sequence[int]) -> Iterator[Variant]:
    """Yield one edit of each event, by a mutator drawn for it; none of those that no edits are known for.

    Which is drawn hangs on the seed and the text alone. What an edit is of, its domain, is its kind.
    """
    for row in rows:
        text, benign = context.sample.texts[row], bool(context.benign_events[row])
        domain = domain_of(text, None if benign else context.families[row]) or (PLAIN if benign else None)
        if domain is None:
            continue
        edited = mutated(Edited(text), MUTATORS[domain], Random(f"{context.seed} {text}"))
        if edited is not None:
            yield Variant(row, domain, edited.text)
