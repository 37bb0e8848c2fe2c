"""Rate how grave a verdict is, by the names and numbers of OCSF's `severity_id`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.errors import InputError
from overproof.inference.cascade import Verdicts

INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL = 1, 2, 3, 4, 5
NAMES: Mapping[int, str] = {
    INFORMATIONAL: "informational",
    LOW: "low",
    MEDIUM: "medium",
    HIGH: "high",
    CRITICAL: "critical",
}

SURE, LIKELY = 0.9, 0.5

# Labels whose attack runs code on the machine when it succeeds, and labels of what only prepares an attack or leads a
# user away. Every other attack is high: what is not known is not belittled.
RUNS_CODE = frozenset("cmdi command-injection rce rfi ssti deserialization webshell u2r ransomware".split())
PREPARES = frozenset("suspicious probe scan port-scan sweep recon reconnaissance open-redirect".split())


def severity(label: str | None, attack: float | None, benign: Collection[str], status: str) -> int:
    """Return the severity of a label and its probability, 1 (informational) to 5 (critical).

    What the attack can do sets the highest severity (`RUNS_CODE` critical, `PREPARES` medium, else high); the
    probability decides how much of it: all from `SURE`, one less from `LIKELY`, low under that. A verdict that nobody
    decided is one less again, but never below low, even if it says benign: someone should look.

    Parameters
    ----------
    label, attack, status
        As in the verdict; None, of scores that are no numbers, may be anything that is not benign.
    benign
        Benign labels; one that was decided is informational.
    """
    decided = status == "decided"
    if label in benign:
        return INFORMATIONAL if decided else LOW
    attack = 1.0 if attack is None else attack
    if attack < LIKELY:
        return LOW
    return max(LOW, _most(label) - bool(attack < SURE) - (not decided))


def severities(verdicts: Verdicts, benign: Collection[str], excepted: Collection[int] = ()) -> NDArray[np.int8]:
    """Return the severities of n verdicts, shape (n,); those that rules silence are `excepted`."""
    labels: list[str | None] = [*verdicts.scores.classes, None]  # the last is that of no label, which stands at -1
    most = np.array([_most(label) for label in labels], dtype=np.int8)[verdicts.best]
    tame = np.array([label in benign for label in labels])[verdicts.best]
    decided = np.array(verdicts.settled.status) == "decided"
    attack = np.nan_to_num(verdicts.attack, nan=1.0)
    found = np.maximum(LOW, most - (attack < SURE) - ~decided)
    found[attack < LIKELY] = LOW
    found = np.where(tame, np.where(decided, INFORMATIONAL, LOW), found).astype(np.int8)
    found[list(excepted)] = INFORMATIONAL
    return found


def _most(label: str | None) -> int:
    name = (label or "").lower()
    return CRITICAL if name in RUNS_CODE else MEDIUM if name in PREPARES else HIGH


def because(verdict: Mapping[str, Any]) -> str:
    """Say why an alert is as grave as it is: what its label can do, how likely it is, and who decided."""
    attack = verdict["attack"]
    if attack is None:
        likely = "nobody knows how likely it is"
    else:
        level = f"{SURE} or more" if attack >= SURE else f"below {SURE}: one level less"
        level = level if attack >= LIKELY else f"below {LIKELY}: low, whatever it is"
        likely = f"attack probability {written(attack)}, {level}"
    what = _SAID[_most(verdict["label"])].format(verdict["label"] or "what has no label")
    return f"{what}; {likely}; {_DECIDED[verdict['decided_by']]}"


def written(attack: float) -> str:
    """Write a probability with two digits, and never as more than it is: 0.8999 is below 0.9."""
    return f"{math.floor(100 * attack + 1e-9) / 100:.2f}"


_SAID = {
    CRITICAL: "{} runs code on the machine when it succeeds (critical at most)",
    HIGH: "{} is an attack (high at most)",
    MEDIUM: "{} only prepares an attack (medium at most)",
}
_DECIDED = {
    "student": "the student decided",
    "full": "the full model decided",
    "nobody": "nobody decided: one level less, and never below low",
}


def of(verdict: Mapping[str, Any], benign: Collection[str]) -> int:
    """Return the severity of a whole verdict; of one that a rule silences it is informational."""
    if "excepted" in verdict:
        return INFORMATIONAL
    return severity(verdict["label"], verdict["attack"], benign, verdict["status"])


def parse(name: str) -> int:
    """Return the number of a severity's name, in any case.

    Raises
    ------
    InputError
        If there is no such severity.
    """
    for number, known in NAMES.items():
        if name.strip().lower() == known:
            return number
    raise InputError(f"severity {name!r}: expected one of {', '.join(NAMES.values())}")
