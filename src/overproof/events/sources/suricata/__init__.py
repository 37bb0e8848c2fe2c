"""Read Suricata's EVE log: `log.py` takes lines apart, `records.py` makes events of them."""

from __future__ import annotations

from overproof.events.sources.suricata.log import read_suricata

__all__ = ["read_suricata"]
