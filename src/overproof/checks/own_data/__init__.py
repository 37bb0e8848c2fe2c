"""Check 1, own data: are these the events that the model will meet?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.own_data.compute import KEY, own_data
from overproof.checks.own_data.html import section
from overproof.checks.own_data.result import OwnData

CHECK = Check(KEY, own_data, OwnData, section)
