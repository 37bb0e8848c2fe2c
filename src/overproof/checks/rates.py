"""Rates on the user's events: precision, recall and F1, recall at fixed false-positive rates, alerts a day."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks.base import MODELS, QUANTIZED, Bools, CheckContext
from overproof.checks.stats import Interval, clopper_pearson, wilson

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4, 1e-5)
SLACK = 1e-9  # 0.07 * 100 is a little more than 7, other such products a little less


def numbers(logits: Floats) -> bool:
    """Whether every row has a softmax: a logit may be -inf, but none NaN or +inf, and not all of a row."""
    return bool(np.isfinite(logits.max(axis=1)).all())


def answering(context: CheckContext) -> tuple[str, ...]:
    """The models that are there and whose scores are numbers."""
    return tuple(name for name in MODELS if name in context.models and numbers(context.models[name].logits))


def why_not(context: CheckContext, model: str) -> str:
    """Why a model is not among those `answering`."""
    if model in context.models:
        return f"the scores of the {model} model hold NaN or infinity"
    return context.why_absent(model)


def threshold_at(attack: NDArray[np.float64], rate: float) -> float | None:
    """The attack probability above which at most that share of these benign events lies (strictly above).

    None where there are too few to see the rate once.
    """
    allowed = math.floor(rate * len(attack) + SLACK)
    return float(np.sort(attack)[len(attack) - 1 - allowed]) if allowed else None


def classes(context: CheckContext) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class over the labelled events, for each model (see `_scores`).

    A labelled event whose class the models lack counts as a mistake of the class it is given; unless they lack all, for
    then the labels are only named differently.
    """
    targets = context.targets
    labelled = context.labelled & (targets >= 0).any()
    table: list[dict[str, Any]] = []
    for i, name in enumerate(context.classes):
        of_class = labelled & (targets == i)
        models = {}
        for model in answering(context):
            message = labelled & (context.models[model].logits.argmax(axis=1) == i)
            models[model] = _scores(int((of_class & message).sum()), int(message.sum()), int(of_class.sum()))
        table.append({"name": name, "n": int(of_class.sum()), "models": models})
    return table


def _scores(hits: int, message: int, true: int) -> dict[str, dict[str, float] | None]:
    """Precision, recall and F1 with Wilson's intervals; None where there is nothing to divide by.

    F1 = 2J / (1 + J), where J = TP / (TP + FP + FN) is the share of hits among the events that are or are called
    of the class: a proportion, and F1 rises with it, so that the ends of its interval map to those of F1. (Goutte &
    Gaussier 2005 map a Beta posterior of the same proportion.) No bootstrap: that of a flawless class has no width.
    """
    either = message + true - hits
    jaccard = wilson(hits, either) if either else None
    return {
        "precision": wilson(hits, message).to_json() if message else None,
        "recall": wilson(hits, true).to_json() if true else None,
        "f1": {end: 2 * j / (1 + j) for end, j in jaccard.to_json().items()} if jaccard else None,
    }


def families(context: CheckContext) -> list[dict[str, Any]]:
    """Recall of each family, the largest first: events with the right label, of those whose label the models know."""
    known = context.targets >= 0
    place: dict[str, int] = {}
    of_event = np.array(
        [-1 if name is None else place.setdefault(name, len(place)) for name in context.families], dtype=np.intp
    )
    size, asked = _count(of_event, context.labelled, len(place)), _count(of_event, known, len(place))
    right = {model: _count(of_event, context.right(model) & known, len(place)) for model in answering(context)}
    table: list[dict[str, Any]] = [
        {
            "name": name,
            "n": size[i],
            "models": {
                model: {"recall": wilson(hits[i], asked[i]).to_json() if asked[i] else None}
                for model, hits in right.items()
            },
        }
        for name, i in place.items()
    ]
    return sorted(table, key=lambda row: (-row["n"], row["name"]))


def _count(of_event: NDArray[np.intp], which: Bools, kinds: int) -> list[int]:
    counts: list[int] = np.bincount(of_event[which & (of_event >= 0)], minlength=kinds).tolist()
    return counts


def recall_at_rates(context: CheckContext) -> list[dict[str, Any]]:
    """Recall of each model at fixed false-positive rates, behind its own threshold on these benign events.

    The threshold is chosen on the events it is measured with: recall has an interval, the rate is as chosen.
    """
    benign, attacks = context.benign_events, context.attacks
    scores = {model: context.attack(model) for model in answering(context)}
    table: list[dict[str, Any]] = []
    for rate in FALSE_POSITIVE_RATES:
        needs = math.ceil(1 / rate - SLACK)
        models = {}
        for model, attack in scores.items():
            threshold = threshold_at(attack[benign], rate)
            recall = None
            if threshold is not None and attacks.any():
                recall = wilson(int((attack[attacks] > threshold).sum()), int(attacks.sum())).to_json()
            models[model] = {"tpr": recall, "threshold": threshold}
        table.append({"fpr": rate, "supported": int(benign.sum()) >= needs, "needs": needs, "models": models})
    return table


def alerts(context: CheckContext) -> dict[str, Any]:
    """Alerts of the quantized student a day at the user's volume and prevalence, by the labels it gives.

    False alerts: volume · (1 - prevalence) · FPR; true ones: volume · prevalence · TPR, with the exact intervals of
    both rates. Precision is at its lowest with the low end of the TPR and the high end of the FPR, which is wider
    than 95 %.
    """
    volume, prevalence = context.operation.events_per_day, context.operation.prevalence
    if volume is None or prevalence is None:
        return {"unmeasured": "give --events-per-day and --prevalence"}
    if QUANTIZED not in answering(context):
        return {"unmeasured": why_not(context, QUANTIZED)}
    benign, attacks = context.benign_events, context.attacks
    if not benign.any() or not attacks.any():
        return {"unmeasured": f"no event is labelled {'an attack' if benign.any() else 'benign'}"}
    detected = context.detected(QUANTIZED)
    false = _scaled(clopper_pearson(int(detected[benign].sum()), int(benign.sum())), volume * (1 - prevalence))
    true = _scaled(clopper_pearson(int(detected[attacks].sum()), int(attacks.sum())), volume * prevalence)
    ends = ((true.value, false.value), (true.low, false.high), (true.high, false.low))
    shares = [t / (t + f) if t + f else None for t, f in ends]
    precision = None if None in shares else dict(zip(("value", "low", "high"), shares, strict=True))
    return {
        "events_per_day": volume,
        "prevalence": prevalence,
        "false": false.to_json(),
        "true": true.to_json(),
        "precision": precision,
    }


def _scaled(share: Interval, by: float) -> Interval:
    return Interval(share.value * by, share.low * by, share.high * by)
