"""Write the report as SARIF, for code scanning: a rule for each gate, a result for each gate's outcome.

Passed is kind `pass`, unmeasured kind `open`; both have level `none`, as the specification demands (3.27.9, 3.27.10).
What closes a gate has to stop a pipeline, and readers look at levels: failed is an error, and a required gate that
could not be measured a warning; both are of kind `fail`, since a required gate demands that something be shown.

Every edited attack that got past the bundle is a result too, of level `note`: the gates decide.
Floods are none: that events cost the full model's time is held by the budget, which has its gate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from overproof.checks.attacked import FLOOD
from overproof.checks.base import FAILED, PASSED, CheckResult, GateResult
from overproof.checks.redteam.compute import KEY as REDTEAM
from overproof.checks.report import gate_words, red_team
from overproof.checks.report.outcome import CheckOutcome
from overproof.progress import one_line
from overproof.report.sarif import Artifact, Run, log, plain_message
from overproof.report.words import short
from overproof.results.attack_cases import Case
from overproof.results.typed_json import to_json

RULE = (
    "{question} A finding passes if its 95 % interval lies at or below the limit, fails if it lies above it, and is "
    "unmeasured otherwise; copies and events of one group count once. This gate's limit is {limit}; {required}."
)


def to_sarif(report: CheckOutcome) -> dict[str, Any]:
    """Return the report as a SARIF log with one run."""
    rules = _rules(report)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    artifact = Artifact(report.bundle.name, one_line(report.bundle.sha256), report.bundle.bytes)
    results = [_result(gate, places, artifact) for gate in report.gates]
    results += [_success(case, places, artifact) for case in _successes(report)]
    properties = {"decision": report.decision, "sentence": one_line(report.verdict.sentence)}
    return log(Run(one_line(report.overproof), artifact, rules, results, properties))


def _rules(report: CheckOutcome) -> list[dict[str, Any]]:
    """Return a rule for each gate, in order; several results of one gate share it."""
    found: dict[str, dict[str, Any]] = {}
    for check in report.checks:
        for gate in check.gates:
            rule = _rule_id(gate)
            found.setdefault(rule, _rule(rule, check, gate))
    wants = {one.objective: one.wants for one in red_team.falls(report)}
    for objective in dict.fromkeys(case.objective for case in _successes(report)):
        rule = f"{REDTEAM}/{one_line(objective)}"
        found[rule] = {
            "id": rule,
            "shortDescription": {"text": f"Red team: {one_line(objective)}"},
            "fullDescription": {"text": f"Found: {one_line(wants.get(objective, objective))}."},
            "defaultConfiguration": {"level": "note"},
        }
    return list(found.values())


def _successes(report: CheckOutcome) -> list[Case]:
    """Return the edited attacks that got past the bundle."""
    return [case for case in red_team.found_cases(report) if case.objective != FLOOD]


def _rule(rule: str, check: CheckResult[Any], gate: GateResult) -> dict[str, Any]:
    message = RULE.format(
        question=one_line(check.question),
        limit=gate_words.limit(gate),
        required="if it is unmeasured, the gate is closed" if gate.required else "unmeasured does not close it",
    )
    return {
        "id": rule,
        "shortDescription": {"text": f"{one_line(check.title)}: {rule.rpartition('/')[2]}"},
        "fullDescription": {"text": message},
        "defaultConfiguration": {"level": "error" if gate.required else "note"},
    }


def _rule_id(gate: GateResult) -> str:
    return one_line(gate.key.partition(":")[0])


def _result(gate: GateResult, places: Mapping[str, int], artifact: Artifact) -> dict[str, Any]:
    rule, (kind, level) = _rule_id(gate), _kind(gate)
    figures = {"value": gate.value, "low": gate.low, "high": gate.high, "limit": gate.limit}
    counts = {"events": gate.events, "units": gate.units, "needed": gate.needed}
    how = {"correction": one_line(gate.correction), "waived": gate.waived}
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "kind": kind,
        "level": level,
        "message": {"text": plain_message(gate.message) or gate.status},
        "locations": [artifact.location],
        "partialFingerprints": {"finding/v1": one_line(gate.key)},
        "properties": {**figures, **counts, **how, "status": gate.status, "closed": gate.closed},
    }


def _success(case: Case, places: Mapping[str, int], artifact: Artifact) -> dict[str, Any]:
    rule = f"{REDTEAM}/{one_line(case.objective)}"
    edits = f"{len(case.steps)} edits ({', '.join(case.edits)})"
    message = f"{case.family}: {edits} of {short(case.original)} make {short(case.edited)}, and get past the bundle."
    unique = hashlib.sha256(case.edited.encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "kind": "fail",
        "level": "note",
        "message": {"text": plain_message(message)},
        "locations": [artifact.location],
        "partialFingerprints": {"finding/v1": f"{rule}:{unique}"},
        "properties": {
            "family": one_line(case.family),
            "origin": one_line(case.origin),
            "original": to_json(case.original),
            "edited": to_json(case.edited),
            "queries": case.queries,
            "how": one_line(case.how),
        },
    }


def _kind(gate: GateResult) -> tuple[str, str]:
    if gate.status == FAILED:
        return "fail", "error"
    if gate.status == PASSED:
        return "pass", "none"
    return ("fail", "warning") if gate.closed else ("open", "none")
