"""Edits that keep what an event does, by construction; a file a domain, and the one table of them."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.redteam.base import Mutators
from overproof.redteam.mutate import dns, flow, line, path, sql

MUTATORS: Mapping[str, Mutators] = {
    "sql": sql.MUTATORS,
    "path": path.MUTATORS,
    "dns": dns.MUTATORS,
    "flow": flow.MUTATORS,
    "line": line.MUTATORS,
}
