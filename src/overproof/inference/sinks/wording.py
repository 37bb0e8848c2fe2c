"""Put a verdict into words for an analyst: what it is, between whom, where in the event, how grave and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.inference.sinks import severity
from overproof.inference.sinks.families import GENERIC, TITLES, Technique
from overproof.inference.sinks.fields import is_alert, label, sentence, shared
from overproof.inference.sinks.interface import About, Verdict
from overproof.progress import one_line, printable

EXCERPT = 2048  # characters of an alert's text that a finding has, unless all of it was asked for
_SHORT = 80  # characters of a span, or of a name, in a sentence


def excerpt(text: str) -> str:
    """Return the start of a text, with whatever could steer a terminal or turn its direction spelled out."""
    shown = printable(text[:EXCERPT])
    return shown if len(text) <= EXCERPT else f"{shown}… (cut: the first {EXCERPT:,} of {len(text):,} characters)"


def family_of(verdict: Verdict) -> str:
    """Return the family that an alert is of: its label, or the event's own where the label says no more than attack."""
    own = (verdict.get("family") or "").lower()
    if label(verdict).lower() in GENERIC and own in TITLES:
        return str(own)
    return label(verdict)


def title(verdict: Verdict) -> str:
    """Name an alert: by its family, else by its label and what kind of event it is."""
    family = family_of(verdict)
    found = TITLES.get(family.lower())
    if found is not None:
        return found[0].upper() + found[1:]
    return f"{family} {_kind(verdict['source'])}" if family.lower() in GENERIC else family


_KINDS = (
    ("flows", "connections of one host in a minute"),
    ("conn", "flow"),
    ("flow", "flow"),
    ("http", "HTTP request"),
    ("access", "HTTP request"),
    ("dns", "DNS lookup"),
    ("tls", "TLS session"),
    ("ssl", "TLS session"),
    ("ssh", "SSH session"),
    ("execve", "command"),
    ("payload", "payload"),
    ("", "event"),
)


def _kind(source: str) -> str:
    return next(kind for part, kind in _KINDS if part in source)


def technique_of(verdict: Verdict, about: About) -> Technique | None:
    """Return the technique of an alert's family; None where it has none."""
    return about.techniques.get(family_of(verdict).lower())


def headline(verdict: Verdict) -> str:
    """Say in one line what an alert is, between whom, and where in the event."""
    undecided = "" if verdict["status"] == "decided" else " (undecided)"  # a list of findings shows no more than this
    return f"{title(verdict)}{undecided}{_between(verdict)}{_times(verdict)}{_flagged(verdict)}"


def description(verdict: Verdict, about: About) -> str:
    """Say of an alert all that an analyst asks first; of anything else what it was decided to be."""
    if not is_alert(verdict, about.benign):
        return sentence(verdict)
    grave = severity.NAMES[severity.of(verdict, about.benign)]
    told = [headline(verdict), _figures(verdict), f"Severity {grave} because {severity.because(verdict)}"]
    return ". ".join([*filter(None, told), sentence(verdict)])


def _between(verdict: Verdict) -> str:
    """Name both ends: the address that was connected to, and only beside it the host, which a client can make up."""
    known, _ = shared(verdict)
    source = known.get("src_ip") or known.get("user")
    host, target = known.get("host"), known.get("dst_ip")
    if target is None and host != source:  # else the machine whose record it is
        host, target = None, host
    named = f" (host {_short(host)})" if host and target and host != target else ""
    port = None if known.get("transport") == "icmp" else known.get("dst_port")  # whose number is a code
    at = "" if port is None else f" port {port}"
    found = f" from {_short(source)}" if source else ""
    if (verdict.get("campaign") or {}).get("targets", 0) > 1:
        return found
    return f"{found} to {_short(target)}{at}{named}" if target else found


def _times(verdict: Verdict) -> str:
    """Tell how many alerts stand behind a finding."""
    campaign = verdict.get("campaign")
    if campaign is None or campaign["count"] == 1:
        return ""
    least = " or more" if campaign["more_targets"] else ""
    on = f" on {campaign['targets']:,}{least} targets" if campaign["targets"] > 1 else ""
    return f" ({campaign['count']:,} alerts{on})"


def _flagged(verdict: Verdict) -> str:
    """Quote what carried it, each with the part of the event that it is in."""
    said = []
    for span in verdict.get("spans") or ():
        part = f" in the {one_line(span['part'])}" if span.get("part") else ""
        text = span.get("shown", span["text"]).strip()
        said.append((f'"{_short(text)}"' if text else "white space") + part)
    return f", flagged for {', '.join(dict.fromkeys(said))}" if said else ""  # a short field may have several spans


def _figures(verdict: Verdict) -> str:
    """Tell what a sum over flows summed up, as exactly as the event's columns know it."""
    event: Mapping[str, Any] = verdict.get("event") or {}
    if verdict["source"] != "flows" or not isinstance(event.get("connections"), int):
        return ""
    said = f"{event['connections']:,} connections in a minute"
    if isinstance(event.get("peers"), int) and isinstance(event.get("ports"), int):
        said += f" to {_count(event['peers'], 'host')} and {_count(event['ports'], 'port')}"
    if isinstance(event.get("failed"), float):
        said += f", {100 * event['failed']:.0f} % of them failed"
    if isinstance(event.get("gap"), float):
        said += f", {event['gap']:.3g} s between two on average"
    return said


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _short(text: str) -> str:
    return one_line(text) if len(text) <= _SHORT else f"{one_line(text[:_SHORT])}…"
