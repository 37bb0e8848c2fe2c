"""Read Zeek's logs: `log.py` takes lines apart, `records.py` makes events of them."""

from __future__ import annotations

from overproof.events.sources.zeek.log import read_zeek, zeek_records

__all__ = ["read_zeek", "zeek_records"]
