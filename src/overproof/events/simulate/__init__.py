"""The built-in labelled traffic, so that the main job runs on a fresh machine.

THIS TRAFFIC IS SIMULATED. Every event is written by the small grammars in this folder; figures
measured on it say how the machinery behaves and say nothing about real traffic. Judge a model on
your own data.

The classes are normal, suspicious and malicious. The label is always decided by the text: by the
words themselves in easy families, elsewhere only by what stands in which place (an injection quoted
in a comment or put into a key, the host that is downloaded from or the one only mentioned, the order
of two steps, which side sent the bytes), so that counting characters is not enough: there the
harmless and the harmful event are twins, written from the same words in one group. Some families
are rare (under 1 %), some are held out of training (`novel`), and much of the harmless traffic is
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


Team = tuple[Family, ...]  # one family alone, or two twins


@dataclass(frozen=True)
class Traffic:
    """Simulated events to train on and to measure with; the test comes later in time.

    Attributes
    ----------
    train, test
        Event tables (`overproof.events.schema.SCHEMA`) with the further columns `source` ("simulated"),
        `hard_benign` (harmless, but built from the pieces of an attack) and `novel` (of a family
        that training does not have; never true in `train`).
    """

    train: pa.Table
    test: pa.Table


@dataclass(frozen=True)
class _Draft:
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
    known = [*((family,) for family in ALONE), *TWINS]
    novel = [(family,) for family in NOVEL]
    train = _drafts(rng, "train", _shares(known, count), owners)
    test = _drafts(rng, "test", _shares(known, max(1, round(count / 3))), owners)
    test += _drafts(rng, "novel", _shares(novel, max(3, round(count / 100)) * len(novel)), owners)
    return Traffic(
        train=_table(rng, train, "train", _START, _TRAIN_DAYS),
        test=_table(rng, test, "test", _START + timedelta(days=_TRAIN_DAYS), _TEST_DAYS),
    )


def _shares(teams: Sequence[Team], count: int) -> list[tuple[Team, list[int]]]:
    """Split a count by weight; the largest remainders get what rounding leaves over."""
    families = [family for team in teams for family in team]
    total = sum(family.weight for family in families)
    exact = [count * family.weight / total for family in families]
    whole = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: count - sum(whole)]:
        whole[i] += 1
    left = iter(whole)
    return [(team, [next(left) for _ in team]) for team in teams]


def _drafts(rng: Random, side: str, shares: Sequence[tuple[Team, list[int]]], owners: dict[str, str]) -> list[_Draft]:
    """Write every team's events, in groups of up to four that share an actor."""
    drafts: list[_Draft] = []
    for team, share in shares:
        left = list(share)
        while any(left):
            size = rng.randint(1, 4 // len(team))
            sizes = [min(size, rest) for rest in left]
            drafts += _group(rng, team, sizes, f"{side}:{team[0].domain}:{len(owners)}", owners)
            left = [rest - size for rest, size in zip(left, sizes, strict=True)]
    return drafts


def _group(rng: Random, team: Team, sizes: Sequence[int], group: str, owners: dict[str, str]) -> list[_Draft]:
    """Events of one group, twins from the same draws; what another group owns or the text repeats is drawn again."""
    who = actor(rng)
    drafts: dict[str, _Draft] = {}
    for i in range(max(sizes)):
        writing = [family for family, size in zip(team, sizes, strict=True) if i < size]
        for _ in range(_TRIES):
            draws = rng.getrandbits(64)
            texts = [family.write(Random(draws), who) for family in writing]
            templates = [text.lower().translate(_DIGITS_TO_ZERO) for text in texts]
            fresh = len(set(texts) - set(drafts)) == len(texts)
            if fresh and all(owners.get(template, group) == group for template in templates):
                break
        else:
            raise InputError(f"cannot simulate that many events: the family {team[0].name} has no further variety")
        owners.update(dict.fromkeys(templates, group))
        drafts |= {text: _Draft(text, family, group) for text, family in zip(texts, writing, strict=True)}
    return list(drafts.values())


def _table(rng: Random, drafts: list[_Draft], side: str, start: datetime, days: int) -> pa.Table:
    """Shuffle the events into the order of their times."""
    rng.shuffle(drafts)
    seconds = sorted(rng.randrange(days * 86400) for _ in drafts)
    return event_table(
        {
            "text": [draft.text for draft in drafts],
            "label": [draft.family.label for draft in drafts],
            "family": [draft.family.name for draft in drafts],
            "time": [(start + timedelta(seconds=second)).isoformat() + "Z" for second in seconds],
            "group": [draft.group for draft in drafts],
            "origin": [f"simulated:{side}:{i + 1}" for i in range(len(drafts))],
            "source": ["simulated"] * len(drafts),
            "hard_benign": [draft.family.hard for draft in drafts],
            "novel": [draft.family.novel for draft in drafts],
        }
    )
