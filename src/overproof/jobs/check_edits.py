"""Edit events near the boundary as the red team does, where an oracle proves that they still do what they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from overproof.checks.base import CheckContext, Variant
from overproof.checks.boundary.edits import variants_of
from overproof.jobs.attack_targets import fitting_domain
from overproof.redteam.base import Edited
from overproof.redteam.campaign import Target, start_of
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.oracle import ORACLES
from overproof.redteam.referee import Claim, Referee
from overproof.redteam.search.moves import moved

DRAWS = 5  # of each event: about as many as there are harmless edits of one


def boundary_edits(context: CheckContext, rows: Sequence[int], window_characters: int) -> tuple[Variant, ...]:
    """Edit events by the red team's mutators, and keep what is proved; edit those harmlessly of which nothing is.

    Nothing is proved of an event that no domain fits, that the oracle of its domain does not cover, or for which a
    parser is not installed. What is drawn for an event hangs on the seed and its text alone.

    Parameters
    ----------
    rows
        The events' places in the sample.
    window_characters
        More characters than a window of the student holds.
    """
    proved = _proved(context, rows)
    done = {variant.row for variant in proved}
    others = [row for row in rows if row not in done]
    texts = context.sample.texts
    filler = max((texts[row] for row in np.flatnonzero(context.benign_events).tolist()), key=len, default="")
    return (*proved, *variants_of(texts, others, window_characters=window_characters, filler=filler))


def _proved(context: CheckContext, rows: Sequence[int]) -> tuple[Variant, ...]:
    """Put all drawn edits to the oracles at once: one that starts a browser or a shell starts it once."""
    claims = [(row, claim) for row in rows for claim in _drawn(context, row)]
    proofs = Referee(None, ORACLES).prove([claim for _, claim in claims])
    return tuple(
        Variant(row, claim.domain, claim.edited, proved=True)
        for (row, claim), proof in zip(claims, proofs, strict=True)
        if proof.meaning == "proved"
    )


def _drawn(context: CheckContext, row: int) -> Iterator[Claim]:
    """Draw edited texts of an event, each by one edit or by several at once, as searches do; none twice."""
    text, benign = context.sample.texts[row], bool(context.benign_events[row])
    family = context.families[row]
    domain = fitting_domain(text, family, benign=benign)
    if domain is None:
        return
    start = start_of(Target(row, text, str(family), domain, covered=False), MUTATORS)
    found = (moved(Edited(text), start, Random(f"{context.seed} {draw} {text}")) for draw in range(DRAWS))
    for edited in dict.fromkeys(one.text for one in found if one is not None):
        if edited != text:
            yield Claim(domain, text, edited)
