"""The models, families and intervals that the made-up outcomes are of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from overproof.checks.base import GateResult, Status
from overproof.checks.listed_event import ListedEvent
from overproof.checks.pairs import Share
from overproof.checks.stats import Interval

EVIL = """<img src=x onerror="window.owned=1"></script><script>window.owned=1</script>'"&amp;"""
SPOOF = "\u202egnp.exe\u2066 \x1b[2J\x00 שלום a\u0301"
F, D, Q, C, B = "full", "distilled", "distilled + INT8", "retrained control", "linear baseline"
MODELS = (F, D, Q, C, B)
FAMILIES = {
    "benign": (7400, 16000, 0.999),
    "sqli": (1900, 4300, 0.992),
    "xss": (820, 1800, 0.988),
    "path-traversal": (420, 900, 0.985),
    "cmdi": (270, 600, 0.97),
    "ssti": (190, 410, 0.965),
    "xxe": (120, 260, 0.96),
    "ssrf": (96, 200, 0.95),
    "open-redirect": (84, 170, 0.94),
    "crlf": (60, 120, 0.93),
    "format-string": (21, 43, 0.81),
    "nosqli": (11, 20, 0.72),
    "ldapi": (7, 11, 0.57),
    "xpathi": (2, 2, 0.0),
}
SKILL = {F: 0.6, D: 0.9, Q: 1.05, C: 0.95, B: 1.8}  # times the misses of the table above
RARE = 50
MISSES = (
    "The student misses 49 of 4,001 attacks that the full model detects, net 37: 0.92 % [0.56, 1.28], and the margin "
    f"is 0.50 %. Most are of {EVIL}."
)
SENTENCE = (
    "Deploy it only with the full model behind it: alone it misses 0.92 % of the attacks that the full model detects, "
    "and the margin is 0.50 %; with 3.7 % of the events escalated it misses 0.30 %."
)
KEYS = {
    "own-data": ("Own data", "Are these the events that the model will meet?"),
    "calibration": ("Calibration", "Does a confidence of 0.9 mean right nine times in ten?"),
    "rare": ("Rare families", "Did compression give up what is seldom seen?"),
    "boundary": ("Boundary", "Do verdicts near the boundary stand?"),
    "held-out": ("Held out", "What does the student miss that the full model detects?"),
    "escalation": ("Escalation", "Does handing over the doubtful ones help, and what does it promise?"),
    "explanation": ("Explanation", "Does what explains a verdict carry it?"),
    "redteam": ("Red team", "What gets past it once it is edited?"),
}


def wilson(k: int, n: int, z: float = 1.96) -> Interval:
    """An interval of k / n."""
    middle, reach = (k + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return Interval(k / n, max(middle - reach, 0.0), min(middle + reach, 1.0))


def around(value: float, reach: float) -> Interval:
    """An interval of a difference."""
    return Interval(value, value - reach, value + reach)


def counted(k: int, n: int) -> Share:
    """A share with its counts."""
    return Share(k, n, wilson(k, n))


def right(family: str, model: str) -> tuple[int, int]:
    """How many of a family a model gets right."""
    n, _, recall = FAMILIES[family]
    return round(n * max(1 - (1 - recall) * SKILL[model], 0)), n


def result(key: str, status: Status, value: float, reach: float, limit: float, **more: Any) -> GateResult:
    """What a gate came to."""
    message = f"{key.partition('/')[2]} came to {value:.3f}, and may come to {limit} at most."
    made = GateResult(key, status, message, value, value - reach, value + reach, limit, events=11401)
    made = replace(made, **more)
    return replace(made, message=f"unmeasured: {made.events} events: {message}") if status == "unmeasured" else made


def event(text: str, family: str, place: int) -> ListedEvent:
    """A missed event."""
    return ListedEvent(
        origin=f"access.log:{100 + 7 * place}",
        text=text,
        label="attack",
        family=family,
        verdicts={F: "attack", D: "attack", Q: "benign", C: "attack", B: "benign"},
        attack={F: 0.9312, D: 0.61, Q: 0.4417, C: 0.72, B: 0.08},
    )
