"""Write a verdict in the Elastic Common Schema 9.3, as a document of `logs-*` (elastic.co/docs/reference/ecs)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from overproof.inference.sinks import severity
from overproof.inference.sinks.fields import EPOCH, address, identity, is_alert, milliseconds, shared, when
from overproof.inference.sinks.interface import About, Verdict
from overproof.inference.sinks.wording import description, family_of, technique_of, title

VERSION = "9.3.0"


def document(verdict: Verdict, about: About) -> dict[str, Any]:
    """Put a verdict in ECS; what ECS has no field for is under `overproof`.

    `event.kind` is `alert` for every label that is not benign, decided or not, unless a rule silences it, else `event`.
    """
    known, rest = shared(verdict)
    alert = is_alert(verdict, about.benign)
    categories = (["intrusion_detection"] if alert else []) + _categories(known)
    event: dict[str, Any] = {
        "kind": "alert" if alert else "event",
        "module": "overproof",
        "dataset": "overproof.verdict",
        "id": identity(verdict),
        "severity": severity.of(verdict, about.benign),
        "reason": verdict["reason"],
    }
    if verdict["attack"] is not None:
        event["risk_score"] = round(100 * float(verdict["attack"]), 2)
    if categories:
        event |= {"category": categories, "type": ["info"]}
    shown = verdict.get("text", verdict.get("excerpt"))
    if shown is not None:
        event["original"] = shown
    for place, name in (("first", "start"), ("last", "end")):
        seen = milliseconds((verdict.get("campaign") or {}).get(place))
        if seen is not None:
            event[name] = _iso(seen)
    found: dict[str, Any] = {
        "@timestamp": _iso(when(verdict, about)),
        "ecs": {"version": VERSION},
        "message": description(verdict, about),
        "event": event,
        "observer": {"vendor": "overproof", "product": "overproof", "version": about.overproof},
        **_network(known),
        **_web(known),
        **_related(known),
    }
    if alert:
        found["rule"] = {
            "name": family_of(verdict),
            "description": title(verdict),
            "ruleset": "overproof",
            "version": _model(verdict),
        }
        found |= _threat(verdict, about)
    if "user" in known:
        found["user"] = {"name": known["user"]}
    own = {name: verdict[name] for name in _OWN if name in verdict}
    if "flow_id" in known:
        own["flow_id"] = known["flow_id"]
    found["overproof"] = {**own, **({"event": rest} if rest else {})}
    return found


_OWN = (
    "origin source time label attack status decided_by stood_in reason student full models family group spans campaign "
    "excepted"
).split()


def _iso(milliseconds: int) -> str:
    """Write a date as Elasticsearch reads it by default."""
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _model(verdict: Verdict) -> str:
    return str(verdict["models"]["full" if verdict["decided_by"] == "full" else "student"])


def _threat(verdict: Verdict, about: About) -> dict[str, Any]:
    """Name the technique of the alert's family; nothing where it has none."""
    technique = technique_of(verdict, about)
    if technique is None:
        return {}
    found: dict[str, Any] = {"id": [technique.technique_id], "name": [technique.of or technique.name]}
    if technique.of is not None:
        found["subtechnique"] = {"id": [technique.id], "name": [technique.full_name]}
    return {"threat": {"framework": "MITRE ATT&CK", "technique": found}}


def _categories(known: Mapping[str, Any]) -> list[str]:
    """Return the big buckets; `info` is an expected event.type of each."""
    web = "method" in known or "url" in known
    network = known.keys() & {"src_ip", "dst_ip", "transport", "protocol", "query"}
    return (["web"] if web else []) + (["network"] if network else [])


def _network(known: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side, name in (("src", "source"), ("dst", "destination")):
        host, port = known.get(f"{side}_ip"), known.get(f"{side}_port")
        # Elasticsearch rejects the whole document for an `ip` that is none.
        ip = address(host) if host else None
        end = {"address": host, "ip": ip, "domain": host if host and ip is None else None, "port": port}
        end = {field: value for field, value in end.items() if value is not None}
        if end:
            found[name] = end
    network = {name: known[name].lower() for name in ("transport", "protocol") if name in known}
    if network:
        found["network"] = network
    if "query" in known:
        found["dns"] = {"question": {"name": known["query"]}}
    return found


def _web(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request and its answer; without a request, a host is the machine that the event is of."""
    found: dict[str, Any] = {}
    http: dict[str, Any] = {}
    if "method" in known:
        http["request"] = {"method": known["method"]}
    if "status" in known:
        http["response"] = {"status_code": known["status"]}
    if http:
        found["http"] = http
    url = {"original": known["url"]} if "url" in known else {}
    if "host" in known:
        if url or http:
            url["domain"] = known["host"]
        else:
            found["host"] = {"name": known["host"]}
    if url:
        found["url"] = url
    if "user_agent" in known:
        found["user_agent"] = {"original": known["user_agent"]}
    return found


def _related(known: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what an analyst pivots by, whichever field it came from."""
    ends = [known[name] for name in ("src_ip", "dst_ip") if name in known]
    related = {
        "ip": [ip for ip in map(address, ends) if ip is not None],
        "hosts": [end for end in ends if address(end) is None] + [known[n] for n in ("host", "query") if n in known],
        "user": [known["user"]] if "user" in known else [],
    }
    related = {name: list(dict.fromkeys(values)) for name, values in related.items() if values}
    return {"related": related} if related else {}
