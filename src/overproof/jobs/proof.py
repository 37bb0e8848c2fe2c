"""Say what a check is a proof of: the bundle, the full model, the policy and the events that it was made with."""

from __future__ import annotations

import hashlib
import json

from overproof.bundle.manifest import Bundle, seal
from overproof.checks.report.proof import DIGEST, BundleDigests, ReplayedPolicy
from overproof.inference.cascade.policy import Policy

SHOWN = 200  # characters of a manifest's entry that are kept as they are, so that a difference can be told
SEED_DIGITS = 8  # hexadecimal ones, of the events' hash: 2^32 seeds


def digests_of(bundle: Bundle) -> BundleDigests:
    """Hash a bundle whole, and each of its files and of its manifest's entries."""
    entries = {name: value for name, value in bundle.manifest.to_json().items() if name != "files"}
    return BundleDigests(
        sha256=seal(bundle.manifest),
        files={name: str(listed["sha256"]) for name, listed in bundle.manifest.files.items()},
        entries={name: _shown(json.dumps(value, sort_keys=True)) for name, value in entries.items()},
    )


def replayed(policy: Policy, budget: float, confidence: float | None) -> ReplayedPolicy:
    """Describe a policy with its budget.

    Parameters
    ----------
    confidence
        The threshold in the place of the policy's own; None where none was found.
    """
    return ReplayedPolicy(
        confidence=confidence,
        margin=policy.margin,
        ood_distance=policy.ood_distance,
        overflow=policy.overflow,
        never_alone=tuple(sorted(set(policy.never_alone))),
        temperature=policy.temperature,
        budget=budget,
        on_full_down=policy.on_full_down,
    )


def seed_of(events: str) -> int:
    """Take a seed from the hash of the events, so that nobody can choose the best of several."""
    return int(events[:SEED_DIGITS], 16)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else DIGEST + hashlib.sha256(text.encode()).hexdigest()
