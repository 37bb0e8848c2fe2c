"""Triage: events from anywhere, judged by the cascade, verdicts to wherever they are wanted."""

from __future__ import annotations

from overproof.triage.job import triage
from overproof.triage.output import Request
from overproof.triage.summary import Summary

__all__ = ["Request", "Summary", "triage"]
