"""Read Windows event logs: `log.py` as JSON lines; `shapes.py` finds the event, `records.py` makes ours of it."""

from __future__ import annotations

from overproof.events.sources.windows.log import read_windows

__all__ = ["read_windows"]
