"""Triage events: from anywhere, judged by the cascade, verdicts to wherever they are wanted."""

from __future__ import annotations

from overproof.inference.stream.job import RunContext, triage
from overproof.inference.stream.output import Request
from overproof.inference.stream.summary import Summary

__all__ = ["Request", "RunContext", "Summary", "triage"]
