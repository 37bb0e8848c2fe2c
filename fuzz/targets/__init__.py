"""All targets, in one explicit table."""

from __future__ import annotations

from fuzz.target import Target
from fuzz.targets import bundles, readers, service, sinks, stored

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("events", 40, readers.events_file, readers.run),
        Target("capture", 12, readers.capture, readers.run),
        Target("table", 12, readers.table, readers.run),
        Target("bundle", 8, bundles.hostile, bundles.run),
        Target("evidence", 5, stored.evidence, stored.run_evidence),
        Target("index", 5, stored.index, stored.run_index),
        Target("check", 1, stored.check, stored.run_check),
        Target("sink", 8, sinks.made, sinks.run),
        Target("service", 8, service.made, service.run),
        Target("small", 5, stored.small, stored.run_small),
    )
}
