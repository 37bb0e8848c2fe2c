"""JSON lines: the verdict itself."""

from __future__ import annotations

from overproof.inference.sinks.interface import About, Verdict


def verdict(verdict: Verdict, about: About) -> Verdict:
    """The verdict as it is (docs/verdict-schema.md)."""
    return verdict
