"""Say what a check is a proof of, and how something else differs from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from overproof.checks.attacked import AttackSettings
from overproof.inference.cascade.policy import OnFullDown

SAME_ANSWER = 1e-3  # probabilities that lie closer are the same answer: services round, and CPUs add up in other orders
DIGITS = 16  # of a hash, in messages
DIGEST = "sha256:"  # stands before the hash of an entry that is too long to be kept itself


@dataclass(frozen=True)
class BundleDigests:
    """The bundle, whole: whatever decides its answers, and what they are taken for.

    Attributes
    ----------
    sha256
        Of the manifest, and so of everything: the manifest holds the hash of every file.
    files
        File to its sha256.
    entries
        Entry of the manifest to its JSON, or to `sha256:` and the hash of that where it is long.
    """

    sha256: str
    files: Mapping[str, str]
    entries: Mapping[str, str]


@dataclass(frozen=True)
class FullModelIdentity:
    """The full model: what it is made of, where that can be known, and what it answers.

    Attributes
    ----------
    kind, name
        What kind of model it is, and which one.
    fingerprint
        Changes whenever its answers could; None where that cannot be known: a service.
    answers
        Its probabilities for the program's probe texts, in the bundle's order of classes; None for soft labels that
        were computed elsewhere, which cannot be asked.
    """

    kind: str
    name: str
    fingerprint: str | None
    answers: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True)
class ReplayedPolicy:
    """The policy of the cascade that was replayed, which is the one to be deployed.

    Attributes
    ----------
    confidence
        Below this calibrated probability of its label an event is escalated; None where no threshold was found.
    margin
        Where the two best labels lie closer than this, the event is escalated.
    ood_distance
        An event that lies farther than this from all training events is escalated; None escalates none for it.
    overflow
        Whether an event that goes on past the last judged window is escalated.
    never_alone
        Labels that the student may not decide.
    temperature
        At which the student's probabilities are calibrated.
    budget
        Share of the events that may be escalated.
    on_full_down
        What becomes of an escalated event when the full model does not answer: `hold`, `student` or `fail`.
    """

    confidence: float | None
    margin: float
    ood_distance: float | None
    overflow: bool
    never_alone: tuple[str, ...]
    temperature: float
    budget: float
    on_full_down: OnFullDown


@dataclass(frozen=True)
class ProvenEvents:
    """The events, and how they were drawn from.

    Attributes
    ----------
    sha256
        Of texts and labels, in any order.
    seed
        Of everything random.
    seed_given
        Whether somebody chose it; otherwise the events' hash did.
    """

    sha256: str
    seed: int
    seed_given: bool


@dataclass(frozen=True)
class Proof:
    """What a check is a proof of: of all of this together, and of nothing else.

    Attributes
    ----------
    bundle
        The bundle, whole.
    full
        The full model; None where there was none.
    policy
        When an event goes to it.
    events
        What was measured on.
    attack
        How they were attacked.
    """

    bundle: BundleDigests
    full: FullModelIdentity | None
    policy: ReplayedPolicy
    events: ProvenEvents
    attack: AttackSettings


def bundle_differences(checked: BundleDigests, found: BundleDigests) -> list[str]:
    """Say how a bundle differs from the one that was checked, an entry a sentence; empty if it does not."""
    if checked.sha256 == found.sha256:
        return []
    files = _differing(checked.files, found.files)
    entries = _differing(checked.entries, found.entries)
    told = [f"its {name} is another file ({_hashes(checked.files, found.files, name)})" for name in files]
    told += [_entry(name, checked.entries.get(name), found.entries.get(name)) for name in entries]
    return told or [f"its manifest differs (sha256 checked {checked.sha256[:DIGITS]}…, now {found.sha256[:DIGITS]}…)"]


def full_differences(checked: FullModelIdentity, found: FullModelIdentity) -> list[str]:
    """Say how a full model differs from the one that was checked; empty if it does not.

    Where both have a fingerprint they must be equal; the answers must be the same in any case.
    """
    prints = (checked.fingerprint, found.fingerprint)
    if None not in prints and prints[0] != prints[1]:
        return [f"the full model {found.name} is another one than was checked, {checked.name}: its fingerprint differs"]
    if checked.answers is None or found.answers is None:
        return ["the full model was soft labels computed elsewhere: whether any model is their source cannot be told"]
    if [len(row) for row in checked.answers] != [len(row) for row in found.answers]:
        return ["the full model was asked about other probe texts than this version has: run `overproof check` again"]
    pairs = zip(checked.answers, found.answers, strict=True)
    apart = [max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0.0) for a, b in pairs]
    other = [difference for difference in apart if not difference <= SAME_ANSWER]
    if not other:
        return []
    return [
        f"the full model {found.name} is another one than was checked, {checked.name}: it answers {len(other)} of "
        f"{len(apart)} probe texts differently, by up to {max(other):.3f} in probability"
    ]


def policy_differences(checked: ReplayedPolicy, found: ReplayedPolicy) -> list[str]:
    """Say how a policy differs from the one that was replayed, a setting a sentence; empty if it does not."""
    return [
        f"{OPTIONS.get(field.name, field.name)}: checked {_written(a)}, now {_written(b)}"
        for field in fields(ReplayedPolicy)
        if (a := getattr(checked, field.name)) != (b := getattr(found, field.name))
    ]


OPTIONS = {"budget": "--max-escalations", "never_alone": "--never-alone", "on_full_down": "--on-full-down"}


def _differing(checked: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the names under which something differs, those checked first."""
    return [name for name in dict.fromkeys([*checked, *found]) if checked.get(name) != found.get(name)]


def _hashes(checked: Mapping[str, str], found: Mapping[str, str], name: str) -> str:
    a, b = (f"{files[name][:DIGITS]}…" if name in files else "none" for files in (checked, found))
    return f"sha256 checked {a}, now {b}"


def _entry(name: str, checked: str | None, found: str | None) -> str:
    if any(text is None or text.startswith(DIGEST) for text in (checked, found)):
        return f"its entry {name} is not what was checked"
    a, b = (_written(json.loads(text or "null")) for text in (checked, found))
    verb = "differ" if name in ("classes", "thresholds", "signals", "versions") else "differs"
    return f"its {name} {verb}: checked {a}, the bundle's {b}"


def _written(value: object) -> str:
    if value is None or value in ((), []):
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)
