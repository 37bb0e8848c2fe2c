"""Check 1, own data: whether these are events as the student will meet them, unseen, and what it does on them."""

from __future__ import annotations

from typing import Any

from overproof.checks import rates
from overproof.checks.base import QUANTIZED, CheckContext, CheckResult, GateResult, Sample, decided, unmeasured
from overproof.checks.formatting import number_within, p_value, percent
from overproof.checks.interval_width import clusters_of, events_for, too_few_groups
from overproof.checks.own_data import drift
from overproof.events.split import template

KEY = "own-data"
PUBLISHED, LEAKED = f"{KEY}/published", f"{KEY}/leaked"
SCORE_DRIFT, FIELD_DRIFT = f"{KEY}/score-drift", f"{KEY}/field-drift"
NO_EVENTS = "there are no events"
NO_TRAINING = "the training events are not at hand: give the evidence folder that `overproof compress --evidence` wrote"
OWN = "a certificate needs events of your own"

Part = tuple[GateResult, Any]  # a finding and its part of the data


def own_data(context: CheckContext) -> CheckResult[Any]:
    """Compare the events with those that the student learned from, and measure every model on them."""
    leaked, split = _leaked(context)
    scores, score_data = _scores(context)
    fields, drifted = _fields(context)
    benign = int(context.benign_events.sum())
    return CheckResult(
        key=KEY,
        title="Own data",
        question="Are these events like the student's training, yet unseen, and how do the models do on them?",
        gates=(_published(context), leaked, scores, fields),
        data={
            "split": split,
            "published": context.operation.published or None,
            "drift": drifted,
            "scores": score_data,
            "classes": rates.classes(context),
            "families": rates.families(context),
            "tpr": rates.recall_at_rates(context),
            "smallest_fpr": 1 / benign if benign else None,
            "alerts": rates.alerts(context),
        },
    )


def _published(context: CheckContext) -> GateResult:
    gate, n, why = context.gate(PUBLISHED), len(context.sample), context.operation.published
    if not n:
        return unmeasured(PUBLISHED, NO_EVENTS, gate, events=0)
    if not why:
        return decided(PUBLISHED, "nothing says that the events are public or simulated", gate, (0, 0, 0), events=n)
    if context.operation.i_know:
        message = f"the events look public or simulated ({why}), and --i-know was given: {OWN}"
        return decided(PUBLISHED, message, gate, (0, 0, 0), events=n)
    message = f"the events look public or simulated ({why}): {OWN}; --i-know judges by these all the same"
    return decided(PUBLISHED, message, gate, (1, 1, 1), events=n)


def _leaked(context: CheckContext) -> Part:
    """The share of events that the student has seen the like of: a count of these events, so without an interval.

    The like is of the same group where all events have one, on both sides (two flows that differ by a digit need not be
    alike), else of the same template.
    """
    gate, sample, training = context.gate(LEAKED), context.sample, context.training
    why = NO_EVENTS if not len(sample) else NO_TRAINING if training is None else None
    if why or training is None:
        return unmeasured(LEAKED, why or "", gate, events=len(sample)), {"unmeasured": why}
    before = (training.train, training.validation)
    by = "template" if any(None in part.groups for part in (sample, *before)) else "group"
    seen = {mark for part in before for mark in _marks(part, by)}
    marks = _marks(sample, by)
    k, n = sum(mark in seen for mark in marks), len(sample)
    message = f"{k:,} of {n:,} events ({percent(k / n)}) have a {by} that the training events have too"
    groups = {group for group in sample.groups if group is not None}
    data = {
        "by": by,
        "templates": len(set(_marks(sample, "template"))),
        "groups": len(groups) or None,
        "leaked": k,
        "events": n,
    }
    return decided(LEAKED, message, gate, (k / n,) * 3, events=n), data


def _marks(sample: Sample, by: str) -> list[str | None]:
    """What near-duplicates share."""
    return list(sample.groups) if by == "group" else [template(text) for text in sample.texts]


