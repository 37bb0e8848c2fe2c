"""Read Suricata's EVE log and fast.log: `log.py` takes lines apart, `records.py` and `fast.py` make events of them."""

from __future__ import annotations

from overproof.events.sources.suricata.log import read_suricata

__all__ = ["read_suricata"]
