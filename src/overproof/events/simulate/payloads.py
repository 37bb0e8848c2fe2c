"""Encode scripts the way attackers and tools wrap a line into a payload."""

from __future__ import annotations

import base64
import zlib

# Written out, because what gzip puts here changed between Python versions.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


def utf16(script: str) -> str:
    """Encode a script in base64 of UTF-16LE, as `powershell -EncodedCommand` takes it."""
    return base64.b64encode(script.encode("utf-16-le")).decode()


def plain(script: str) -> str:
    """Encode a script's bytes in base64."""
    return base64.b64encode(script.encode()).decode()


def packed(script: str) -> str:
    """Encode a script in base64 of gzip (RFC 1952); the packed bytes depend on the zlib in use."""
    data = script.encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return base64.b64encode(_GZIP_HEADER + packer.compress(data) + packer.flush() + tail).decode()
