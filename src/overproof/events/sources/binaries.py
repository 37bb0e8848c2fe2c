"""Name the files of other kinds that people pass by mistake, before anything of them is judged as text."""

from __future__ import annotations

import re

EXPECTED = "expected csv, jsonl, parquet or plain lines, in UTF-8"

# first bytes, and what begins with them
_KINDS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old spreadsheet or document",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    b"\xfd7zXZ\x00": "xz",
    b"LZIP": "lzip",
    b"\x1f\x8b": "gzip inside of another compression",
    b"\x28\xb5\x2f\xfd": "zstd inside of another compression",
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x02\x21\x4c\x18": "lz4",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"ElfFile\x00": "a Windows event log (evtx)",
    b"\x30\x00\x00\x00LfLe": "an old Windows event log (evt)",
    b"LPKSHHRH": "a systemd journal",
    b"SQLite format 3\x00": "an SQLite database",
    b"ARROW1": "an Arrow or Feather file",
    b"FEA1": "a Feather file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"ORC": "an ORC table",
    b"Obj\x01": "an Avro file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    **{
        sign: f"a capture of {program} (editcap -F pcap converts it)"
        for sign, program in (
            (b"snoop\x00\x00\x00", "snoop"),
            (b"RTSS", "Microsoft Network Monitor"),
            (b"GMBU", "Microsoft Network Monitor"),
            (b"TRSNIFF", "Sniffer"),
            (b"XCP\x00", "NetXRay"),
        )
    },
    b"\x7fELF": "a program",
    b"MZ": "a Windows program",
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\xff\xfe\x00\x00": "UTF-32 text",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_ASCII = re.compile(rb"[\x20-\x7e]{2,4}")  # signs that a text could begin with too
_LOOKED_AT = 4096  # bytes
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x1b"))


def kind_of(head: bytes) -> str | None:
    """Name the kind of a file that is none of events, by its first bytes; None where they do not say."""
    for sign, kind in _KINDS.items():
        if head.startswith(sign) and (_ASCII.fullmatch(sign) is None or is_binary(head)):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    sample = head[:_LOOKED_AT]
    few, most = sorted((sample[::2].count(0), sample[1::2].count(0)))  # in UTF-16 every second byte of plain English
    return "UTF-16 text without a byte order mark" if 20 * (most - few) >= 9 * len(sample) > 0 else None


def is_binary(head: bytes) -> bool:
    """Tell whether bytes are no text: they hold a NUL, or many control characters (in UTF-8: very many)."""
    if b"\0" in head:
        return True
    sample = head[:_LOOKED_AT]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return 20 * controls > len(sample) and (3 * controls > len(sample) or not _is_utf8(sample))


def _is_utf8(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4 and len(sample) == _LOOKED_AT  # the sample may end in a character
    return True
