"""Write structured records as text: one template a kind of record, the same from any source.

They are the templates of the built-in traffic (`overproof.events.simulate`), so that a model which was trained on
it can read captures and logs: numbers stand in logarithmic buckets, and a part that is None is left out.
"""

from __future__ import annotations

from overproof.events.templates.dns import DnsLookup
from overproof.events.templates.flow import FlowRecord, HostAggregate
from overproof.events.templates.http import HttpRequest, is_unusual, percent_decoded
from overproof.events.templates.kinds import kind_of
from overproof.events.templates.line import Part, bucket, record
from overproof.events.templates.parts import part_at, shown_at
from overproof.events.templates.session import FileTransfer, SshSession, TlsSession, signer

__all__ = [
    "DnsLookup",
    "FileTransfer",
    "FlowRecord",
    "HostAggregate",
    "HttpRequest",
    "Part",
    "SshSession",
    "TlsSession",
    "bucket",
    "is_unusual",
    "kind_of",
    "part_at",
    "percent_decoded",
    "record",
    "shown_at",
    "signer",
]
