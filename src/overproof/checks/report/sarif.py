"""The report as SARIF 2.1.0, for code scanning: a rule for each gate, a result for each finding.

Passed is kind `pass`, unmeasured kind `open`; both have level `none`, as the specification demands (3.27.9, 3.27.10).
What closes a gate has to stop a pipeline, and readers look at levels: failed is an error, and a required gate that
could not be measured a warning; both are of kind `fail`, since a required gate demands that something be shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from overproof.progress import one_line
from overproof.report import words
from overproof.report.reading import at, checks, gates, number, rows, status, string

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FIGURES = ("value", "low", "high", "limit", "events", "needed")
RULE = (
    "{question} A finding passes if its 95 % interval lies at or below the limit, fails if it lies above it, and is "
    "unmeasured otherwise. This gate's limit is {limit}; {required}."
)


def to_sarif(data: Mapping[str, Any]) -> dict[str, Any]:
    """The report as a SARIF log with one run."""
    rules = _rules(data)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    uri = _uri(data)
    driver = {"name": "overproof", "version": string(data.get("overproof")) or "unknown", "rules": rules}
    artifact: dict[str, Any] = {"location": {"uri": uri}, "roles": ["analysisTarget"]}
    sha256, length = string(at(data, "bundle", "sha256")), number(at(data, "bundle", "bytes"))
    if sha256:
        artifact["hashes"] = {"sha-256": sha256}
    if length is not None and length >= 0:
        artifact["length"] = int(length)
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "artifacts": [artifact],
        "results": [_result(result, places, uri) for result in gates(data)],
        "properties": {
            "decision": string(at(data, "verdict", "decision")),
            "sentence": one_line(string(at(data, "verdict", "sentence"))),
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A rule for each gate, in order; several findings of one gate share it."""
    found: dict[str, dict[str, Any]] = {}
    for check in checks(data):
        for result in rows(check.get("gates")):
            rule = _rule_id(result)
            found.setdefault(rule, _rule(rule, check, result))
    return list(found.values())


def _rule(rule: str, check: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    required = result.get("required", True)
    message = RULE.format(
        question=one_line(string(check.get("question"))),
        limit=words.limit(result),
        required="if it is unmeasured, the gate is closed" if required else "unmeasured does not close it",
    )
    title = one_line(string(check.get("title"))) or "Check"
    return {
        "id": rule,
        "shortDescription": {"text": f"{title}: {rule.rpartition('/')[2]}"},
        "fullDescription": {"text": message.strip()},
        "defaultConfiguration": {"level": "error" if required else "note"},
    }


def _rule_id(result: Mapping[str, Any]) -> str:
    return one_line(string(result.get("key")).partition(":")[0]) or "unknown"


def _result(result: Mapping[str, Any], places: Mapping[str, int], uri: str) -> dict[str, Any]:
    rule, found = _rule_id(result), status(result)
    kind, level = _kind(found, bool(result.get("closed")))
    figures = {name: number(result.get(name)) for name in FIGURES}
    counts = {name: int(v) for name, v in figures.items() if v is not None and name in ("events", "needed")}
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "kind": kind,
        "level": level,
        "message": {"text": message(string(result.get("message"))) or found},
        # a bundle has no lines, but code scanning shows nothing without one
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri, "index": 0}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"finding/v1": one_line(string(result.get("key")))},
        "properties": {**figures, **counts, "status": found, "closed": bool(result.get("closed"))},
    }


def _kind(found: str, closed: bool) -> tuple[str, str]:
    if found == "failed":
        return "fail", "error"
    if found == "passed":
        return "pass", "none"
    return ("fail", "warning") if closed else ("open", "none")


def message(text: str) -> str:
    """Text as SARIF's plain text, where braces are placeholders and brackets can be links (3.11.5, 3.11.6)."""
    line = one_line(text).replace("{", "{{").replace("}", "}}")
    return re.sub(r"[\[\]]", r"\\\g<0>", line) if re.search(r"\]\(", line) else line


def _uri(data: Mapping[str, Any]) -> str:
    """The bundle's name as one segment of a relative address."""
    name = one_line(string(at(data, "bundle", "name")))
    return "bundle" if name in ("", ".", "..") else quote(name, safe="")
