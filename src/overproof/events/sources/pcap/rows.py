"""Turn event drafts into the rows of event batches."""

from __future__ import annotations

import pyarrow as pa

from overproof.events.schema import SCHEMA
from overproof.events.sources.batch import Row
from overproof.events.sources.pcap.event_draft import EventDraft
from overproof.events.sources.structured import StructuredEvent, Value, structured_batch
from overproof.events.sources.values import when


def row(draft: EventDraft) -> Row[StructuredEvent]:
    """Convert a draft to a row of `batch.batched`."""
    columns: dict[str, Value] = {
        "kind": draft.kind,
        "src_ip": draft.src_ip,
        "dst_ip": draft.dst_ip,
        "protocol": draft.protocol,
        "host": draft.host,
        "url": draft.url,
        "method": draft.method,
        "user_agent": draft.user_agent,
        "query": draft.query,
        **(draft.figures or {}),
    }
    group = draft.src_ip
    if (endpoints := draft.endpoints) is not None:
        group = endpoints.flow_id
        columns |= {
            "src_ip": endpoints.source,
            "src_port": endpoints.sport,
            "dst_ip": endpoints.target,
            "dst_port": endpoints.dport,
            "transport": endpoints.transport,
            "flow_id": endpoints.flow_id,
        }
    return (
        draft.ref.number,
        len(draft.text),
        StructuredEvent(draft.text, when(draft.ref.time), group, columns, draft.overflow),
    )


def packet_batch(name: str, places: list[int], records: list[StructuredEvent], *, extra: bool) -> pa.RecordBatch:
    """Make the batch of some events, whose origins say that their places are packets."""
    batch = structured_batch(name, places, records, extra=extra)
    origins = pa.array([f"{name}:packet {place}" for place in places], pa.string())
    return batch.set_column(batch.schema.get_field_index("origin"), SCHEMA.field("origin"), origins)
