"""Limit what the service takes at most, and how long anything may last."""

from __future__ import annotations

import os
from dataclasses import dataclass

from overproof.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Every bound of the service.

    Attributes
    ----------
    body, held
        Bytes of a request, and of all that are in work; one more that is not small is refused with 429.
    events
        Events of a request.
    characters
        Characters of an event.
    queue
        Events that wait for the student; one more request is refused with 429.
    batch, batch_tokens
        Events, and their tokens (each taken for a byte of text, as many as are judged at most), that are scored in one
        call; a longer event is scored alone. Requests take turns with those of other lengths.
    scorers
        Threads that score.
    full_queue, full_workers
        Events that wait for the full model, and requests that it is asked for at once.
    explained
        Alerts of a request whose verdicts are explained, where that is asked for.
    explain_queue
        Alerts that wait to be explained; those of one more request stay without.
    explain_seconds
        The explanations of a request may take; what is not explained by then stays without.
    seconds
        A request may take, from its first byte to the last one of its answer.
    full_seconds
        Of these, the full model may take; then it counts as down for that request.
    header_seconds
        The head of a request may take, from the moment its connection stands.
    body_seconds
        Its body may take after that.
    idle_seconds
        A connection may stand without a request.
    grace_seconds
        Requests that were accepted may take when the service ends.
    connections
        Open at once; for one more, that is closed which keeps the service waiting longest.
    """

    body: int = 1 << 20
    held: int = 32 << 20
    events: int = 1000
    characters: int = 100_000
    queue: int = 4096
    batch: int = 64
    batch_tokens: int = 8192
    scorers: int = max(1, (os.cpu_count() or 1) - 1)  # one core is the HTTP side's
    full_queue: int = 256
    full_workers: int = 2
    explained: int = 64
    explain_queue: int = 256
    explain_seconds: float = 10.0
    seconds: float = 30.0
    full_seconds: float = 20.0
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    idle_seconds: int = 15
    grace_seconds: int = 30
    connections: int = 512

    def __post_init__(self) -> None:
        if self.events > self.queue:
            raise InputError(
                f"limits: {self.events} events a request, expected no more than wait at once ({self.queue})"
            )
