"""Simulate labelled traffic, so that the main job runs on a fresh machine.

THIS TRAFFIC IS SIMULATED. Every event is written by the small grammars in this folder; figures
measured on it say how the machinery behaves and say nothing about real traffic. Judge a model on
your own data.

The classes are normal, suspicious and malicious. The label is always decided by the text: by the
words themselves in easy families, elsewhere only by what stands in which place (an injection quoted
in a comment or put into a key, the host that is downloaded from or the one only mentioned, the order
of two steps, which side sent the bytes), so that counting characters is not enough: there the
benign and the malicious event are twins, written from the same words in one group. Some families
are rare (under 1 %), some are held out of training (`novel`), and much of the benign traffic is
built from the pieces of attacks (`hard_benign`). The attack strings are inert textbook examples.

One file per domain writes the texts, `families.py` is the table of what there is, `words.py` holds
names and addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.events.simulate.families import ALONE, NOVEL, TWINS, Family
from overproof.events.simulate.words import actor

_START = datetime(2026, 1, 5)
_TRAIN_DAYS, _TEST_DAYS = 12, 4
_TRIES = 200
_DIGITS_TO_ZERO = str.maketrans("123456789", "000000000")


FamilySet = tuple[Family, ...]  # one family alone, or two twins


@dataclass(frozen=True)
class Traffic:
    """Simulated events to train on and to measure with; the test comes later in time.

    Attributes
    ----------
    train, test
        Event tables (`overproof.events.schema.SCHEMA`) with the further columns `source` ("simulated"),
        `hard_benign` (benign, but built from the pieces of an attack) and `novel` (of a family
        that training does not have; never true in `train`).
    """

    train: pa.Table
    test: pa.Table


@dataclass(frozen=True)
class _Event:
    text: str
    family: Family
    group: str


def simulate(count: int, *, seed: int) -> Traffic:
    """Simulate labelled traffic.

    No group stands on both sides, and neither does a text or its template (lower case, digits as
    zeros): a template belongs to one group only.

    Parameters
    ----------
    count
        Training events. The test gets a third as many of the same families, plus 1 % of `count` of
        each novel family (at least 3). Under about 300, rare families may be missing.
    seed
        The same seed gives the same events; the global random state is left alone.

    Raises
    ------
    InputError
        If `count` is not positive.
    """
    if count < 1:
        raise InputError(f"cannot simulate {count} events: the number of events must be 1 or more")
    rng = Random(seed)
    owners: dict[str, str] = {}
    trained = [*((family,) for family in ALONE), *TWINS]
    novel = [(family,) for family in NOVEL]
    train = _events(rng, "train", _shares(trained, count), owners)
    test = _events(rng, "test", _shares(trained, max(1, round(count / 3))), owners)
    test += _events(rng, "novel", _shares(novel, max(3, round(count / 100)) * len(novel)), owners)
    return Traffic(
        train=_table(rng, train, "train", _START, _TRAIN_DAYS),
        test=_table(rng, test, "test", _START + timedelta(days=_TRAIN_DAYS), _TEST_DAYS),
    )


def _shares(family_sets: Sequence[FamilySet], count: int) -> list[tuple[FamilySet, list[int]]]:
    """Split a count by weight; the largest remainders get what rounding leaves over."""
    families = [family for family_set in family_sets for family in family_set]
    total = sum(family.weight for family in families)
    exact = [count * family.weight / total for family in families]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: count - sum(counts)]:
        counts[i] += 1
    left = iter(counts)
    return [(family_set, [next(left) for _ in family_set]) for family_set in family_sets]


def _events(
    rng: Random, side: str, shares: Sequence[tuple[FamilySet, list[int]]], owners: dict[str, str]
) -> list[_Event]:
    """Write every set's events, in groups of up to four that share an actor."""
    events: list[_Event] = []
    for family_set, share in shares:
        left = list(share)
        while any(left):
            size = rng.randint(1, 4 // len(family_set))
            sizes = [min(size, rest) for rest in left]
            events += _group(rng, family_set, sizes, f"{side}:{family_set[0].domain}:{len(owners)}", owners)
            left = [rest - size for rest, size in zip(left, sizes, strict=True)]
    return events


def _group(
    rng: Random, family_set: FamilySet, sizes: Sequence[int], group: str, owners: dict[str, str]
) -> list[_Event]:
    """Write one group's events, twins from the same draws; draw again what another group owns or a text repeats."""
    who = actor(rng)
    events: dict[str, _Event] = {}
    for i in range(max(sizes)):
        writing = [family for family, size in zip(family_set, sizes, strict=True) if i < size]
        for _ in range(_TRIES):
            draws = rng.getrandbits(64)
            texts = [family.write(Random(draws), who) for family in writing]
            templates = [text.lower().translate(_DIGITS_TO_ZERO) for text in texts]
            fresh = len(set(texts) - set(events)) == len(texts)
            if fresh and all(owners.get(template, group) == group for template in templates):
                break
        else:
            raise InputError(
                f"cannot simulate that many events: the family {family_set[0].name} has no further variety"
            )
        owners.update(dict.fromkeys(templates, group))
        events |= {text: _Event(text, family, group) for text, family in zip(texts, writing, strict=True)}
    return list(events.values())


def _table(rng: Random, events: list[_Event], side: str, start: datetime, days: int) -> pa.Table:
    """Shuffle the events into the order of their times."""
    rng.shuffle(events)
    seconds = sorted(rng.randrange(days * 86400) for _ in events)
    return event_table(
        {
            "text": [event.text for event in events],
            "label": [event.family.label for event in events],
            "family": [event.family.name for event in events],
            "time": [(start + timedelta(seconds=second)).isoformat() + "Z" for second in seconds],
            "group": [event.group for event in events],
            "origin": [f"simulated:{side}:{i + 1}" for i in range(len(events))],
            "source": ["simulated"] * len(events),
            "hard_benign": [event.family.hard for event in events],
            "novel": [event.family.novel for event in events],
        }
    )
