"""Check 7, explanation: do the spans that explain a verdict carry it?

The spans are those that `triage --explain` names. They are found by asking the student about the event without parts
of it; whether they hold is measured against chance: the attack score has to fall more without the first span than
without another place of the same length, drawn at random (deletion as in Samek et al. 2017, DeYoung et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.checks import rates
from overproof.checks.base import CONFIDENCE, Bools, CheckContext, CheckResult, GateResult, decided, unmeasured
from overproof.checks.explained import Explained
from overproof.checks.explanation.result import Alerts, Explanations, Faithfulness, MarkedEvent
from overproof.checks.formatting import among, percent_within
from overproof.checks.pairs import share_measured
from overproof.checks.stats import share_within
from overproof.results.typed_json import NotMeasured

KEY = "explanation"
UNFAITHFUL = f"{KEY}/unfaithful"
EXAMPLES = 10


def explanation(context: CheckContext) -> CheckResult[Explanations]:
    """Measure how often the span that explains an alert carries no more of it than a random one does."""
    gate, explained = context.gate(UNFAITHFUL), context.explained
    if isinstance(explained, NotMeasured):
        return _result(unmeasured(UNFAITHFUL, explained.unmeasured, gate), explained)
    if not len(explained.rows):
        why = "the student flags no event, so that none is explained"
        return _result(unmeasured(UNFAITHFUL, why, gate), NotMeasured(why))
    alerts = _alerts(context, explained)
    if QUANTIZED not in alerts.models:
        why = f"the span that explains it is the whole event, in all of {len(explained.rows):,}: none is as long"
        return _result(unmeasured(UNFAITHFUL, why, gate), alerts)
    rows, carries = _carried(context, explained)
    measured = share_measured(~carries, context.units.take(rows), gate.limit)
    message = (
        f"of {among(len(rows), 'alerts', measured.units or 0)} {int((~carries).sum()):,} are explained by a span that "
        f"carries no more than a random one of its length: {percent_within(measured.figure)}"
    )
    return _result(decided(UNFAITHFUL, message, gate, measured), alerts)


def _result(gate: GateResult, alerts: Alerts | NotMeasured) -> CheckResult[Explanations]:
    return CheckResult(
        key=KEY,
        title="Explanation",
        question="Do the parts of an event that explain its verdict carry it?",
        gates=(gate,),
        data=Explanations(alerts),
    )


def _alerts(context: CheckContext, explained: Explained) -> Alerts:
    none = int(sum(not spans for spans in explained.spans))
    return Alerts(
        flagged=explained.flagged,
        explained=len(explained.rows),
        without_span=none,
        whole=len(explained.rows) - none - len(explained.compared),
        models={model: found for model in (QUANTIZED, FULL) for found in _of_model(context, explained, model)},
        examples=tuple(_examples(context, explained)),
    )


def _of_model(context: CheckContext, explained: Explained, model: str) -> Iterator[Faithfulness]:
    """Yield what the spans carry of a model's verdict, where it was asked and flags any of the alerts."""
    if model not in explained.named or model not in rates.answering(context):
        return
    rows, carries, cleared, random = _of_alerts(context, explained, model)
    if not len(rows):
        return
    units = context.units.take(rows)
    shares = [share_within(hit, units, CONFIDENCE) for hit in (carries, cleared, random)]
    yield Faithfulness(len(rows), units.count, int(carries.sum()), *shares)


def _carried(context: CheckContext, explained: Explained) -> tuple[NDArray[np.intp], Bools]:
    rows, carries, _, _ = _of_alerts(context, explained, QUANTIZED)
    return rows, carries


def _of_alerts(context: CheckContext, explained: Explained, model: str) -> tuple[NDArray[np.intp], Bools, Bools, Bools]:
    """Return the alerts that are counted, and of each whether the first span carries more, clears, a random one clears.

    An alert of the student without a span counts as one that is not carried; other models are asked about those alone
    that they flag too.
    """
    rows = explained.rows[explained.compared]
    named, random = explained.named[model], explained.random[model]
    carries = context.margin_of(named) < context.margin_of(random)
    hits = np.stack([carries, ~context.flags(named), ~context.flags(random)])
    if model == QUANTIZED:
        none = explained.rows[np.array([not spans for spans in explained.spans], dtype=bool)]
        rows, hits = np.concatenate([rows, none]), np.pad(hits, ((0, 0), (0, len(none))))
    else:
        flagged = context.detected(model)[rows]
        rows, hits = rows[flagged], hits[:, flagged]
    return rows, hits[0], hits[1], hits[2]


def _examples(context: CheckContext, explained: Explained) -> Iterator[MarkedEvent]:
    """Yield some alerts: the first of each family, then the others, in the order in which they were drawn."""
    families = [context.families[row] for row in explained.rows]
    first = [place for place, family in enumerate(families) if family not in families[:place]]
    others = [place for place in range(len(families)) if place not in set(first)]
    for place in [*first, *others][:EXAMPLES]:
        row, sample = int(explained.rows[place]), context.sample
        yield MarkedEvent(
            sample.origins[row], sample.texts[row], sample.labels[row], families[place], explained.spans[place]
        )
