"""Pack and damage: gzip and zstd around anything, and the arrays of an npz file."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from random import Random

import pyarrow as pa

from fuzz.mutate import raw

SKIPPED_FRAME = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
SHAPES = (
    "()",
    "(0,)",
    "(1,)",
    "(3, 0)",
    "(1099511627776, 1048576)",
    "(-1,)",
    "(2, 2, 2, 2)",
    "(4294967296,)",
    "('a',)",
    "3",
)
TYPES = (
    "<f4",
    "<f8",
    "<f2",
    "|i1",
    "|u1",
    "<i8",
    "|b1",
    "<U8",
    "|S3",
    "|O",
    "<M8[ns]",
    "<c16",
    "[('a', '<i4')]",
    ">f4",
    "nonsense",
)

BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError)  # archives raise them


def packed(content: bytes, random: Random) -> bytes:
    """Compress, in several parts perhaps, and perhaps damage what comes out."""
    if random.random() < 0.5:
        parts = [gzip.compress(part, 1, mtime=0) for part in _parts(content, random)]
    else:
        parts = [bytes(pa.Codec("zstd").compress(part, asbytes=True)) for part in _parts(content, random)]
        parts = [SKIPPED_FRAME, *parts] if random.random() < 0.3 else parts
    whole = b"".join(parts)
    how = random.random()
    if how < 0.4:
        return whole
    if how < 0.6:
        return whole[: random.randint(0, len(whole))]
    return whole + random.randbytes(9) if how < 0.7 else raw.changed(whole, random)


def _parts(content: bytes, random: Random) -> list[bytes]:
    at = random.randint(0, len(content))
    return [content] if random.random() < 0.6 else [content[:at], content[at:]]


def arrays_changed(content: bytes, random: Random) -> bytes:
    """Change an npz file: an array's type, shape, numbers or name, or the archive around them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (*BROKEN, ValueError, RuntimeError, OSError, EOFError):
        return raw.changed(content, random)  # it was changed before
    if not members:
        return raw.changed(content, random)
    name = random.choice(sorted(members))
    how = random.randrange(10)
    if how <= 5:
        members[name] = array_changed(members[name], random)
    elif how == 6:
        del members[name]
    elif how == 7:
        members[random.choice(("", "../x.npy", "a", "a.npy", name * 9, f"{name}.npy"))] = members.pop(name)
    elif how == 8:
        members[name] = members[random.choice(sorted(members))]
    file = io.BytesIO()
    with zipfile.ZipFile(
        file, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    ) as archive:
        for each, inside in members.items():
            archive.writestr(zipfile.ZipInfo(each or "x"), inside)
    return file.getvalue() if how < 9 else raw.changed(file.getvalue(), random)


def array_changed(content: bytes, random: Random) -> bytes:
    """Change an array of numpy's format 1.0: the head says what the rest is."""
    if len(content) < 10:
        return raw.changed(content, random)
    size = struct.unpack("<H", content[8:10])[0]
    head, data = content[10 : 10 + size].decode("latin-1"), bytearray(content[10 + size :])
    how = random.randrange(5)
    if how == 0:
        head = f"{{'descr': '{random.choice(TYPES)}', {head.partition(', ')[2].strip()}"
    elif how == 1:
        head = f"{head.partition(chr(39) + 'shape')[0]}'shape': {random.choice(SHAPES)}, }}"
    elif how == 2 and len(data) >= 8:
        at = random.randrange(0, len(data) - 7, 4)
        data[at : at + 4] = struct.pack("<f", random.choice((float("nan"), float("inf"), -1e38, 1e-45, 0.0, -1.0)))
    elif how == 3:
        del data[random.randint(0, len(data)) :]
    else:
        return raw.changed(content, random)
    raw_head = head.strip().ljust(117).encode("latin-1") + b"\n"
    return content[:8] + struct.pack("<H", len(raw_head)) + raw_head + bytes(data)
