"""Tell which spans of an event carried its verdict, by taking them out and asking again."""

from __future__ import annotations

from overproof.inference.explanation.explain import Span, explain

__all__ = ["Span", "explain"]
