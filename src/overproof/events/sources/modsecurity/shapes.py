"""Recognize ModSecurity's audit logs, with little to import: what is read of them needs what captures do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from overproof.events.sources.values import entry

# version 2 writes `--c7036611-A--`, version 3 `---Hx3Kq9Lm---A--`; the identifier is drawn at random for each
BOUNDARY = re.compile(rb"--(?P<id>[\w@-]{4,64}?)-(?P<section>[A-Z])--\r?")


def looks_like_serial(line: bytes) -> bool:
    """Tell whether a line, the first of an input, stands before a section of an audit log."""
    return BOUNDARY.fullmatch(line) is not None


def is_transaction(record: Mapping[Any, Any]) -> bool:
    """Tell whether an object is a transaction of an audit log, of version 2, 3 or Coraza."""
    about = entry(record, "transaction")
    return bool(about.keys() & {"remote_address", "client_ip"} and about.keys() & {"transaction_id", "unique_id", "id"})
