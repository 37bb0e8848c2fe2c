"""Label events by what an intrusion detection system said of their flows and hosts.

`READERS` is the whole list of what is read for that.
"""

from __future__ import annotations

from pathlib import Path

from overproof.errors import InputError
from overproof.events.labelling.alert import Alert
from overproof.events.labelling.match import Alerts
from overproof.events.labelling.read import READERS
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Columns, OnSkip
from overproof.events.sources.stream import open_input

__all__ = ["READERS", "Alert", "Alerts", "read_alerts"]

EXPECTED = "expected a Zeek notice.log or a Suricata eve.json with alerts"


def read_alerts(path: str | Path, on_skip: OnSkip) -> list[Alert]:
    """Read the alerts of a log, plain or compressed.

    Raises
    ------
    InputError
        If it cannot be read, is no such log, or has no alert that says whom it is about.
    """
    with open_input(path) as source:
        format = detect(source, Columns())
        if format not in READERS:
            raise InputError(f"{source.name}: read as {format}; {EXPECTED}")
        alerts = list(READERS[format](source, on_skip))
    if not alerts:
        raise InputError(f"{source.name}: no alert in it that says which flow or host it is about; {EXPECTED}")
    return alerts
