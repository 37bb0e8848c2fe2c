"""Test the checks themselves: whether what they promise, pass and refuse is as often right as they say."""

from __future__ import annotations

from collections.abc import Callable

import chance
import guarding
import interval_coverage
import replays
import winners
from settings import once


def replayed() -> str:
    """Write the replays of the guarantee, measured size by size."""
    by_size = [once(f"proof-replays-{n}", lambda n=n: {"rows": replays.measured(n)}) for n in replays.MEANS]  # type: ignore[misc]
    beside = once("proof-replays-beside", lambda: {"rows": replays.beside()})
    return replays.to_markdown([row for part in by_size for row in part["rows"]], beside["rows"])


TABLES: dict[str, Callable[[], str]] = {
    "coverage": lambda: interval_coverage.to_markdown(once("proof-coverage", interval_coverage.measured)),
    "replays": replayed,
    "by-chance": lambda: chance.chance_table(
        {name: once(f"proof-chance-{name}", lambda name=name: chance.chance(name)) for name in chance.KINDS}  # type: ignore[misc]
    ),
    "power": lambda: chance.power_table(once("proof-power", chance.power)),
    "guards": lambda: guarding.to_markdown(once("proof-guards", guarding.measured)),
    "winners": lambda: winners.to_markdown(once("proof-winners", winners.measured)),
}
