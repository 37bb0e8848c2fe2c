"""Decide what becomes of events before any full model is asked: policy and budget together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overproof.inference.cascade.budget import RESERVED, Bucket, Kind
from overproof.inference.cascade.policy import Deferrals

OVER_BUDGET: Mapping[Kind, str] = MappingProxyType(
    {
        "doubt": "over the escalation budget reserved for doubtful events",
        "ood": "over the escalation budget reserved for events out of distribution",
        "other": "over the escalation budget reserved for events that are too long or never decided alone",
    }
)


@dataclass(frozen=True)
class Decision:
    """What becomes of n events before the full model is asked.

    Attributes
    ----------
    deferrals
        The events that the student may not decide alone.
    escalated
        Those that the budget lets through, ascending.
    deferred
        Those that it does not, each to why.
    """

    deferrals: Deferrals
    escalated: list[int]
    deferred: Mapping[int, str]


def spend(found: Deferrals, bucket: Bucket) -> Decision:
    """Spend the budget on the events of one batch: of each kind of reason on those that need it most."""
    of = {kind: [i for i in found.rows if found.kinds[i] == kind] for kind in RESERVED}
    granted = bucket.grant(len(found.confidence), {kind: len(rows) for kind, rows in of.items()})
    escalated = sorted(i for kind, rows in of.items() for i in rows[: granted[kind]])
    over = {i: OVER_BUDGET[kind] for kind, rows in of.items() for i in rows[granted[kind] :]}
    return Decision(found, escalated, over)
