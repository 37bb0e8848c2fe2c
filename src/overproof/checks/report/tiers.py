"""Say in one line what two students and the full model decide each, for the short forms of the report."""

from __future__ import annotations

from overproof.checks.escalation.result import Escalation, TierTrade
from overproof.checks.escalation.tier_figure import NAMES, duration
from overproof.checks.escalation.tiers import TIERS
from overproof.checks.report.outcome import CheckOutcome
from overproof.report.words import percent


def in_words(report: CheckOutcome) -> str:
    """Write who decides how much at the sealed thresholds; empty for a bundle of one student."""
    trades = (check.data.tiers for check in report.checks if isinstance(check.data, Escalation))
    found = next((trade for trade in trades if isinstance(trade, TierTrade)), None)
    if found is None:
        return ""
    at = found.points[found.sealed]
    decided = [f"the {NAMES[name]} decides {percent(at.decided[name])}" for name in TIERS]
    missed = f"of {found.attacks:,} attacks {sum(at.missed.values()):,} are missed"
    cost = "" if at.seconds is None else f"; an event costs {duration(at.seconds)} on average"
    return f"two students: {', '.join(decided)} of the events; {missed}{cost}"
