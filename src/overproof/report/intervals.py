"""Draw the shares of several models in the row of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from overproof.report.estimate import Estimate
from overproof.report.markup import Html
from overproof.report.svg import Rule, svg, text
from overproof.report.words import interval

STEP = 14  # pixels from one model's line to the next
RIGHT = Rule(0, 1, right=76, warp=lambda share: 1 - math.sqrt(1 - share))  # room where nearly all are right
FEW = Rule(0, 1, right=76, warp=math.sqrt)  # room where few are concerned
LINES = {RIGHT: (0.0, 0.5, 0.9, 0.99, 1.0), FEW: (0.0, 0.01, 0.1, 0.5, 1.0)}


@dataclass(frozen=True)
class Counted:
    """k of n.

    Attributes
    ----------
    share
        k / n with its interval; None where n is 0.
    """

    k: int
    n: int
    share: Estimate | None


def shares(title: str, models: Mapping[str, Counted], rule: Rule = RIGHT) -> Html:
    """Draw a line for each model: its share with its interval, and the count at its end.

    Parameters
    ----------
    models
        Model to its share.
    rule
        The axis.
    """
    height = STEP * len(models) + 2
    drawn, described = rule.grid(LINES[rule], height), []
    for place, (model, found) in enumerate(models.items()):
        y = STEP * place + 8
        share, count = found.share, f"{found.k:,}/{found.n:,}"
        drawn += [] if share is None else rule.whisker(share, y, model)
        drawn.append(text("100%", y + 4, count, anchor="end"))
        described.append(f"{model}: {interval(share)} ({count})")
    return svg(title, "; ".join(described), drawn, height=height)


def heads(rule: Rule = RIGHT) -> Html:
    """Draw the axis over a column of `shares`."""
    return rule.heads(LINES[rule], lambda value: f"{100 * value:.0f}{' %' if value == 1 else ''}")
