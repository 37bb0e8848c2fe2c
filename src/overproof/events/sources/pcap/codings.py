"""Undo what the body of a request is encoded with (RFC 9110, 8.4.1; brotli: RFC 7932, zstd: RFC 8878).

The work is bounded whatever the ratio: no step makes more than the bytes that are asked for, so that of a bomb the
start is seen, and the rest is cut like that of any long body.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pyarrow as pa

LONGEST_CODED = 64 << 10  # bytes of an encoded body that are kept
MOST_CODINGS = 4  # one over the other

_STEP = 512  # bytes decoded at a time, so that of a damaged body what precedes the damage is there
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_TRANSPARENT = ("", "identity", "chunked", "aws-chunked")  # the framing is read, or is text


class Decoded(NamedTuple):
    """The start of what was encoded, and whether it is all of it."""

    data: bytes
    whole: bool


def codings(values: Sequence[bytes]) -> list[str]:
    """Return the codings that header values name, in the order in which they were applied."""
    named = (name.strip().lower() for value in values for name in value.decode("latin-1").split(","))
    return [name for name in named if name not in _TRANSPARENT]


def undone(data: bytes, names: Sequence[str], most: int) -> Decoded:
    """Return at most `most` bytes of what data are without their codings; data as they are where that fails at once.

    Parameters
    ----------
    names
        In the order in which they were applied, as `codings` gives them.
    """
    if len(names) > MOST_CODINGS:
        return Decoded(data[:most], False)
    plain, whole = data, True
    for left, name in reversed([*enumerate(names)]):
        decode = _DECODERS.get(name)
        found = Decoded(b"", False) if decode is None else decode(plain, 1 + (LONGEST_CODED if left else most))
        if not found.data and not found.whole:
            return Decoded(data[:most], False)
        plain, whole = found.data, whole and found.whole
    return Decoded(plain[:most], whole and len(plain) <= most)


def _inflated(data: bytes, most: int, kind: int) -> Decoded:
    """Decode one stream of zlib's, or several of gzip's."""
    machine, out, waiting = zlib.decompressobj(kind), bytearray(), memoryview(data)
    try:
        while waiting and len(out) < most:
            step = waiting[:_STEP]
            out += machine.decompress(step, most - len(out))
            waiting = waiting[len(step) - len(machine.unconsumed_tail) - len(machine.unused_data) :]
            if machine.eof:
                if kind != _GZIP or bytes(waiting[:2]) != b"\x1f\x8b":
                    break
                machine = zlib.decompressobj(kind)
    except zlib.error:
        return Decoded(bytes(out), False)
    return Decoded(bytes(out), machine.eof and not waiting)


def _deflated(data: bytes, most: int) -> Decoded:
    """Decode what is meant to have zlib's header, and is often sent without."""
    found = _inflated(data, most, _ZLIB)
    return found if found.data or found.whole else _inflated(data, most, _BARE)


def _unpacked(data: bytes, most: int, codec: str) -> Decoded:
    """Decode by a codec of Arrow's."""
    out = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            while len(out) < most and (piece := stream.read(min(_STEP, most - len(out)))):
                out += piece
    except (pa.ArrowException, OSError):
        return Decoded(bytes(out), False)
    return Decoded(bytes(out), len(out) < most)


_DECODERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "gzip": partial(_inflated, kind=_GZIP),
    "x-gzip": partial(_inflated, kind=_GZIP),
    "deflate": _deflated,
    **{
        name: partial(_unpacked, codec=codec)
        for name, codec in (("br", "brotli"), ("zstd", "zstd"))
        if pa.Codec.is_available(codec)
    },
}
