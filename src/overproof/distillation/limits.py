"""Refuse training settings that no run can use; reading this needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.errors import InputError

RANDOM, DISAGREEMENT = "random", "disagreement"  # what is kept of the snippets that were drawn
INSTALLED = "installed"  # as a place that a pool is drawn from: the text of this installation


def require_usable(temperature: float, hard_weight: float, epochs: int) -> None:
    """Raise InputError for a setting outside its range, naming it."""
    for name, value, usable, expected in (
        ("temperature", temperature, temperature > 0, "a number above 0"),
        ("hard_weight", hard_weight, 0 <= hard_weight <= 1, "a number from 0 to 1"),
        ("epochs", epochs, epochs >= 1, "1 or more"),
    ):
        if not usable:
            raise InputError(f"{name} is {value}: expected {expected}")


def require_usable_pool(count: int, places: Sequence[str], choice: str) -> None:
    """Raise InputError for a negative number of snippets, places to draw none from, or an unknown choice of them."""
    if choice not in (RANDOM, DISAGREEMENT):
        raise InputError(f"--pool-choice {choice}: expected {RANDOM} or {DISAGREEMENT}")
    if not count and choice != RANDOM:
        raise InputError(f"--pool-choice {choice}: there is nothing to choose from without --pool N")
    if count < 0:
        raise InputError(f"--pool {count}: expected 0 or more snippets")
    if not places:
        raise InputError(f"--pool-from names nothing: expected files, folders or {INSTALLED!r}")
    if not count and tuple(places) != (INSTALLED,):
        raise InputError(f"--pool-from {', '.join(places)}: nothing is drawn from it without --pool N")
