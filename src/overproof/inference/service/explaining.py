"""Tell what carried the verdicts of a request, within bounds of number and time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from overproof.events.templates.parts import part_at
from overproof.inference.explanation import Span, explain
from overproof.inference.service.batch_queue import BatchQueue
from overproof.inference.service.limits import Limits
from overproof.inference.service.loaded_bundle import LoadedBundle, Verdict

NO_ALERT = "not an alert"
NO_TIME = "no time was left to explain it"


async def explained(
    verdicts: Sequence[Verdict], texts: Sequence[str], loaded: LoadedBundle, queue: BatchQueue, limits: Limits
) -> list[Verdict]:
    """Return the verdicts with `spans` or the reason why there are none, of the likeliest alerts first.

    What is not explained in time stays without spans: a verdict does not wait for them.

    Parameters
    ----------
    loaded
        Whose student is asked, whoever decided.
    queue
        Works on one text a call.
    """
    student = loaded.cascade.student
    harmless = {None, *student.manifest.benign}  # what has no label has nothing to explain
    alerts = [i for i, verdict in enumerate(verdicts) if verdict["label"] not in harmless]
    alerts.sort(key=lambda i: -verdicts[i]["attack"])
    chosen, rest = alerts[: limits.explained], alerts[limits.explained :]
    found: dict[str, tuple[Span, ...]] = {}

    def work(part: list[str]) -> list[None]:
        found.update(zip(part, explain(student, part), strict=True))
        return [None] * len(part)

    why = NO_TIME
    try:
        async with asyncio.timeout(limits.explain_seconds):
            await queue(work, list(dict.fromkeys(texts[i] for i in chosen)))
    except TimeoutError:
        pass
    except Exception as error:  # a full queue, or whatever befalls it: the verdicts are there
        why = f"not explained: {str(error) or type(error).__name__}"
    reasons = dict.fromkeys(range(len(verdicts)), NO_ALERT)
    reasons |= dict.fromkeys(rest, f"one of more than {limits.explained} alerts") | dict.fromkeys(chosen, why)
    for i in chosen:
        if texts[i] in found:  # a thread may still add to it
            del reasons[i]
    return [
        {
            **verdict,
            "spans": None if i in reasons else spelled(texts[i], found[texts[i]]),
            "unexplained": reasons.get(i),
        }
        for i, verdict in enumerate(verdicts)
    ]


def spelled(text: str, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Write spans, each with what stands there, and what part of the event that is; null where no template says so."""
    return [
        {
            "start": span.start,
            "end": span.end,
            "weight": span.weight,
            "text": text[span.start : span.end],
            "part": part_at(text, span.start, span.end),
        }
        for span in spans
    ]
