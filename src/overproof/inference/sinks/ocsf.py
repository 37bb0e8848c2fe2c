"""Write a verdict as a Detection Finding of OCSF 1.5.0 (https://schema.ocsf.io/1.5.0/classes/detection_finding)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.inference.sinks import severity
from overproof.inference.sinks.fields import address, confidence, identity, is_alert, milliseconds, shared, when
from overproof.inference.sinks.interface import About, Verdict
from overproof.inference.sinks.wording import description, family_of, headline, technique_of, title

VERSION = "1.5.0"
CREATE, DETECTION_FINDING, FINDINGS = 1, 2004, 2
NEW, SUPPRESSED = 1, 3
LEARNING = 4  # analytic.type_id
HOSTNAME, IP, USER, URL = 1, 2, 4, 6  # observable.type_id
UNKNOWN = 0  # device.type_id, connection_info.direction_id
METHODS = frozenset("OPTIONS GET HEAD POST PUT DELETE TRACE CONNECT".split())  # all that the schema allows

# Bounds of the confidence that is called medium and high; of a verdict that nobody decided it is always low.
MEDIUM, HIGH = 0.5, 0.9
CONFIDENCES = {1: "Low", 2: "Medium", 3: "High"}


def finding(verdict: Verdict, about: About) -> dict[str, Any]:
    """Put a verdict into a Detection Finding; what OCSF has no place for is in `unmapped`.

    `status_id` is that of the finding's life (New, or Suppressed by a rule: what else becomes of it is for others to
    say); the verdict's own status is `status_code`, its reason `status_detail`.
    """
    known, rest = shared(verdict)
    rest.update({name: known.pop(name) for name in _unplaced(known)})
    evidence = _evidence(known, verdict["source"])
    grave = severity.of(verdict, about.benign)
    sure, score = _confidence_id(verdict), confidence(verdict)
    uid = identity(verdict)
    alert = is_alert(verdict, about.benign)
    silenced = "excepted" in verdict
    said = description(verdict, about)
    event: dict[str, Any] = {
        "category_uid": FINDINGS,
        "category_name": "Findings",
        "class_uid": DETECTION_FINDING,
        "class_name": "Detection Finding",
        "activity_id": CREATE,
        "activity_name": "Create",
        "type_uid": DETECTION_FINDING * 100 + CREATE,
        "type_name": "Detection Finding: Create",
        "time": when(verdict, about),
        "severity_id": grave,
        "severity": severity.NAMES[grave].capitalize(),
        "status_id": SUPPRESSED if silenced else NEW,
        "status": "Suppressed" if silenced else "New",
        "status_code": verdict["status"],
        "status_detail": verdict["reason"],
        "is_alert": alert,
        "message": headline(verdict) if alert else said,
        "confidence_id": sure,
        "confidence": CONFIDENCES[sure],
        "metadata": _metadata(verdict, about, uid),
        "finding_info": {
            "uid": uid,
            "title": title(verdict),
            "desc": said,
            "types": [family_of(verdict)],
            "data_sources": [verdict["source"]],
            **_analytics(verdict, about),
            **(_attacks(verdict, about) if alert else {}),
        },
    }
    if score is not None:
        event["confidence_score"] = round(100 * score)
    if verdict["attack"] is not None:
        event["risk_score"] = round(100 * float(verdict["attack"]))
    if evidence:
        event["evidences"] = [evidence]
    if "host" in known and known.keys().isdisjoint({"url", "dst_ip"}):
        event["device"] = {"hostname": known["host"], "type_id": UNKNOWN}
    observables = _observables(evidence)
    if observables:
        event["observables"] = observables
    shown = verdict.get("text", verdict.get("excerpt"))
    if shown is not None:
        event["raw_data"] = shown
    _campaign(event, verdict)
    event["unmapped"] = {
        **{name: verdict[name] for name in _UNMAPPED if name in verdict},
        **({"event": rest} if rest else {}),
    }
    return event


_UNMAPPED = (
    "origin source attack status decided_by stood_in reason student full models family group spans campaign excepted"
).split()


def _confidence_id(verdict: Verdict) -> int:
    sure = confidence(verdict)
    if verdict["decided_by"] == "nobody" or sure is None or sure < MEDIUM:
        return 1
    return 3 if sure >= HIGH else 2


def _metadata(verdict: Verdict, about: About, uid: str) -> dict[str, Any]:
    metadata = {
        "version": VERSION,
        "product": {"name": "overproof", "vendor_name": "overproof", "version": about.overproof},
        "profiles": [],
        "uid": uid,
        "log_name": verdict["origin"].rpartition(":")[0] or verdict["origin"],
    }
    if verdict["time"]:
        metadata["original_time"] = verdict["time"]
    return metadata


def _campaign(event: dict[str, Any], verdict: Verdict) -> None:
    """Say of how many alerts, and of when, a finding is that stands for a campaign."""
    campaign = verdict.get("campaign")
    if campaign is None:
        return
    event["count"] = event["finding_info"]["related_events_count"] = campaign["count"]
    for place, here, there in (("first", "start_time", "first_seen_time"), ("last", "end_time", "last_seen_time")):
        found = milliseconds(campaign[place])
        if found is not None:
            event[here] = event["finding_info"][there] = found


def _attacks(verdict: Verdict, about: About) -> dict[str, Any]:
    """Name the technique of the alert's family; nothing where it has none."""
    technique = technique_of(verdict, about)
    if technique is None:
        return {}
    found = {"technique": {"uid": technique.technique_id, "name": technique.of or technique.name}}
    if technique.of is not None:
        found["sub_technique"] = {"uid": technique.id, "name": technique.name}
    return {"attacks": [found]}


