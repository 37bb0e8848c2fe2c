"""Drafts as the rows of event batches."""

from __future__ import annotations

import pyarrow as pa

from overproof.events.schema import SCHEMA
from overproof.events.sources.batch import Row
from overproof.events.sources.pcap.event_draft import Draft
from overproof.events.sources.structured import Seen, seen_batch
from overproof.events.sources.values import when


def row(draft: Draft) -> Row[Seen]:
    """A draft as a row of `batch.batched`."""
    columns: dict[str, str | int | None] = {
        "kind": draft.kind,
        "src_ip": draft.src_ip,
        "dst_ip": draft.dst_ip,
        "protocol": draft.protocol,
        "host": draft.host,
        "url": draft.url,
        "method": draft.method,
        "user_agent": draft.user_agent,
        "query": draft.query,
    }
    group = draft.src_ip
    if (ends := draft.ends) is not None:
        group = ends.flow_id
        columns |= {
            "src_ip": ends.source,
            "src_port": ends.sport,
            "dst_ip": ends.target,
            "dst_port": ends.dport,
            "transport": ends.transport,
            "flow_id": ends.flow_id,
        }
    return draft.spot.number, len(draft.text), Seen(draft.text, when(draft.spot.time), group, columns)


def packet_batch(name: str, places: list[int], records: list[Seen], *, extra: bool) -> pa.RecordBatch:
    """The batch of some records, whose origins say that their places are packets."""
    batch = seen_batch(name, places, records, extra=extra)
    origins = pa.array([f"{name}:packet {place}" for place in places], pa.string())
    return batch.set_column(batch.schema.get_field_index("origin"), SCHEMA.field("origin"), origins)
