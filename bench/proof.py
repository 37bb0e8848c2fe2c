"""Test the checks themselves: whether what they promise, pass and refuse is as often right as they say."""

from __future__ import annotations

from collections.abc import Callable

import interval_coverage
import replays
from settings import once

TABLES: dict[str, Callable[[], str]] = {
    "coverage": lambda: interval_coverage.to_markdown(once("proof-coverage", interval_coverage.measured)),
    "replays": lambda: replays.to_markdown(once("proof-replays", replays.measured)),
}
