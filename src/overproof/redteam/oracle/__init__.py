"""Prove that an edited event still does what it did, by running or parsing it; a file a domain, and the one table."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.redteam.base import Oracle
from overproof.redteam.oracle import dns, flow, line, path

ORACLES: Mapping[str, Oracle] = {
    "path": path.ORACLE,
    "dns": dns.judge,
    "flow": flow.judge,
    "line": line.judge,
}
