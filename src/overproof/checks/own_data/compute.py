"""Compute check 1, own data: are these events as the student will meet them, unseen, and what does it do on them?"""

from __future__ import annotations

from dataclasses import replace

from overproof.bundle.scores import Floats
from overproof.checks.base import (
    QUANTIZED,
    CheckContext,
    CheckResult,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.formatting import number_within, p_value
from overproof.checks.gate_result import MOST
from overproof.checks.interval_width import events_for, too_few_units
from overproof.checks.own_data.distance import LEAST
from overproof.checks.own_data.field_drift import LABEL, fields, table, worst_within
from overproof.checks.own_data.full_model import full_model_gate
from overproof.checks.own_data.leaks import leaked
from overproof.checks.own_data.rates import alerts, classes, families, recall_at_rates
from overproof.checks.own_data.result import FieldDrift, OwnData, ScoreDrift
from overproof.checks.own_data.same_mix import same_mix
from overproof.checks.own_data.score_drift import score_drift
from overproof.checks.rates import answering, numbers, why_not
from overproof.checks.reasons import NO_EVENTS, NO_TRAINING
from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured

KEY = "own-data"
PUBLISHED = f"{KEY}/published"
SCORE_DRIFT, FIELD_DRIFT = f"{KEY}/score-drift", f"{KEY}/field-drift"
NONE, ALL = Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)  # of what the events look like
OWN = "a certificate needs events of your own"


def own_data(context: CheckContext) -> CheckResult[OwnData]:
    """Compare the events with those that the student learned from, and measure every model on them."""
    leak_gate, split = leaked(context)
    score_gate, scores = _scores(context)
    field_gate, drift = _fields(context)
    benign = context.units.take(context.benign_events).count
    return CheckResult(
        key=KEY,
        title="Own data",
        question="Are these events like the student's training, yet unseen, and how do the models do on them?",
        gates=(_published(context), full_model_gate(context), leak_gate, score_gate, field_gate),
        data=OwnData(
            split=split,
            published=context.operation.published or None,
            drift=drift,
            scores=scores,
            classes=classes(context),
            families=families(context),
            tpr=recall_at_rates(context),
            smallest_fpr=1 / benign if benign else None,
            alerts=alerts(context),
        ),
    )


def _published(context: CheckContext) -> GateResult:
    gate, n, why = context.gate(PUBLISHED), len(context.sample), context.operation.published
    if not n:
        return unmeasured(PUBLISHED, NO_EVENTS, gate, events=0)
    if not why:
        return decided(PUBLISHED, "nothing says that the events are public or simulated", gate, Measured(NONE, n))
    if context.operation.accept_public_data or gate.limit >= 1:
        asked = "--accept-public-data was given" if context.operation.accept_public_data else "the gate allows it"
        message = f"nothing is known of your own events: these look public or simulated ({why}), and are judged all "
        return replace(unmeasured(PUBLISHED, f"{message}the same, since {asked}", gate, events=n), waived=True)
    message = f"the events look public or simulated ({why}): {OWN}; --accept-public-data judges by these all the same"
    return decided(PUBLISHED, message, gate, Measured(ALL, n))


def _scores(context: CheckContext) -> tuple[GateResult, ScoreDrift | NotMeasured]:
    """Compare attack scores of the quantized student with those of validation events with the same share of attacks.

    The Kolmogorov-Smirnov distance is biased upwards by sampling (see `distance`).
    """
    gate, n, training = context.gate(SCORE_DRIFT), len(context.sample), context.training
    found = context.models.get(QUANTIZED)
    validation = None if found is None else found.validation
    gap = _no_scores(context, validation)
    if gap or validation is None or training is None:
        why, needed = gap or ("", None)
        return unmeasured(SCORE_DRIFT, why, gate, events=n, needed=needed), NotMeasured(why)
    mix = same_mix(context, training.validation)
    data = score_drift(context, training, validation, mix)
    units = training.validation_units.take(mix).count, context.units.count
    measured = _measured(data.distance, gate.limit, n, units)
    return decided(SCORE_DRIFT, _score_message(data, len(mix)), gate, measured), data


def _measured(apart: Interval, limit: float, n: int, units: tuple[int, int]) -> Measured:
    """Say how many of the user's events would decide a distance, or that those they are compared with are too few.

    Parameters
    ----------
    n, units
        The user's events, and the independent ones of those that they are compared with and of them.
    """
    before, after = units
    needed = events_for(apart, limit, after, before)
    alone = events_for(apart, limit, after)
    if alone is None or alone > MOST * after or (needed is not None and needed <= MOST * after):
        return Measured(apart, n, needed, after)
    few = f"the {before:,} independent events that they are compared with are too few, whatever their own number"
    return Measured(apart, n, None, after, undecided=few)


def _no_scores(context: CheckContext, validation: Floats | None) -> tuple[str, int | None] | None:
    """Say why the student's scores cannot be compared, and how many events it would take; None where they can."""
    n = len(context.sample)
    if QUANTIZED not in answering(context):
        return why_not(context, QUANTIZED), None
    if validation is None or context.training is None:
        return f"no scores of the student on validation events; {NO_TRAINING}", None
    if not numbers(validation):
        return "the student's scores on the validation events hold NaN or infinity", None
    if context.benign_classes.all() or not context.benign_classes.any():
        which = "every" if context.benign_classes.all() else "no"
        return f"{which} class is benign, so nothing has an attack score", None
    if min(n, len(validation)) < LEAST:
        why = f"{n:,} events and {len(validation):,} validation events, needs {LEAST} of each"
        return why, LEAST
    few = too_few_units(context.training.validation_units, context.units)
    return (few, None) if few else None


def _score_message(data: ScoreDrift, before: int) -> str:
    alone = {"benign": data.benign, "attacks": data.attacks}
    parts = [f"{value:.3f} among {kind} alone" for kind, value in alone.items() if value is not None]
    message = (
        f"the student's attack scores lie a KS distance of {number_within(data.distance)} from those of the validation "
        f"events, {before:,} of them with the same share of attacks"
    )
    return f"{message} ({p_value(data.p)}){'; ' if parts else ''}{', '.join(parts)}"


def _fields(context: CheckContext) -> tuple[GateResult, tuple[FieldDrift, ...] | NotMeasured]:
    """Find the field that lies furthest from the training events; being the largest of several it is biased upwards."""
    gate, n = context.gate(FIELD_DRIFT), len(context.sample)
    why, needed = None, None
    if not n:
        why = NO_EVENTS
    elif context.training is None:
        why = NO_TRAINING
    elif min(n, len(context.training.train)) < LEAST:
        why = f"{n:,} events and {len(context.training.train):,} training events, needs {LEAST} of each"
        needed = LEAST
    else:
        why = too_few_units(context.training.train_units, context.units)
    if why:
        return unmeasured(FIELD_DRIFT, why, gate, events=n, needed=needed), NotMeasured(why)
    compared = {field.name: field for field in fields(context)}
    rows = table(list(compared.values()))
    # another share of attacks is no drift of what is judged
    first = next((row for row in rows if row.field != LABEL), rows[0])
    worst = compared[first.field]
    apart = worst_within(context, worst)
    measure = "KS distance" if worst.numeric else "total variation"
    message = f"of {len(rows)} fields “{worst.name}” lies furthest from the training events: {measure} "
    message += f"{number_within(apart)}, {p_value(first.p_holm)} after Holm's correction"
    measured = _measured(apart, gate.limit, len(worst.events), worst.independent)
    return decided(FIELD_DRIFT, message, gate, measured), rows
