"""Define a search: it proposes edited texts, is told what came of each, and knows neither model nor oracle."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from random import Random

from overproof.redteam.base import Edited, Mutators

MOST_STEPS = 64  # edits of one text: more take longer to make again than they gain


@dataclass(frozen=True)
class Guide:
    """What an attacker who holds a model's weights knows without a query.

    Attributes
    ----------
    estimate
        Estimates edited texts to first order around a text: quick, and wrong where they differ by much.
    exact
        What a copy of the model makes of texts: slower, and right but for what deploying the model changed.
    """

    estimate: Callable[[str, Sequence[str]], Sequence[float]]
    exact: Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Start:
    """Where a search begins.

    Attributes
    ----------
    text
        The event that is to be edited.
    mutators
        What edits it.
    longest
        Characters that an edited text may have.
    guide
        Of the loss that is answered; None where the attacker holds no weights.
    """

    text: str
    mutators: Mutators
    longest: int
    guide: Guide | None = None

    def fits(self, edited: Edited) -> bool:
        """Whether a text is short enough, and was reached by few enough edits."""
        return len(edited.text) <= self.longest and len(edited.steps) <= MOST_STEPS


@dataclass(frozen=True)
class Answer:
    """What came of one edited text.

    Attributes
    ----------
    loss
        Less is nearer to what is looked for. A search that sees labels alone is told 0 or 1.
    succeeded
        Whether it is what was looked for; then the search is over.
    refused
        Whether it fooled the model, and the referee did not let it count.
    """

    loss: float
    succeeded: bool = False
    refused: bool = False


Proposals = Generator[list[Edited], list[Answer], None]

Search = Callable[[Start, Random], Proposals]
"""Proposes rounds of edited texts and is sent the answers in their order; ends where it has nothing left to try."""
