"""Measure rates on the user's events: precision, recall and F1, recall at false-positive rates, alerts a day."""

from __future__ import annotations

import math

from overproof.checks.base import QUANTIZED, Bools, CheckContext
from overproof.checks.own_data.result import (
    Alerts,
    ClassFigures,
    ClassRates,
    FamilyFigures,
    FamilyRates,
    RateFigures,
    RecallAtRate,
)
from overproof.checks.rates import FALSE_POSITIVE_RATES, answering, why_not
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN
from overproof.checks.stats import Interval, share_within
from overproof.results.operating_points import SLACK, threshold_at
from overproof.results.typed_json import NotMeasured


def classes(context: CheckContext) -> tuple[ClassRates, ...]:
    """Measure precision, recall and F1 of each class over the labelled events, for each model.

    A labelled event whose class the models lack counts as a mistake of the class it is given; unless they lack all, for
    then the labels are only named differently.
    """
    targets = context.targets
    labelled = context.labelled & (targets >= 0).any()
    table = []
    for i, name in enumerate(context.classes):
        of_class = labelled & (targets == i)
        models = {}
        for model in answering(context):
            given = labelled & (context.labels(model) == i)
            models[model] = _figures(context, given, of_class)
        table.append(ClassRates(name, int(of_class.sum()), models))
    return tuple(table)


def _share(context: CheckContext, hit: Bools, among: Bools) -> Interval | None:
    """Bound the share that is hit of some events, exactly and by independent units; None of none."""
    return share_within(hit[among], context.units.take(among)) if among.any() else None


def _figures(context: CheckContext, given: Bools, of_class: Bools) -> ClassFigures:
    """Measure precision, recall and F1 of a class; None where there is nothing to divide by.

    F1 = 2J / (1 + J), where J = TP / (TP + FP + FN) is the share of hits among the events that are or are called
    of the class: a proportion, and F1 rises with it, so that the ends of its interval map to those of F1. (Goutte &
    Gaussier 2005 map a Beta posterior of the same proportion.) No bootstrap: that of a flawless class has no width.
    """
    hit = given & of_class
    jaccard = _share(context, hit, given | of_class)
    return ClassFigures(
        precision=_share(context, hit, given),
        recall=_share(context, hit, of_class),
        f1=Interval(*(2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high))) if jaccard else None,
    )


def families(context: CheckContext) -> tuple[FamilyRates, ...]:
    """Measure recall of each family, the largest first: events with the right label, of those whose label is known."""
    known, named = context.targets >= 0, context.families
    right = {model: context.right(model) for model in answering(context)}
    table = []
    for name in dict.fromkeys(named[context.labelled].tolist()):
        rows = context.labelled & (named == name)
        models = {model: FamilyFigures(_share(context, hit, rows & known)) for model, hit in right.items()}
        table.append(FamilyRates(name, int(rows.sum()), models))
    return tuple(sorted(table, key=lambda row: (-row.n, row.name)))


def recall_at_rates(context: CheckContext) -> tuple[RecallAtRate, ...]:
    """Measure recall of each model at fixed false-positive rates, behind its own threshold on these benign events.

    The threshold is chosen on the events it is measured with: recall has an interval, the rate is as chosen.
    """
    benign, attacks = context.benign_events, context.attacks
    independent = context.units.take(benign).count
    scores = {model: context.attack(model) for model in answering(context)}
    table = []
    for rate in FALSE_POSITIVE_RATES:
        needs = math.ceil(1 / rate - SLACK)
        models = {}
        for model, attack in scores.items():
            threshold = threshold_at(attack[benign], rate) if independent >= needs else None
            recall = None if threshold is None else _share(context, attack > threshold, attacks)
            models[model] = RateFigures(recall, threshold)
        table.append(RecallAtRate(rate, independent >= needs, needs, models))
    return tuple(table)


def alerts(context: CheckContext) -> Alerts | NotMeasured:
    """Count the alerts of the quantized student a day at the user's volume and prevalence, by the labels it gives.

    False alerts: volume · (1 - prevalence) · FPR; true ones: volume · prevalence · TPR, with the exact intervals of
    both rates. Precision is at its lowest with the low end of the TPR and the high end of the FPR, which is wider
    than 95 %.
    """
    volume, prevalence = context.operation.events_per_day, context.operation.prevalence
    if volume is None or prevalence is None:
        return NotMeasured("give --events-per-day and --prevalence")
    if QUANTIZED not in answering(context):
        return NotMeasured(why_not(context, QUANTIZED))
    benign, attacks = context.benign_events, context.attacks
    if not benign.any() or not attacks.any():
        return NotMeasured(NO_ATTACKS if benign.any() else NO_BENIGN)
    detected = context.detected(QUANTIZED)
    false, true = (share_within(detected[rows], context.units.take(rows)) for rows in (benign, attacks))
    false, true = _scaled(false, volume * (1 - prevalence)), _scaled(true, volume * prevalence)
    return Alerts(volume, prevalence, false, true, _precision(false, true))


def _precision(false: Interval, true: Interval) -> Interval | None:
    ends = ((true.value, false.value), (true.low, false.high), (true.high, false.low))
    shares = [t / (t + f) for t, f in ends if t + f]
    return Interval(*shares) if len(shares) == len(ends) else None


def _scaled(share: Interval, by: float) -> Interval:
    return Interval(share.value * by, share.low * by, share.high * by)
