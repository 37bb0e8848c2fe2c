"""Decide what a student may lose of one family: by what is lost, which no gain elsewhere in the family makes up for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from overproof.checks.base import CheckContext, GateResult, decided
from overproof.checks.formatting import percent_within
from overproof.checks.pairs import Pairs, share_measured


@dataclass(frozen=True)
class Harm:
    """What is shown of the net loss, all families tested together.

    Attributes
    ----------
    at_least
        The lower end of the net loss.
    correction
        What it was corrected by; empty where it was not.
    """

    at_least: float
    correction: str = ""


def correction(name: str, tests: int) -> str:
    """Name a correction for the number of families."""
    return f"{name} for {tests:,} families" if tests > 1 else ""


def family_gate(key: str, message: str, context: CheckContext, pairs: Pairs, harm: Harm) -> GateResult:
    """Decide on a family: it passes by the share that the full model alone handles well, and fails by the net loss.

    A model that is trained again loses some events and gains others by chance, so that what is lost alone would fail a
    healthy one. The interval's upper end is that of the share lost, its lower end that of the net loss.

    Parameters
    ----------
    message
        What was counted; the share lost and its interval are added.
    """
    gate = context.gate(key)
    measured = share_measured(pairs.lost > 0, pairs.units, gate.limit)
    figure = replace(measured.figure, low=max(0.0, min(harm.at_least, measured.figure.low)))
    measured = replace(measured, figure=figure, correction=harm.correction)
    return decided(key, f"{message}: {percent_within(figure, harm.correction)} lost", gate, measured)
