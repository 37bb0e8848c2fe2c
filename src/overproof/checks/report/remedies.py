"""Say what would open a closed gate: more events of which kind and how many, another threshold, another student."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.checks.base import UNMEASURED, GateResult
from overproof.checks.boundary.compute import NEAREST
from overproof.checks.report.outcome import CheckOutcome
from overproof.report.words import count, short

# What the events are called that a gate needs more of; {which} is what stands behind the colon of its key.
NEEDS = {
    "own-data/published": "events of your own",
    "own-data/full-model": "validation events",
    "own-data/leaked": "events",
    "own-data/score-drift": "events",
    "own-data/field-drift": "events",
    "calibration/error": "labelled events",
    "calibration/against-full": "labelled events",
    "calibration/threshold-drift": "benign events",
    "rare/pooled": "attacks of rare families",
    "rare/family": "attacks of the family {which}",
    "rare/slices": "events where {which}",
    "rare/hard-benign": "hard benign events",
    "boundary/edits": "events near the boundary",
    "boundary/neighbours": "events near the boundary",
    "boundary/quantization": "events near the boundary",
    "held-out/misses": "attacks",
    "held-out/false-positives": "benign events",
    "held-out/quantized-alone": "attacks",
    "held-out/novel": "attacks of families that nobody was trained on",
    "held-out/family": "attacks of the family {which}",
    "escalation/guarantee": "attacks that the full model detects",
    "escalation/verified": "attacks that the full model detects",
    "escalation/budget": "events",
    "escalation/deferred": "events",
    "redteam/exclusive": "attacks for the red team to edit",
    "redteam/cascade-bypass": "attacks for the red team to edit",
    "redteam/flood": "hostile events",
    "explanation/unfaithful": "alerts",
}
LIKE_THESE = "Compress again with events like these among those for training"
RARER = "Compress again with more training events of {}, or a larger student."
FLOAT = "Quantize again with a stricter guard (`overproof quantize --max-flips`), so that more layers stay in float."
# What opens a gate that failed: more events alone do not.
FAILED = {
    "own-data/published": "Check it on labelled events of your own; `--accept-public-data` judges by these all the "
    "same, and the verdict says so.",
    "own-data/full-model": "Give the teacher that the bundle was made by as `--full`, or allow another one on purpose "
    "in the gate file: `full-model = { limit = 1 }` under `[own-data]`.",
    "own-data/leaked": "Check it on events that are newer than those for training, or leave out what they share.",
    "own-data/score-drift": f"{LIKE_THESE}.",
    "own-data/field-drift": f"{LIKE_THESE}.",
    "calibration/error": "Compress again with validation events like these: its temperature is fitted to them.",
    "calibration/against-full": "Compress again with validation events like these: its temperature is fitted to them.",
    "calibration/threshold-drift": "Do not take over the full model's threshold, use the bundle's own; or another "
    "student.",
    "rare/pooled": RARER.format("the rare families"),
    "rare/family": RARER.format("the family {which}"),
    "rare/slices": RARER.format("those where {which}"),
    "rare/hard-benign": "Compress again with more benign events like these for training, or a larger student.",
    "boundary/edits": "Compress again with `--harden`, which trains on edited attacks, or a larger student.",
    "boundary/neighbours": FLOAT,
    "boundary/quantization": FLOAT,
    "held-out/misses": "A larger student, or more attacks for training; or the full model behind it, once the gates of "
    "escalation are open.",
    "held-out/false-positives": "A larger student, or more benign events like these for training; or a higher "
    "threshold, which misses more.",
    "held-out/quantized-alone": FLOAT,
    "held-out/novel": "A larger student, taught by a pool of unlike text too (`overproof compress --pool`); or the "
    "full model behind it.",
    "held-out/family": RARER.format("families like {which}"),
    "escalation/guarantee": "A larger student, or a higher `--budget`, so that more goes to the full model.",
    "escalation/verified": "A higher `--budget`, so that less of what should go to the full model is deferred; or a "
    "larger student.",
    "escalation/budget": "A higher `--budget`, if the full model can take it, or a larger student, which is sure of "
    "more.",
    "escalation/deferred": "A higher `--budget`, if the full model can take it, or a larger student, which is sure of "
    "more.",
    "redteam/exclusive": "Compress again with `--harden`, which trains on edited attacks.",
    "redteam/cascade-bypass": "Compress again with `--harden`, which trains on edited attacks.",
    "redteam/flood": "A higher `--budget`, or fewer reasons to escalate.",
    "explanation/unfaithful": "Do not rely on its explanations, or another student.",
}
# What a gate lacks that could not be measured at all: what its finding names, and what gives it.
GIVEN = {
    "no threshold was found": "Decided by the threshold that escalation/guarantee has yet to find.",
    "--evidence": "Run the check again with `--evidence`, the folder that `overproof compress --evidence` wrote.",
    "--full": "Run the check again with `--full`, the full model.",
    "overproof[attack]": "Install what proves that edits change nothing, `pip install 'overproof[attack]'`, and run "
    "the check again.",
}
OTHERWISE = "Give what its finding says is missing, and run the check again."
AT_LIMIT = (
    "More events hardly decide: another student, or a limit that the use allows, in the gate file of the next run."
)


@dataclass(frozen=True)
class Remedy:
    """What would open a gate.

    Attributes
    ----------
    text
        In a sentence.
    kind, needed
        Of which events how many independent ones it takes; None where it is not a question of their number.
    """

    text: str
    kind: str | None = None
    needed: int | None = None


def remedy(gate: GateResult, report: CheckOutcome) -> Remedy:
    """Say what would open a gate that is not."""
    base, _, which = gate.key.partition(":")
    which = short(which) or "they were found"
    if gate.status != UNMEASURED:
        return Remedy(FAILED[base].replace("{which}", which))
    if gate.needed is not None:
        return _more(gate, NEEDS[base].replace("{which}", which), _most(base, report))
    if gate.value is not None:
        return Remedy(AT_LIMIT)
    return Remedy(next((text for words, text in GIVEN.items() if words in gate.message), OTHERWISE))


def _most(base: str, report: CheckOutcome) -> int | None:
    """Return how many such events a check looks at, at most; None where at all of them."""
    check = base.partition("/")[0]
    return NEAREST if check == "boundary" else report.proof.attack.sample if check == "redteam" else None


def _more(gate: GateResult, kind: str, most: int | None) -> Remedy:
    needed = gate.needed or 0
    if most is not None and needed > most:
        return Remedy(
            f"It would take {count(needed)} independent {kind}, and the check looks at {count(most)}: {AT_LIMIT}"
        )
    return Remedy(needs(kind, needed, gate), kind, needed)


def needs(kind: str, needed: int, gate: GateResult) -> str:
    """Say of which events how many it takes, and how many there are."""
    there = gate.events if gate.units is None else gate.units
    here = "" if there is None else f" (here {count(there)})"
    return f"Check it on {count(needed)} independent {kind}{here}."
