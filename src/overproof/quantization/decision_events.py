"""Set events apart that decide: what is decided must be new to all that was chosen before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.checks.stats import Units
from overproof.checks.units import units_of
from overproof.errors import InputError
from overproof.events.families import families_of

_LETTERS = str.maketrans("0123456789", "ghijklmnop")  # digits count for nothing where near-duplicates are looked for


@dataclass(frozen=True)
class DecisionEvents:
    """The events that guards are decided on.

    Attributes
    ----------
    events
        Of them none hangs together with an event that chose.
    chosen_from
        Which events these are, in words.
    left_out
        How many were left out since they do.
    """

    events: pa.Table
    chosen_from: str
    left_out: int = 0

    @classmethod
    def unseen(cls, events: pa.Table, seen: pa.Table, chosen_from: str) -> DecisionEvents:
        """Take the events that hang together with none that was seen: no near-duplicate, no event of its group."""
        kept = _unseen(events, seen)
        return cls(events.filter(pa.array(kept, pa.bool_())), chosen_from, int((~kept).sum()))

    def require_any(self) -> DecisionEvents:
        """Return itself; raise InputError if no event is left."""
        if not self.events.num_rows:
            raise InputError(
                f"each of the {self.left_out:,} {self.chosen_from} is a near-duplicate of one that is learned from or "
                "chosen by, or of one group with it: none is left to decide the guards by; give others by --test FILE"
            )
        return self


def units_of_events(events: pa.Table) -> Units:
    """Return how events hang together (see `checks.units`); of numbers, exact copies do."""
    return units_of(_texts(events), _groups(events))


def divide_by_units(events: pa.Table, share: float, *, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Divide events in two, so that nothing on one side hangs together with the other.

    Each family is divided in these shares, as far as its units allow; one of a single unit is for the second side. The
    same events in another order are divided the same way.

    Parameters
    ----------
    share
        Share of the events for the second side, between 0 and 1.

    Returns
    -------
    Table, Table
        Each in the original order.
    """
    component = units_of_events(events).joined()
    size = np.bincount(component)
    family = _rarest_family(component, [name or "" for name in families_of(events)])
    names = _names(component, _texts(events), _groups(events))
    drawn = sorted(range(len(size)), key=lambda i: _hash(seed, names[i]))
    second = np.zeros(len(size), dtype=bool)
    for name in sorted(set(family)):
        members = np.array([i for i in drawn if family[i] == name], dtype=np.intp)
        second[members] = _second(size[members], share)
    mask = second[component]
    return events.filter(pa.array(~mask)), events.filter(pa.array(mask))


def _second(size: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
    """Say which units of a family, in the order drawn, are for the second side."""
    room, taken = share * size.sum(), np.zeros(len(size), dtype=bool)
    for index, events in enumerate(size.tolist()):
        if events <= room + 0.5:  # the half rounds to the nearest event
            room -= events
            taken[index] = True
    if not taken.any():
        taken[np.argmin(size)] = True
    if len(size) > 1 and taken.all():
        taken[np.argmax(size)] = False
    return taken


def _rarest_family(component: NDArray[np.intp], families: list[str]) -> list[str]:
    """Return the rarest family of each component: a component is divided as that one is."""
    names, counts = np.unique(families, return_counts=True)
    rarity = {name: (int(count), name) for name, count in zip(names.tolist(), counts.tolist(), strict=True)}
    found: dict[int, str] = {}
    for unit, name in zip(component.tolist(), families, strict=True):
        found[unit] = min(found.get(unit, name), name, key=rarity.__getitem__)
    return [found[unit] for unit in range(len(found))]


def _names(component: NDArray[np.intp], texts: list[str], groups: list[str | None]) -> list[str]:
    """Name each component by what the least of its events holds, whatever their order."""
    found: dict[int, str] = {}
    for unit, text, group in zip(component.tolist(), texts, groups, strict=True):
        name = f"{group}:{text}"
        found[unit] = min(found.get(unit, name), name)
    return [found[unit] for unit in range(len(found))]


def _hash(seed: int, name: str) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "backslashreplace"), digest_size=8).digest(), name


def _unseen(events: pa.Table, seen: pa.Table) -> NDArray[np.bool_]:
    """Say of each event whether it shares no unit with those that were seen, shape (n,)."""
    kept = np.ones(events.num_rows, dtype=bool)
    for way in units_of([*_texts(events), *_texts(seen)], [*_groups(events), *_groups(seen)]).ways:
        kept &= ~np.isin(way[: events.num_rows], way[events.num_rows :])
    return kept


def _texts(events: pa.Table) -> list[str]:
    """Return what is compared of each event: its text, or for numbers a word that stands for exactly these."""
    if "text" in events.column_names:
        texts: list[str] = events["text"].to_pylist()
        return texts
    return list(_words(events))


def _words(events: pa.Table) -> Iterator[str]:
    for values in events["values"].to_pylist():
        content = np.asarray(values, dtype=np.float32).tobytes()
        yield hashlib.blake2b(content, digest_size=16).hexdigest().translate(_LETTERS)


def _groups(events: pa.Table) -> list[str | None]:
    groups: list[str | None] = (
        events["group"].to_pylist() if "group" in events.column_names else [None] * events.num_rows
    )
    return groups
