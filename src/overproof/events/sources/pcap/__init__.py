"""Read packet captures, pcap and pcapng: requests, lookups, payloads and flows as events.

packets, out of their `tunnels` -> flows -> what each side sent, in order (`reassembly`, `tcp_stream`) -> requests,
lookups, payloads, and one event for each flow and for each host's minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import batched
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.pcap.event_draft import EventDraft
from overproof.events.sources.pcap.flows import Flows
from overproof.events.sources.pcap.fragments import Fragments
from overproof.events.sources.pcap.ip import EXTENSIONS, Network, NoPacket, network, without_extensions
from overproof.events.sources.pcap.packets import Packet, transport
from overproof.events.sources.pcap.records import PCAP, PCAPNG, Record, read_records
from overproof.events.sources.pcap.rows import packet_batch, row
from overproof.events.sources.pcap.tunnels import DEEPEST, TOO_DEEP, inner
from overproof.events.sources.stream import excerpt

__all__ = ["MAGIC", "read_pcap"]

MAGIC = (*PCAP, PCAPNG)  # how a capture begins


def read_pcap(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a capture; see `interface.Source`. The places in origins are packets: `capture.pcap:packet 17`.

    Raises
    ------
    InputError
        If the input is no capture.
    MissingExtra
        If scapy or httptools is not installed.
    """
    require(options.columns.named, (), f"{source.name}: a capture")
    make = partial(packet_batch, source.name, extra=options.extra)
    yield from batched(map(row, _drafts(source, options.on_skip)), options.batch_rows, make)


def _drafts(source: Input, on_skip: OnSkip) -> Iterator[EventDraft]:
    flows, fragments = Flows(source.name, on_skip), Fragments(source.name, on_skip)
    time = 0.0
    for record in read_records(source, on_skip):
        time = time if record.time is None else record.time  # some blocks of pcapng do not say
        try:
            packet = _packet(record, time, fragments)
        except NoPacket as error:
            on_skip(Skipped(str(error), f"{source.name}:packet {record.number}", excerpt(record.data)))
            continue
        if packet is not None:
            yield from flows.add(packet)
    fragments.finish()
    yield from flows.close()


def _packet(record: Record, time: float, fragments: Fragments) -> Packet | None:
    """Read the packet in a record, of a tunnel the innermost one; None while fragments of it are missing."""
    found: Network | None = network(record)
    for _ in range(DEEPEST + 1):
        if found is not None and found.fragment is not None:
            found = fragments.add(record.number, time, found, found.fragment)
        if found is None:
            return None
        if found.protocol in EXTENSIONS:
            found = without_extensions(found)
        within = inner(found)
        if within is None:
            return transport(record, time, found)
        found = within
    raise NoPacket(TOO_DEEP)
