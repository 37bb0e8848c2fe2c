"""Keep the gravest verdicts of a run, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence

from overproof.inference.sinks import severity
from overproof.inference.sinks.verdict_batch import Verdict


class Top:
    """Keeps so many verdicts of the highest severity, then of the highest attack probability; of equals, the earliest.

    One without a probability, since the scores are no numbers, stands with the highest: nobody knows that another is
    graver.
    """

    def __init__(self, count: int, benign: Collection[str], kept: Sequence[Verdict] = ()) -> None:
        self._count, self._benign = count, benign
        self._heap: list[tuple[tuple[int, float], int, Verdict]] = []
        self._seen = 0
        self.add(kept)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Consider more verdicts."""
        for verdict in verdicts:
            entry = (self._gravity(verdict), -self._seen, verdict)
            self._seen += 1
            if len(self._heap) < self._count:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)

    def _gravity(self, verdict: Verdict) -> tuple[int, float]:
        if "excepted" in verdict:  # what a rule silences stands below all others
            return 0, 0.0
        if verdict["attack"] is None:
            return severity.CRITICAL, 1.0
        return severity.of(verdict, self._benign), verdict["attack"]

    def kept(self) -> list[Verdict]:
        """Return those kept so far, the gravest first."""
        return [verdict for *_, verdict in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
