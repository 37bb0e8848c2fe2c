"""Read the reports of older versions, whose guards were no bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.results.precision_search.steps import BROKEN, UNMEASURED

KEYS = {"whole": "all_quantized"}  # version 0.1.0 wrote the first
OBSERVED = ("guard", "limit", "measured", "events")
NO_BOUND = "it was written by a version that computed no bounds: quantize again"


def upgraded(data: Any) -> Any:
    """Give the entries of an older report their present names and forms; what is no report stays what it is.

    Versions before 0.2.0 held guards to observed figures, on the events that the search chose by, and counted what a
    family lost net. What was above its limit stays broken; what they called held becomes unmeasured.
    """
    if not isinstance(data, Mapping) or "decision" in data:
        return data
    report = with_losses({KEYS.get(key, key): value for key, value in data.items()})
    path, chosen = report.get("path"), report.get("chosen")
    if not isinstance(path, list) or not all(isinstance(step, dict) and "findings" in step for step in path):
        return report
    findings = [step.pop("findings") for step in path]
    for step, found in zip(path, findings, strict=True):
        step["observed"] = _each(found, _observed)
    report["decision"] = None
    if isinstance(chosen, int) and 0 <= chosen < len(path) and findings[chosen]:
        report["decision"] = {
            "chosen_from": "events that the layers were chosen by",
            "left_out": 0,
            "found": path[chosen].get("found"),
            "findings": _each(findings[chosen], lambda entry: _finding(entry, report.get("held_back"))),
        }
    return report


def with_losses(data: Any) -> Any:
    """Copy JSON, with the attacks that a family lost: net, which is the least that they can be."""
    if isinstance(data, list):
        return [with_losses(entry) for entry in data]
    if not isinstance(data, Mapping):
        return data
    copy = {key: with_losses(value) for key, value in data.items()}
    before, after = copy.get("before"), copy.get("after")
    if set(copy) == {"events", "before", "after"} and isinstance(before, int) and isinstance(after, int):
        copy["lost"] = max(0, before - after)
    return copy


def _each(entries: Any, change: Any) -> Any:
    """Change the objects of a list; whatever else stands there is refused later, by its type."""
    if not isinstance(entries, list):
        return entries
    return [change(entry) if isinstance(entry, Mapping) else entry for entry in entries]


def _observed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in OBSERVED if name in entry}


def _finding(entry: Mapping[str, Any], held_back: Any) -> dict[str, Any]:
    nats = entry.get("events") is None  # only a share was counted of events
    status = {"status": BROKEN} if entry.get("status") == BROKEN else {"status": UNMEASURED, "reason": NO_BOUND}
    return {**_observed(entry), **status, "nats": nats, "events": held_back if nats else entry["events"]}
