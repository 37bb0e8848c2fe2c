"""Say which verdicts a rule is about, and which no rule may touch: whoever attacks knows the rules, or guesses them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from overproof.inference.exceptions.rules import Rule
from overproof.inference.sinks.fields import address, shared
from overproof.inference.sinks.wording import family_of

_PLAIN = re.compile(r"/[^%\\;\x00-\x20\x7f]*", re.ASCII)  # a path that every server reads alike


def barred(verdict: Mapping[str, Any], ood_distance: float | None) -> str | None:
    """Say why no rule may silence an alert: nobody is sure of it, or not all of it was judged; None if one may.

    Parameters
    ----------
    ood_distance
        Beyond it the student knows nothing of an event (`cascade.Policy`); None is without such a bound.
    """
    student = verdict["student"]
    if verdict["label"] is None or verdict["status"] != "decided" or verdict["stood_in"]:
        return "nobody decided them, or the student in place of the full model"
    if student["overflow"]:
        return "they go on beyond what was judged"
    distance = student["ood_distance"]
    if verdict["decided_by"] != "full" and ood_distance is not None and distance is not None:
        return "they are out of distribution" if distance > ood_distance else None
    return None


def concerns(rule: Rule, verdict: Mapping[str, Any], text: str) -> bool:
    """Return whether all conditions of a rule hold; of its span, whether the text has it."""
    if rule.span is not None and rule.span not in text:
        return False
    if rule.family is not None and family_of(verdict).lower() != rule.family.lower():
        return False
    if rule.source is None and rule.path is None:
        return True
    known, _ = shared(verdict)
    return _is_of(rule, known) and _is_at(rule, known.get("url"))


def _is_of(rule: Rule, known: Mapping[str, Any]) -> bool:
    """Return whether an event comes from a rule's source.

    A name is that of the machine whose log it is: the `host` of a request or a connection is what a client wrote.
    """
    if rule.source is None:
        return True
    if rule.network is None:
        of_machine = known.keys().isdisjoint({"url", "method", "src_ip", "dst_ip"})
        return of_machine and str(known.get("host", "")).lower() == rule.source.lower()
    found = address(known.get("src_ip") or "")
    if found is None:
        return False
    one = ipaddress.ip_address(found)
    mapped = one.ipv4_mapped if isinstance(one, ipaddress.IPv6Address) else None
    return (mapped or one) in rule.network


def _is_at(rule: Rule, url: str | None) -> bool:
    """Return whether a request is for a rule's path; one that servers may read as another is for none."""
    if rule.path is None:
        return True
    if not url or not url.isprintable() or url.startswith("//"):
        return False
    try:
        found = unquote(urlsplit(url).path, errors="strict")
    except (ValueError, UnicodeDecodeError):
        return False
    if not _PLAIN.fullmatch(found) or "//" in found or {".", ".."} & set(found.split("/")):
        return False
    return found.startswith(rule.path[:-1]) if rule.path.endswith("*") else found == rule.path
