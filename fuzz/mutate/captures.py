"""Change captures by their records, and packets by the fields that say how long, in what order and of what they are."""

from __future__ import annotations

import struct
from random import Random

from fuzz.mutate import raw

SMALL = (0, 1, 2, 4, 5, 6, 15, 17, 20, 40, 41, 44, 47, 50, 58, 60, 128, 255)
LINKS = (0, 1, 12, 101, 113, 147, 192, 228, 276, 65535)
WORDS = (
    b"\0\0",
    b"\xff\xff",
    b"\0\x01",
    b"\x08\x00",
    b"\x86\xdd",
    b"\x81\x00",
    b"\x88\x47",
    b"\x65\x58",
    b"\x00\x35",
    b"\x01\xbb",
)


def changed(content: bytes, random: Random) -> bytes:
    """Change a pcap or pcapng file."""
    if content[:4] == b"\x0a\x0d\x0d\x0a":
        return _blocks_changed(content, random)
    order = {
        b"\xd4\xc3\xb2\xa1": "<",
        b"\x4d\x3c\xb2\xa1": "<",
        b"\xa1\xb2\xc3\xd4": ">",
        b"\xa1\xb2\x3c\x4d": ">",
    }.get(content[:4])
    if order is None or len(content) < 24:
        return raw.changed(content, random)
    head, records, at = bytearray(content[:24]), [], 24
    while at + 16 <= len(content):
        seconds, parts, kept, length = struct.unpack_from(order + "IIII", content, at)
        records.append([seconds, parts, content[at + 16 : at + 16 + kept], length])
        at += 16 + kept
    if not records or random.random() < 0.08:
        struct.pack_into(order + "I", head, random.choice((16, 20, 20, 4, 8)), random.choice(LINKS))
    records = _order_changed(records, random) if random.random() < 0.4 else _record_changed(records, random)
    found = bytes(head)
    for seconds, parts, data, length in records:
        found += (
            struct.pack(order + "IIII", seconds & 0xFFFFFFFF, parts & 0xFFFFFFFF, len(data), length & 0xFFFFFFFF) + data
        )
    if random.random() < 0.08:
        return raw.changed(found, random)
    return found


def _order_changed(records: list[list], random: Random) -> list[list]:  # type: ignore[type-arg]
    """Move, repeat or lose packets."""
    at, to = (random.randrange(len(records) + 1) for _ in range(2)) if records else (0, 0)
    how = random.randrange(5)
    if how == 0:
        random.shuffle(records)
    elif how == 1:
        records[to:to] = records[at : at + 3]
    elif how == 2:
        del records[at : at + random.choice((1, 1, 3))]
    elif how == 3:
        records.reverse()
    else:
        records = records * random.choice((2, 3))
    return records


def _record_changed(records: list[list], random: Random) -> list[list]:  # type: ignore[type-arg]
    if not records:
        return records
    record = random.choice(records)
    how = random.randrange(8)
    if how == 0:
        record[0] = random.choice((0, 2**31, 2**32 - 1, record[0] - 1, record[0] + 10**6))
    elif how == 1:
        record[1] = random.choice((0, 999_999, 10**6, 2**32 - 1))
    elif how == 2:
        record[3] = random.choice((0, 1, 2**32 - 1, 2**31, record[3] + 1000))
    elif how == 3:
        record[2] = record[2][: random.randint(0, len(record[2]))]
    else:
        record[2] = packet_changed(record[2], random)
        record[3] = len(record[2])
    return records


def packet_changed(packet: bytes, random: Random) -> bytes:
    """Change a packet: mostly its heads, some of whose fields are one or two bytes."""
    data = bytearray(packet)
    if not data:
        return random.randbytes(random.choice((1, 14, 60)))
    how = random.randrange(8)
    at = random.randrange(min(len(data), random.choice((20, 60, 60, len(data)))))
    if how == 0:
        data[at] = random.choice(SMALL)
    elif how <= 2:
        data[at : at + 2] = random.choice(WORDS)
    elif how == 3:  # the fields of an IPv4 head behind Ethernet: lengths, fragments, protocol
        place = random.choice((14, 16, 17, 20, 21, 23))
        data[place : place + 1] = bytes([random.choice(SMALL)])
    elif how == 4:  # those of TCP: ports, numbers, offset, flags
        place = random.choice((34, 36, 38, 39, 41, 42, 46, 47))
        data[place : place + 1] = bytes([random.choice(SMALL)])
    elif how == 5:
        data = bytearray(bytes(data[:14]) + data[14:34] + data[14:])  # a head twice
    elif how == 6:
        data += data[at:] * random.choice((1, 1, 40))
    else:
        return raw.changed(packet, random)[:65535]
    return bytes(data[:65535])


def _blocks_changed(content: bytes, random: Random) -> bytes:
    """Change the blocks of a pcapng file: order, kind, content, and the lengths that stand twice."""
    order = "<" if content[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    blocks, at = [], 0
    while at + 12 <= len(content):
        size = struct.unpack_from(order + "I", content, at + 4)[0]
        if size < 12 or at + size > len(content):
            break
        blocks.append(bytearray(content[at : at + size]))
        at += size
    if not blocks:
        return raw.changed(content, random)
    block = random.choice(blocks)
    how = random.randrange(7)
    if how == 0:
        struct.pack_into(order + "I", block, 0, random.choice((1, 2, 3, 4, 5, 6, 10, 0x0A0D0D0A, 0xBAD)))
    elif how == 1:
        struct.pack_into(
            order + "I", block, random.choice((4, len(block) - 4)), random.choice((0, 12, 13, len(block) + 4, 2**31))
        )
    elif how == 2:
        random.shuffle(blocks)
    elif how == 3:
        blocks.insert(random.randrange(len(blocks)), block)
    elif how == 4:
        blocks.remove(block)
    else:
        body = bytearray(packet_changed(bytes(block[8:-4]), random))
        body += bytes(-len(body) % 4)
        size = struct.pack(order + "I", len(body) + 12)
        block[:] = block[:4] + size + body + size
    return b"".join(map(bytes, blocks))
