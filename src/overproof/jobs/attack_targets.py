"""Choose what an attack edits: labelled events of families that edits are known for, and that all models get right."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pyarrow as pa

from overproof.errors import InputError
from overproof.events.families import families_of
from overproof.jobs.attack_config import AttackConfig
from overproof.redteam.base import Edited, mutated
from overproof.redteam.campaign import Target
from overproof.redteam.domains import domain_of, why_none
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.referee import Claim, Referee
from overproof.redteam.victim import Victim

ATTACKS, BENIGN = "attacks", "benign"
PLAIN = "plain"  # the edits of benign text that is no whole event


@dataclass(frozen=True)
class Targets:
    """What is attacked.

    Attributes
    ----------
    attacks, benign
        Attacks that are edited, and benign events that are.
    left_out
        Why others are not attacked, to how many.
    """

    attacks: tuple[Target, ...]
    benign: tuple[Target, ...]
    left_out: Mapping[str, int]

    def of(self, objective: str) -> tuple[Target, ...]:
        """Return those that an objective edits."""
        return self.attacks if OBJECTIVES[objective].edits == ATTACKS else self.benign


@dataclass(frozen=True)
class Judges:
    """Who has to get an event right for it to be attacked: otherwise there is nothing to lose.

    Attributes
    ----------
    victims
        Model to what it makes of texts.
    referee
        Asks the full model, and the oracles.
    """

    victims: Mapping[str, Victim]
    referee: Referee


def choose(config: AttackConfig, events: pa.Table, benign: Sequence[str], judges: Judges) -> Targets:
    """Choose events as `evenly` does.

    Raises
    ------
    InputError
        A family that no event has, or no event that can be attacked.
    """
    targets = evenly(config, events, benign, judges)
    if not targets.attacks and not targets.benign:
        why = "; ".join(targets.left_out) or "none is labelled"
        raise InputError(
            f"no event can be attacked ({why}): expected labelled ones that the bundle and the full model get right"
        )
    return targets


def evenly(config: AttackConfig, events: pa.Table, benign: Sequence[str], judges: Judges) -> Targets:
    """Choose events evenly over the families, so that a rare one is attacked too; perhaps there is none."""
    left_out: Counter[str] = Counter()
    found = _editable(config, events, benign, left_out)
    chosen = {kind: _right(_drawn(some, config), kind, judges, left_out) for kind, some in found.items()}
    # Side by side are those of one domain: an oracle that starts a browser or a shell is then asked in few rounds.
    attacks, innocent = (tuple(sorted(chosen[kind], key=lambda target: target.domain)) for kind in (ATTACKS, BENIGN))
    return Targets(attacks, innocent, {why: count for why, count in left_out.items() if count})


def fitting_domain(text: str, family: str | None, *, benign: bool) -> str | None:
    """Return the domain whose edits fit an event, `plain` for benign text that is no whole event; None where none do.

    The family of a benign event says nothing of its text.
    """
    return domain_of(text, None if benign else family) or (PLAIN if benign else None)


def _editable(
    config: AttackConfig, events: pa.Table, benign: Sequence[str], left_out: Counter[str]
) -> dict[str, list[Target]]:
    """Return the events, each text once, of whose families an objective edits some and edits are known."""
    families = families_of(events)
    unknown = [name for name in config.families if name not in families]
    if unknown:
        raise InputError(f"--family {unknown[0]}: expected one of {', '.join(sorted(set(filter(None, families))))}")
    wanted = {OBJECTIVES[name].edits for name in config.objectives}
    found: dict[str, list[Target]] = {ATTACKS: [], BENIGN: []}
    seen: set[str] = set()
    columns = (events["text"].to_pylist(), events["label"].to_pylist(), families)
    for row, (text, label, family) in enumerate(zip(*columns, strict=True)):
        kind = BENIGN if label in benign else ATTACKS
        if label is None or kind not in wanted or text in seen or (config.families and family not in config.families):
            continue
        seen.add(text)
        domain = fitting_domain(text, family, benign=kind == BENIGN)
        if domain is None:
            left_out[why_none(text, family)] += 1
        elif mutated(Edited(text), MUTATORS[domain], Random(0)) is None:
            left_out[f"no edit has a place in it ({domain})"] += 1
        else:
            found[kind].append(Target(row, text, str(family), domain, covered=False))
    return found


def _drawn(targets: Sequence[Target], config: AttackConfig) -> list[Target]:
    """Take the family with fewest so far in turn; which of its events is drawn hangs on the seed and the text."""
    of: dict[str, list[Target]] = {}
    for target in sorted(targets, key=lambda target: _hash(config.seed, target.text)):
        of.setdefault(target.family, []).append(target)
    ordered = [target for place in range(max(map(len, of.values()), default=0)) for target in _nth(of, place)]
    return ordered[: config.sample]


def _nth(of: Mapping[str, list[Target]], place: int) -> list[Target]:
    return [targets[place] for _, targets in sorted(of.items()) if place < len(targets)]


def _right(targets: Sequence[Target], kind: str, judges: Judges, left_out: Counter[str]) -> list[Target]:
    """Leave out what a model gets wrong unedited, and tell of the others whether the oracle covers them."""
    if not targets:
        return []
    texts, attacks = [target.text for target in targets], kind == ATTACKS
    right = {model: victim(texts).attack == attacks for model, victim in judges.victims.items()}
    if judges.referee.ask_full is not None:
        right["full model"] = (judges.referee.ask_full(texts) > 0.5) == attacks
    kept = np.ones(len(targets), dtype=bool)
    for model, found in right.items():
        left_out[f"the {model} gets it wrong as it is"] += int((kept & ~found).sum())
        kept &= found
    some = [target for target, keeps in zip(targets, kept.tolist(), strict=True) if keeps]
    proofs = judges.referee.prove([Claim(target.domain, target.text, target.text) for target in some])
    return [replace(target, covered=p.meaning == "proved") for target, p in zip(some, proofs, strict=True)]


def _hash(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{text}".encode("utf-8", "backslashreplace"), digest_size=8).digest()
