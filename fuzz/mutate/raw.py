"""Change bytes that nothing is known of."""

from __future__ import annotations

from random import Random

WORDS = (
    b"\0",
    b"\xff",
    b"\x80",
    b"\n",
    b"\r\n",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xef\xbb\xbf",
    b"\xc3\x28",
)
LONGEST = 1 << 17


def changed(content: bytes, random: Random) -> bytes:
    """Change a few bytes, or move, repeat or drop a stretch of them."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 2, 4, 16, 256, 4096)))
        how = random.randrange(8)
        if how == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << random.randrange(8)
        elif how == 1 and data:
            data[min(at, len(data) - 1)] = random.randrange(256)
        elif how == 2:
            del data[at:end]
        elif how == 3:
            data[at:at] = data[at:end] * random.choice((1, 1, 2, 20))
        elif how == 4:
            data[at:at] = random.choice(WORDS)
        elif how == 5:
            word = random.choice(WORDS)
            data[at : at + len(word)] = word
        elif how == 6:
            part = bytes(data[at:end])
            del data[at:end]
            to = random.randint(0, len(data))
            data[to:to] = part
        elif random.random() < 0.3:
            del data[at:]
    return bytes(data[:LONGEST])


def spliced(a: bytes, b: bytes, random: Random) -> bytes:
    """The start of one and the end of another."""
    return a[: random.randint(0, len(a))] + b[random.randint(0, len(b)) :]
