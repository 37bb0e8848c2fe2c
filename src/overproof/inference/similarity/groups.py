"""Group near-duplicates as they come: each embedding joins the group whose first member it resembles, or starts one.

Leader clustering (Hartigan 1975, section 3.2) in one pass. What it compares are whole numbers, whose products are the
same in any order of summation: the groups depend on the events and their order, never on how they came in batches.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.inference.similarity.integers import Integers, cosines, rounded, wide

THRESHOLD = 0.98  # the least that left 95 % of foreign log lines in a group mostly of their own scenario: measured
CAPACITY = 1024
BLOCK = 256
SHOWN = 200  # characters of a leader's text that are kept


@dataclass
class _Leader:
    """The first member of a group that is still remembered."""

    group: int
    text: str
    size: int


@dataclass(frozen=True)
class Group:
    """A group: its number, how many joined it, and the start of its first member's text."""

    number: int
    size: int
    text: str


class Groups:
    """Groups of similar events; numbers count from 0 in the order in which groups were started.

    Parameters
    ----------
    threshold
        The least cosine between an event and a group's first member, in (0, 1].
    capacity
        Groups remembered at most: the one that was joined longest ago is forgotten for a new one.
    """

    def __init__(self, threshold: float = THRESHOLD, capacity: int = CAPACITY) -> None:
        if not 0 < threshold <= 1 or capacity < 1:
            raise InputError(
                f"groups: threshold {threshold}, capacity {capacity}: expected one in (0, 1], and 1 or more"
            )
        self.threshold = threshold
        self.capacity = capacity
        self.count = 0
        self._clock = 0
        self._leaders: list[_Leader] = []
        self._rows: Integers = np.zeros((capacity, 0), dtype=np.int8)
        self._used = np.zeros(capacity, dtype=np.int64)  # when each was joined last

    def assign(self, embeddings: Floats, texts: Sequence[str]) -> list[int]:
        """Assign each event to a group, in order.

        Parameters
        ----------
        embeddings
            Shape (n, hidden).
        texts
            The events; the start of a group's first one is kept to show it by.
        """
        rows, found = rounded(embeddings), []
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            found.extend(self._assign(rows[part], texts[part]))
        return found

    def largest(self, most: int = 10) -> list[Group]:
        """Return the largest groups that are remembered."""
        chosen = sorted(self._leaders, key=lambda leader: (-leader.size, leader.group))[:most]
        return [Group(leader.group, leader.size, leader.text) for leader in chosen]

    def _assign(self, rows: Integers, texts: Sequence[str]) -> list[int]:
        if not self._leaders:
            self._rows = np.zeros((self.capacity, rows.shape[1]), dtype=np.int8)
        events, known = wide(rows), len(self._leaders)
        near = np.full((len(rows), min(self.capacity, known + len(rows))), -1.0)
        near[:, :known] = cosines(events, wide(self._rows[:known]))
        found = []
        for i, text in enumerate(texts):
            place = int(near[i].argmax())
            if near[i, place] < self.threshold:
                place = self._start(rows[i], text)
                near[i:, place] = cosines(events[i:], events[i : i + 1])[:, 0]
            self._used[place] = self._clock
            self._clock += 1
            self._leaders[place].size += 1
            found.append(self._leaders[place].group)
        return found

    def _start(self, row: Integers, text: str) -> int:
        """Return a new group's place: a free one, or that of the group joined longest ago."""
        leader = _Leader(self.count, text[:SHOWN], 0)
        self.count += 1
        if len(self._leaders) < self.capacity:
            place = len(self._leaders)
            self._leaders.append(leader)
        else:
            place = int(self._used.argmin())
            self._leaders[place] = leader
        self._rows[place] = row
        return place

    def to_json(self) -> dict[str, Any]:
        """Return the whole state as plain JSON, to go on from."""
        return {
            "threshold": self.threshold,
            "capacity": self.capacity,
            "count": self.count,
            "clock": self._clock,
            "used": self._used[: len(self._leaders)].tolist(),
            "leaders": [[leader.group, leader.text, leader.size] for leader in self._leaders],
            "hidden": self._rows.shape[1],
            "rows": base64.b64encode(self._rows[: len(self._leaders)].tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Groups:
        """Go on from what `to_json` gave."""
        groups = cls(data["threshold"], data["capacity"])
        groups.count, groups._clock = data["count"], data["clock"]
        groups._leaders = [_Leader(*leader) for leader in data["leaders"]]
        known = len(groups._leaders)
        groups._used[:known] = data["used"]
        groups._rows = np.zeros((groups.capacity, data["hidden"]), dtype=np.int8)
        stored = base64.b64decode(data["rows"])
        groups._rows[:known] = np.frombuffer(stored, dtype=np.int8).reshape(known, data["hidden"])
        return groups
