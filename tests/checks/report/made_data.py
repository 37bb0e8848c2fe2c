"""What the six checks measured, made up, with hostile names wherever names come from outside."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .figures import (
    EVIL,
    FAMILIES,
    MODELS,
    RARE,
    SKILL,
    SPOOF,
    B,
    C,
    D,
    F,
    Q,
    around,
    counted,
    event,
    right,
    wilson,
)


def own_data() -> dict[str, Any]:
    """Its data."""
    table = [
        {
            "name": name,
            "n": n,
            "models": {m: {k: wilson(round(n * 0.97), n) for k in ("precision", "recall", "f1")} for m in MODELS},
        }
        for name, n in (("benign", 7400), (EVIL, 4001))
    ]
    shares = {"nginx": 0.61, "apache": 0.22, EVIL: 0.09, "iis": 0.05, "caddy": 0.03}
    return {
        "split": {"by": "template", "templates": 8123, "groups": None, "leaked": 96, "events": 11401},
        "published": None,
        "drift": [
            {"field": "length", "kind": "numeric", "distance": 0.081, "p": 0.0001, "p_holm": 0.0002}
            | {"train": {"p10": 6, "p50": 31, "p90": 212}, "events": {"p10": 7, "p50": 36, "p90": 260}},
            {"field": "server", "kind": "categorical", "distance": 0.12, "p": 0.03, "p_holm": 0.06}
            | {"train": shares, "events": {**shares, "nginx": 0.5}},
        ],
        "scores": {
            "edges": [k / 10 for k in range(11)],
            "validation": [0.62, 0.02, 0.01, 0.004, 0.003, 0.003, 0.005, 0.01, 0.02, 0.305],
            "events": [0.6, 0.022, 0.012, 0.006, 0.004, 0.004, 0.007, 0.012, 0.023, 0.31],
            "distance": around(0.034, 0.011),
            "p": 0.0004,
            "benign": 0.021,
            "attacks": None,
        },
        "classes": table,
        "families": [{"name": n, "n": 9, "models": {m: {"recall": wilson(8, 9)} for m in MODELS}} for n in FAMILIES],
        "tpr": [
            {"fpr": rate, "supported": ok, "needs": needs}
            | {
                "models": {
                    m: {"tpr": around(0.96 - 0.01 * SKILL[m], 0.01) if ok else None, "threshold": 0.91 if ok else None}
                    for m in MODELS
                }
            }
            for rate, ok, needs in ((0.01, True, 300), (0.001, True, 2996), (0.0001, False, 29956))
        ],
        "smallest_fpr": 0.000405,
        "alerts": {
            "events_per_day": 2_000_000,
            "prevalence": 0.0005,
            "false_alerts": {"value": 2810, "low": 1950, "high": 4040},
            "true_alerts": {"value": 981, "low": 976, "high": 985},
            "precision": {"value": 0.259, "low": 0.195, "high": 0.336},
        },
    }


def calibration() -> dict[str, Any]:
    """Its data."""
    random = Random(3)
    counts = [140, 60, 45, 40, 52, 61, 90, 160, 402, 10351]
    made: dict[str, Any] = {}
    for model in MODELS:
        drift = 0.02 * SKILL[model]
        bins = [
            {"low": i / 10, "high": (i + 1) / 10, "count": n, "confidence": (i + 0.5) / 10}
            | {"accuracy": min(max((i + 0.5) / 10 + random.uniform(-4, 2) * drift, 0), 1)}
            for i, n in enumerate(counts)
        ]
        before = {
            "ece_width": around(drift, 0.004),
            "ece_mass": drift,
            "ece_class": drift / 2,
            "brier": 0.02,
            "nll": 0.07,
        }
        after = {**before, "ece_width": around(drift / 2, 0.003)} if model != B else None
        made[model] = {"temperature": 1.37 if after else None, "before": before, "after": after, "reliability": bins}
    rates = {"fpr_full": wilson(74, 7400), "fpr_swapped": wilson(129, 7400)}
    return {
        "models": made,
        "threshold_drift": [
            {"fpr": 0.01, "full_threshold": 0.413, "own_threshold": 0.671, **rates}
            | {"tpr_full": wilson(3960, 4001), "tpr_swapped": wilson(3948, 4001)}
        ],
    }


def rare() -> dict[str, Any]:
    """Its data."""
    families = []
    for name, (n, trained, _) in FAMILIES.items():
        told = {m: right(name, m) for m in MODELS}
        lost = told[F][0] - told[Q][0]
        models = {
            m: {"k": k, "n": n, "wilson": wilson(k, n), "clopper_pearson": wilson(k, n, 2.1)}
            for m, (k, n) in told.items()
        }
        paired = {"b": lost + 2, "c": 2, "mcnemar": 0.04, "holm": 0.31, "loss": around(lost / n, min(2 / n**0.5, 1))}
        steps = {"distillation": [lost + 1, 1], "quantization": [1, 1], "churn": [2, 2]}
        title = f"{EVIL} {name}" if name == "ssti" else name
        families.append(
            {
                "name": title,
                "n": n,
                "rare": trained < RARE,
                "trained_on": trained,
                "models": models,
                **paired,
                "steps": steps,
            }
        )
    slices = [
        {"by": "server", "name": EVIL if i == 2 else f"host-{i:02}", "n": 400 - 9 * i, "b": 14 - i, "c": i // 3}
        | {"loss": around((14 - 1.3 * i) / 400, 0.012), "p": 0.0004 * (i + 1), "p_holm": min(0.02 * (i + 1), 1)}
        for i in range(14)
    ]
    return {
        "families": families,
        "slices": slices,
        "tested": 83,
        "hard_benign": {
            "n": 740,
            "b": 19,
            "c": 8,
            "loss": around(0.0149, 0.011),
            "how": "the tenth of them that the full model is least sure of",
        },
        "exemplars": [event(f"id={i}{SPOOF}", "sqli", i) for i in range(7)],
    }


def boundary() -> dict[str, Any]:
    """Its data."""
    edges = list(range(-12, 13, 2))
    counts = [2410, 3309, 1160, 402, 80, 21, 18, 64, 230, 902, 2105, 700]
    return {
        "events": 183,
        "of": 11401,
        "margins": {
            m: {"edges": edges, "counts": [round(n * (1 + 0.1 * i)) for n in counts]} for i, m in enumerate(MODELS)
        },
        "quantization": {"n": 183, "k": 6, "share": wilson(6, 183)},
        "edits": [
            {
                "kind": kind,
                "n": n,
                "models": {
                    m: {"k": round(n * 0.05 * SKILL[m]), "share": wilson(round(n * 0.05 * SKILL[m]), n)}
                    for m in (F, D, Q)
                },
            }
            for kind, n in (("swap case", 160), ("percent-encode a letter", 171), ("add a space", 183))
        ],
        "neighbours": {"draws": 16, "n": 183, "k": 21, "share": wilson(21, 183)},
    }


def held_out(texts: list[str]) -> dict[str, Any]:
    """Its data."""
    families = [
        {
            "name": name,
            "n": n,
            "both": n - 3,
            "full_only": 2,
            "student_only": 0,
            "neither": 1,
            "mcnemar": 0.5,
            "holm": 1.0,
        }
        | {"loss": around(2 / n, min(1.4 / n**0.5, 1))}
        for name, (n, _, _) in FAMILIES.items()
        if name != "benign" and n > 3
    ]
    kept = [
        {
            "family": family,
            "n": n,
            "trained_without": {
                m: counted(round(n * share), n)
                for m, share in ((F, seen), (D, seen - 0.13), (Q, seen - 0.14), (B, seen - 0.4))
            },
            "trained_with": {m: counted(round(n * 0.97), n) for m in (F, D, Q, B)},
            "false_positives": {m: counted(9, 7400) for m in (F, Q)},
            "absent": {C: f"not trained without {EVIL}"},
        }
        for family, n, seen in (("nosqli", 11, 0.9), ("ssti", 190, 0.93), ("xxe", 120, 0.95))
    ]
    missed = [event(text, "xss", i) for i, text in enumerate(texts)]
    return {
        "attacks": {
            "n": 4001,
            "both": 3908,
            "full_only": 41,
            "student_only": 12,
            "neither": 40,
            "mcnemar": 0.0001,
            "loss": around(0.0072, 0.0036),
        },
        "benign": {
            "n": 7400,
            "both": 7381,
            "full_only": 7,
            "student_only": 3,
            "neither": 9,
            "mcnemar": 0.34,
            "loss": around(0.0005, 0.0009),
        },
        "families": families,
        "held_out": kept,
        "novel": {
            "families": ["graphql", EVIL],
            "n": 64,
            "models": {m: counted(60 - i, 64) for i, m in enumerate(MODELS)},
            "loss": around(0.031, 0.05),
        },
        "missed_by_quantized_alone": missed[:3],
        "missed_by_quantized_alone_total": 3,
        "missed_by_student": missed,
        "missed_by_student_total": 71,
        "cost": [
            {
                "figure": title,
                "full": around(full, 0.002),
                "distillation": around(-d, 0.0012),
                "quantization": around(-q, 0.0006),
            }
            | {
                "churn": None if title == "accuracy" else around(0.0002, 0.0011),
                "quantized": around(full - d - q, 0.0024),
            }
            for title, full, d, q in (
                ("accuracy", 0.9921, 0.0031, 0.0004),
                ("attacks detected", 0.9877, 0.0062, 0.001),
                ("benign left alone", 0.9981, 0.0004, -0.0001),
            )
        ],
    }


def escalation() -> dict[str, Any]:
    """Its data."""
    coverage = [1 - i / 200 for i in range(200)]
    shapes: dict[str, Callable[[float], float]] = {
        "quantized": lambda c: 0.0114 * c**9,
        "oracle": lambda c: max(0.0114 - (1 - c), 0),
        "random": lambda c: 0.0114,
    }
    return {
        "curves": {name: {"coverage": coverage, "risk": [f(c) for c in coverage]} for name, f in shapes.items()},
        "augrc": {F: 0.0004, D: 0.0006, Q: 0.00064, B: 0.0011, "oracle": 0.00007, "random": 0.0057},
        "budgets": [
            {
                "budget": b,
                "escalated": round(11401 * b),
                "missed": m,
                "attacks": 4001,
                "oracle": 12,
                "random": 52 * (1 - b),
            }
            | {"useful": u, "waste": 1 - u}
            for b, m, u in ((0.01, 31, 0.44), (0.02, 22, 0.31), (0.05, 15, 0.16), (0.1, 13, 0.09))
        ],
        "threshold": {
            "value": 0.9314,
            "limit": 0.005,
            "confidence": 0.95,
            "chosen_on": 5700,
            "verified_on": 5701,
            "escalated": wilson(211, 5701),
            "missed": counted(6, 1998),
            "flagged": {"n": 7400, "student_only": 5, "full_only": 2, "loss": around(0.0004, 0.0007)},
        },
        "warning": "The guarantee holds for events like these: not under attack, and not after drift.",
    }
