"""Refuse training settings that no run can use; reading this needs no torch."""

from __future__ import annotations

from overproof.errors import InputError


def require_usable(temperature: float, hard_weight: float, epochs: int) -> None:
    """Raise InputError for a setting outside its range, naming it."""
    for name, value, usable, expected in (
        ("temperature", temperature, temperature > 0, "a number above 0"),
        ("hard_weight", hard_weight, 0 <= hard_weight <= 1, "a number from 0 to 1"),
        ("epochs", epochs, epochs >= 1, "1 or more"),
    ):
        if not usable:
            raise InputError(f"{name} is {value}: expected {expected}")
