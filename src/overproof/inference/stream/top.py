"""Keep the gravest verdicts of a run, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from overproof.inference.sinks.verdict_batch import Verdict


class Top:
    """Keeps so many verdicts of the highest attack probability; of equals, the earliest.

    One without, since the scores are no numbers, stands with the highest: nobody knows that another is graver.
    """

    def __init__(self, count: int, kept: Sequence[Verdict] = ()) -> None:
        self._count = count
        self._heap: list[tuple[float, int, Verdict]] = []
        self._seen = 0
        self.add(kept)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Consider more verdicts."""
        for verdict in verdicts:  # what a rule silences stands below all others
            attack = 1.0 if verdict["attack"] is None else verdict["attack"]
            attack = -1.0 if "excepted" in verdict else attack
            entry = (attack, -self._seen, verdict)
            self._seen += 1
            if len(self._heap) < self._count:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)

    def kept(self) -> list[Verdict]:
        """Return those kept so far, the gravest first."""
        return [verdict for *_, verdict in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
