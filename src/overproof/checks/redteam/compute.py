"""Check 8, the red team: count what fell to an attack on the events, and decide by it.

The attack itself is made elsewhere, and handed over as `CheckContext.attacked`: searches propose edited texts, a
referee asks the full model, and an oracle proves that they still do the same.
"""

from __future__ import annotations

import numpy as np

from overproof.checks.attacked import BYPASS, EVASION, Attacked, Fallen, FloodMix
from overproof.checks.base import (
    CONTROL,
    QUANTIZED,
    CheckContext,
    CheckResult,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.formatting import among, change_within, percent, percent_within
from overproof.checks.paired_loss import decide_loss, loss_of
from overproof.checks.pairs import Share, share, share_measured
from overproof.checks.redteam.result import Attacks, Exclusive, Falls, RedTeam
from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured

KEY = "redteam"
EXCLUSIVE, CASCADE_BYPASS, FLOODED = f"{KEY}/exclusive", f"{KEY}/cascade-bypass", f"{KEY}/flood"


def redteam(context: CheckContext) -> CheckResult[RedTeam]:
    """Count what fell, what of it the control would have lost as well, and what a flood did to the cascade."""
    attacked = context.attacked
    if isinstance(attacked, NotMeasured):
        why = attacked.unmeasured
        gates = tuple(unmeasured(key, why, context.gate(key)) for key in (EXCLUSIVE, CASCADE_BYPASS, FLOODED))
        return _result(gates, RedTeam(context.attack_settings, attacked))
    exclusive, excess = _exclusive(context, attacked)
    bypass, past = _bypass(context, attacked)
    found = Attacks(
        threshold=attacked.threshold,
        falls=tuple(_falls(context, one) for one in attacked.fallen if len(one.rows)),
        exclusive=excess,
        past_cascade=past,
        flood=attacked.flood,
        left_out=dict(attacked.left_out),
        cases=attacked.cases,
    )
    return _result((exclusive, bypass, _flood(context, attacked.flood)), RedTeam(context.attack_settings, found))


def _result(gates: tuple[GateResult, ...], data: RedTeam) -> CheckResult[RedTeam]:
    return CheckResult(
        key=KEY,
        title="Red team",
        question="Which attacks get past it once they are edited, keeping what they do, and is compression to blame?",
        gates=gates,
        data=data,
    )


def _exclusive(context: CheckContext, found: Attacked) -> tuple[GateResult, Exclusive | NotMeasured]:
    """Decide by the evasions of the bundle beyond those of the control: pairs of the same events."""
    own, other = found.find(EVASION, QUANTIZED), found.find(EVASION, CONTROL)
    why = found.why_not.get(EVASION) or found.why_not.get(CONTROL) or _nobody(own, found)
    if why or own is None or other is None:
        why = why or f"the {CONTROL} was not attacked"
        return unmeasured(EXCLUSIVE, why, context.gate(EXCLUSIVE)), NotMeasured(why)
    rows = np.zeros(len(context.sample), dtype=bool)
    stands = np.ones((2, len(rows)), dtype=bool)  # in the control, and in the bundle
    rows[own.rows], stands[0, other.rows], stands[1, own.rows] = True, ~other.fell, ~own.fell
    loss = loss_of(context, rows, *stands)
    both, units = int((own.fell & other.fell).sum()), loss.pairs.units.count
    excess = Exclusive(loss.pairs.n, units, both, loss.pairs.full_only, loss.pairs.student_only, loss.pairs.loss)

    def message(figure: Interval) -> str:
        return (
            f"of {among(excess.n, 'attacks', units)}, edited within {context.attack_settings.queries:,} queries each, "
            f"{excess.bundle_only:,} fall in the bundle alone, {excess.control_only:,} in the {CONTROL} alone, "
            f"{both:,} in both (decided by the student, seen through by the full model, their meaning proved): "
            f"{change_within(figure, 'more', 'fewer')}"
        )

    return decide_loss(EXCLUSIVE, context, loss, message), excess


def _bypass(context: CheckContext, found: Attacked) -> tuple[GateResult, Share | NotMeasured]:
    """Decide by the attacks that get past the whole cascade although the full model would have seen them."""
    gate, own = context.gate(CASCADE_BYPASS), found.find(BYPASS, QUANTIZED)
    why = found.why_not.get(BYPASS) or _nobody(own, found)
    if why or own is None:
        return unmeasured(CASCADE_BYPASS, why or "", gate), NotMeasured(why or "")
    past, queries = own.fell & own.detected, context.attack_settings.queries
    measured = share_measured(past, context.units.take(own.rows), gate.limit)
    message = (
        f"of {among(len(past), 'attacks', measured.units or 0)}, edited within {queries:,} queries each, "
        f"{int(own.fell.sum()):,} get past the cascade, their meaning proved, and the full model alone "
        f"detects {int(past.sum()):,} of these: {percent_within(measured.figure)}"
    )
    return decided(CASCADE_BYPASS, message, gate, measured), share(int(past.sum()), len(past))


def _nobody(own: Fallen | None, found: Attacked) -> str | None:
    """Say why no event was attacked; None where some were."""
    if own is not None and len(own.rows):
        return None
    reasons = "; ".join(f"{count:,}: {why}" for why, count in found.left_out.items())
    return f"no attack could be edited and proved to do the same ({reasons or 'there is none'})"


def _flood(context: CheckContext, mixes: tuple[FloodMix, ...] | NotMeasured) -> GateResult:
    """Decide by the events of the replays for which the cascade broke its word: nothing is estimated here."""
    gate = context.gate(FLOODED)
    if isinstance(mixes, NotMeasured):
        return unmeasured(FLOODED, mixes.unmeasured, gate)
    events, benign = sum(mix.events for mix in mixes), sum(mix.benign for mix in mixes)
    broken = sum(mix.over + mix.changed for mix in mixes) / events
    more = sum(mix.deferred - mix.deferred_before for mix in mixes)
    message = (
        f"{events:,} events replayed with a budget of {percent(context.operation.budget)}, in {len(mixes)} mixes of "
        f"which up to {percent(max(mix.hostile_share for mix in mixes))} are hostile: the budget is exceeded by "
        f"{sum(mix.over for mix in mixes):,} events, {sum(mix.changed for mix in mixes):,} of {benign:,} benign events "
        f"are decided otherwise than without the flood, and {max(more, 0):,} more are deferred because of it"
    )
    return decided(FLOODED, message, gate, Measured(Interval(broken, broken, broken), events))


def _falls(context: CheckContext, one: Fallen) -> Falls:
    of = context.families[one.rows]
    families = {
        str(name): share(int(one.fell[of == name].sum()), int((of == name).sum())) for name in sorted(set(of.tolist()))
    }
    of_all = share(int(one.fell.sum()), len(one.fell))
    return Falls(one.objective, one.model, one.wants, of_all, families)