def _analytics(verdict: Verdict, about: About) -> dict[str, Any]:
    """Name the model whose label stands, and the other one if it was asked."""
    asked = ["student"] if verdict["full"] is None else ["student", "full"]
    models = {who: _analytic(who, verdict["models"][who] or "unknown", about) for who in asked}
    stands = models.pop("full" if verdict["decided_by"] == "full" else "student")
    return {"analytic": stands, **({"related_analytics": list(models.values())} if models else {})}


def _analytic(who: str, model: str, about: About) -> dict[str, Any]:
    return {
        "name": "overproof student" if who == "student" else "full model",
        "uid": model,
        "type_id": LEARNING,
        "type": "Learning (ML/DL)",
        "version": about.overproof,
    }


def _unplaced(known: Mapping[str, Any]) -> list[str]:
    """Columns that OCSF has no place for in this event: a port of no endpoint, a method that is not in its list."""
    unplaced = [f"{side}_port" for side in ("src", "dst") if f"{side}_ip" not in known]
    if "dst_ip" not in known:
        unplaced.append("protocol")
    if known.get("method") not in METHODS:
        unplaced.append("method")
    return [name for name in unplaced if name in known]


def _evidence(known: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Collect what the event says of endpoints, connection, request, lookup and user; empty if it says none of it."""
    evidence: dict[str, Any] = {}
    for side in ("src", "dst"):
        if f"{side}_ip" in known:
            evidence[f"{side}_endpoint"] = _endpoint(known[f"{side}_ip"], known.get(f"{side}_port"))
    if "dst_ip" in known and "url" not in known:
        evidence["dst_endpoint"] |= _named(known, hostname="host")
    if "protocol" in known:
        evidence["dst_endpoint"]["svc_name"] = known["protocol"]
    connection = _named(known, protocol_name="transport", uid="flow_id")
    if connection:
        evidence["connection_info"] = {"direction_id": UNKNOWN, **connection}
    evidence.update(_web(known))
    if "query" in known:
        evidence["query"] = {"hostname": known["query"]}
    if "user" in known:
        evidence["user"] = {"name": known["user"]}
    if evidence and not evidence.keys() & _ENOUGH:
        evidence["data"] = dict(known)
    return {"name": source, **evidence} if evidence else {}


# OCSF wants at least one of these (or others that are never written) in evidence.
_ENOUGH = frozenset("src_endpoint dst_endpoint connection_info url query user".split())


def _named(known: Mapping[str, Any], **columns: str) -> dict[str, Any]:
    """OCSF's attributes from the columns they are in, as far as there are any."""
    return {name: known[column] for name, column in columns.items() if column in known}


def _endpoint(host: str, port: int | None) -> dict[str, Any]:
    ip = address(host)
    endpoint: dict[str, Any] = {"hostname": host} if ip is None else {"ip": ip}
    return endpoint if port is None else {**endpoint, "port": port}


def _web(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request and its answer; nothing here parses a URL, since attackers write them."""
    web: dict[str, Any] = {}
    url = _named(known, url_string="url")
    if url and known["url"].startswith("/"):
        path, mark, query = known["url"].partition("?")
        url |= {"path": path, **({"query_string": query} if mark else {})}
    if url:
        web["url"] = url = {**url, **_named(known, hostname="host")}
    request = _named(known, http_method="method", user_agent="user_agent")
    if request:
        web["http_request"] = {**request, **({"url": url} if url else {})}
    if "status" in known:
        web["http_response"] = {"code": known["status"]}
    return web


_OBSERVED = (
    ("src_endpoint", "ip", IP, "IP Address"),
    ("src_endpoint", "hostname", HOSTNAME, "Hostname"),
    ("dst_endpoint", "ip", IP, "IP Address"),
    ("dst_endpoint", "hostname", HOSTNAME, "Hostname"),
    ("url", "hostname", HOSTNAME, "Hostname"),
    ("url", "url_string", URL, "URL String"),
    ("query", "hostname", HOSTNAME, "Hostname"),
    ("user", "name", USER, "User Name"),
)


def _observables(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Collect what an analyst searches by, pointing into the evidence."""
    return [
        {"name": f"evidences.{part}.{name}", "type_id": kind, "type": said, "value": evidence[part][name]}
        for part, name, kind, said in _OBSERVED
        if name in evidence.get(part, ())
    ]
