"""Silence alerts that an analyst knows to be harmless: by rules that are signed, say who and why, and expire.

`rules.py` is the file of rules, `match.py` which verdicts a rule is about and which no rule may touch, `silencer.py`
puts them together and proves that a span is all that an alert is about.
"""

from __future__ import annotations

from overproof.inference.exceptions.rules import Rule, Rules, parse_rules
from overproof.inference.exceptions.silencer import Silencer

__all__ = ["Rule", "Rules", "Silencer", "parse_rules"]
