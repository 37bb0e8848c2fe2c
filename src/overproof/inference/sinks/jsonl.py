"""Write verdicts as JSON lines."""

from __future__ import annotations

from overproof.inference.sinks.interface import About, Verdict


def verdict(verdict: Verdict, about: About) -> Verdict:
    """Return the verdict as it is (docs/verdict-schema.md)."""
    return verdict
