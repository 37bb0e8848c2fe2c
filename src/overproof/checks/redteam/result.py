"""Hold what the red team found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overproof.checks.attacked import AttackSettings, FloodMix
from overproof.checks.pairs import Share
from overproof.checks.stats import Interval
from overproof.results.attack_cases import Case
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class Falls:
    """How much falls to one attack on one model.

    Attributes
    ----------
    objective, model
        What was looked for, and in what.
    wants
        The former in a sentence.
    of
        Events with an edited text that does it, its meaning proved, out of those attacked.
    families
        The same by family.
    """

    objective: str
    model: str
    wants: str
    of: Share
    families: Mapping[str, Share]


@dataclass(frozen=True)
class Exclusive:
    """Evasions of the bundle against those of the control, which got the same attack on the same events.

    Attributes
    ----------
    n, units
        Events, and how many of them are independent.
    both, bundle_only, control_only
        How many fall in both, and in one alone.
    excess
        (bundle_only - control_only) / n, and its interval: what compression is to blame for.
    """

    n: int
    units: int
    both: int
    bundle_only: int
    control_only: int
    excess: Interval


@dataclass(frozen=True)
class Attacks:
    """What the attacks came to.

    Attributes
    ----------
    threshold
        The confidence below which the attacked cascade passes an event on (`bypass`, `flood`); None where the
        escalation check found none, and the bundle's own thresholds were taken.
    falls
        How much falls to each attack on each model.
    exclusive
        Evasions of the bundle beyond those of the control.
    past_cascade
        Attacks that get past the whole cascade although the full model detects the edited text.
    flood
        The cascade with its budget among hostile events.
    left_out
        Why events were not attacked, to how many.
    cases
        Every success against the bundle, as attack.jsonl has them.
    """

    threshold: float | None
    falls: tuple[Falls, ...]
    exclusive: Exclusive | NotMeasured
    past_cascade: Share | NotMeasured
    flood: tuple[FloodMix, ...] | NotMeasured
    left_out: Mapping[str, int]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class RedTeam:
    """What the red team found.

    Attributes
    ----------
    settings
        How events were attacked.
    attacks
        What that came to.
    """

    settings: AttackSettings
    attacks: Attacks | NotMeasured