def _scores(context: CheckContext) -> Part:
    """Attack scores of the quantized student, on these events against validation events with their share of attacks.

    The Kolmogorov-Smirnov distance is biased upwards by sampling (see `drift.distance`).
    """
    gate, n = context.gate(SCORE_DRIFT), len(context.sample)
    found = context.models.get(QUANTIZED)
    validation = None if found is None else found.validation
    why, needed = None, None
    if QUANTIZED not in rates.answering(context):
        why = rates.why_not(context, QUANTIZED)
    elif validation is None or context.training is None:
        why = f"no scores of the student on validation events; {NO_TRAINING}"
    elif not rates.numbers(validation):
        why = "the student's scores on the validation events hold NaN or infinity"
    elif context.benign_classes.all() or not context.benign_classes.any():
        why = f"{'every' if context.benign_classes.all() else 'no'} class is benign, so nothing has an attack score"
    elif min(n, len(validation)) < drift.LEAST:
        why = f"{n:,} events and {len(validation):,} validation events, needs {drift.LEAST} of each"
        needed = drift.LEAST
    else:
        why = too_few_groups(context.training.validation.groups, context.sample.groups)
    if why or validation is None or context.training is None:
        return unmeasured(SCORE_DRIFT, why or "", gate, events=n, needed=needed), {"unmeasured": why}
    alone = drift.alone(context, context.training.validation, context.attack_of(validation), context.attack(QUANTIZED))
    mix = drift.same_mix(context, context.training.validation)
    before, after = context.attack_of(validation[mix]), context.attack(QUANTIZED)
    groups = [context.training.validation.groups[row] for row in mix.tolist()]
    apart = drift.distance_within(before, after, True, clusters_of(groups, context.sample.groups), context.seed)
    p = drift.ks(before, after)[1]
    parts = [f"{value:.3f} among {kind} alone" for kind, value in alone.items() if value is not None]
    message = (
        f"the student's attack scores lie a KS distance of {number_within(apart)} from those of the validation events, "
        f"{len(before):,} of them with the same share of attacks"
    )
    message += f" ({p_value(p)}){'; ' if parts else ''}{', '.join(parts)}"
    result = decided(
        SCORE_DRIFT,
        message,
        gate,
        (apart.value, apart.low, apart.high),
        events=n,
        needed=events_for(apart, gate.limit, n, len(before)),
    )
    return result, {**drift.score_data(before, after), "distance": apart.to_json(), "p": p, **alone}


def _fields(context: CheckContext) -> Part:
    """The field that lies furthest from the training events; being the largest of several it is biased upwards."""
    gate, n = context.gate(FIELD_DRIFT), len(context.sample)
    why, needed = None, None
    if not n:
        why = NO_EVENTS
    elif context.training is None:
        why = NO_TRAINING
    elif min(n, len(context.training.train)) < drift.LEAST:
        why = f"{n:,} events and {len(context.training.train):,} training events, needs {drift.LEAST} of each"
        needed = drift.LEAST
    else:
        why = too_few_groups(context.training.train.groups, context.sample.groups)
    if why or context.training is None:
        return unmeasured(FIELD_DRIFT, why or "", gate, events=n, needed=needed), {"unmeasured": why}
    compared = {field.name: field for field in drift.fields(context)}
    table = drift.table(list(compared.values()))
    # another share of attacks is no drift of what is judged
    first = next((row for row in table if row["field"] != drift.LABEL), table[0])
    worst = compared[first["field"]]
    apart = drift.worst_within(context, worst)
    measure = "KS distance" if worst.numeric else "total variation"
    message = f"of {len(table)} fields “{worst.name}” lies furthest from the training events: {measure} "
    message += f"{number_within(apart)}, {p_value(first['p_holm'])} after Holm's correction"
    result = decided(
        FIELD_DRIFT,
        message,
        gate,
        (apart.value, apart.low, apart.high),
        events=n,
        needed=events_for(apart, gate.limit, len(worst.events), len(worst.train)),
    )
    return result, table
