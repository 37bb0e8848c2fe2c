"""Choose who scores the events: one process, several on this machine, or a Ray cluster (`engines.ray`)."""

from __future__ import annotations

from overproof.inference.engines.interface import Engine, Scored, score_batch
from overproof.inference.engines.local import in_process
from overproof.inference.engines.processes import worker_processes

__all__ = ["ENGINES", "Engine", "Scored", "in_process", "score_batch", "worker_processes"]

ENGINES = ("local", "ray")
