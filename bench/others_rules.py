"""Compare models of web traffic with the core rule set, where they flag as many benign requests as it does.

At each paranoia level the rules block a share of the benign requests of eight sites. Each model's threshold is the one
above which no larger share of the same requests lies: a point of the ROC that nobody could choose beforehand, the same
for all. The rules know every family; "held-out families" are those that the models were trained without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import core_rule_set
import numpy as np
from numpy.typing import NDArray
from others_models import MODELS, SETS, absent, answers, judged
from settings import once
from traffic import requests, share, share_by_site, share_cell
from waf import Answers

from overproof.checks.stats.resampling import Resampling, bootstrap
from overproof.results.operating_points import threshold_at

Flags = dict[str, NDArray[np.bool_]]


def blocked() -> dict[str, Any]:
    """Ask the rules about every benign request and attack at each level; the answers are kept."""
    benign = requests()
    found: dict[str, Any] = {"version": core_rule_set.version(), "levels": {}}
    with core_rule_set.servers() as ports:
        for level, port in ports.items():
            flags = {"requests": core_rule_set.blocked(map(core_rule_set.written, benign), port)}
            for name in SETS:
                flags[name] = core_rule_set.blocked(map(core_rule_set.carrying, judged().sets[name]), port)
            found["levels"][str(level)] = {name: of.astype(int).tolist() for name, of in flags.items()}
    return found


def measured() -> dict[str, Any]:
    """Count what the rules block and what each model flags at as many benign requests."""
    if (why := core_rule_set.absent()) is not None:
        return {"why": why}
    asked = once("others-rules-blocked", blocked)
    there = [name for name in MODELS if absent(name) is None]
    said = {name: {protocol: answers(name, protocol) for protocol in ("known", "held")} for name in there}
    levels = {}
    for level, kept in asked["levels"].items():
        rules = {name: np.array(of, dtype=bool) for name, of in kept.items()}
        rate = float(rules["requests"].mean())
        flags = {name: of_model(by_protocol, rate) for name, by_protocol in said.items()}
        levels[level] = {name: counted(found, rules) for name, found in {"core rule set": rules, **flags}.items()}
    return {"version": asked["version"], "levels": levels}


def of_model(by_protocol: dict[str, Answers], rate: float) -> Flags:
    """Flag at the threshold above which at most a share of the benign requests lies, for either training."""
    flags: Flags = {}
    for protocol, said in by_protocol.items():
        highest = np.maximum.reduceat(said.attack[judged().rows["requests"]], judged().starts)
        threshold = threshold_at(highest, rate)
        if threshold is None:
            raise RuntimeError(f"{len(highest)} requests are too few to see a rate of {rate}")
        if protocol == "known":
            flags["requests"] = highest > threshold
        for name in SETS:
            if (name == SETS[-1]) == (protocol == "held"):
                flags[name] = said.attack[judged().rows[name]] > threshold
    return flags


def counted(found: Flags, rules: Flags) -> dict[str, Any]:
    """Count a model's flags, and how many more test attacks it finds than the rules do."""
    sites = [request.site for request in requests()]
    more = bootstrap(_difference(found[SETS[0]], rules[SETS[0]]), Resampling([0] * len(rules[SETS[0]])))
    return {
        "requests": share_by_site(found["requests"], sites),
        **{name: share(found[name]) for name in SETS},
        "more": {"value": more.value, "low": more.low, "high": more.high},
    }


def _difference(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Callable[[NDArray[np.intp]], float]:
    return partial(_mean, ours.astype(float) - theirs.astype(float))


def _mean(values: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    return float(values[rows].mean())


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table a paranoia level."""
    if "why" in result:
        return f"Not measured: {result['why']}."
    tables = []
    for level, models in result["levels"].items():
        head = [f"**paranoia level {level}**", "benign requests blocked", *SETS]
        head += ["more test attacks than the rules, points"]
        lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
        for name, found in models.items():
            more = found["more"]
            points = f"{100 * more['value']:.1f} ({100 * more['low']:.1f} … {100 * more['high']:.1f})"
            shares = " | ".join(share_cell(found[column]) for column in ("requests", *SETS))
            lines.append(f"| {name} | {shares} | {'' if name == 'core rule set' else points} |")
        tables.append("\n".join(lines))
    return "\n\n".join([*tables, f"{result['version']}. In brackets 95 % intervals, of requests over whole sites."])
