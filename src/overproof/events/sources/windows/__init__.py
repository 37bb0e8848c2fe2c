"""Read Windows event logs: `log.py` JSON lines, `evtx.py` files; `shapes.py` finds events, `records.py` makes ours."""

from __future__ import annotations

from overproof.events.sources.windows.evtx import read_evtx
from overproof.events.sources.windows.log import read_windows

__all__ = ["read_evtx", "read_windows"]
