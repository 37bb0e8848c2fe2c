"""Read a packet capture, judge every event in it, and print what somebody should look at.

    python examples/triage_a_capture.py [BUNDLE [CAPTURE]]

Without a capture one is made here: two requests, one of them an attack. Needs the extra `pcap`, and a bundle that
learned traffic of this kind, such as that of compress_and_check.py or `make demo`.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.events.sources import read_events

CLIENT, SERVER, PORT = bytes([192, 0, 2, 7]), bytes([198, 51, 100, 9]), 80
REQUESTS = ("/search?q=blue+shoes", "/item?id=1%27+union+select+password+from+users--")


def frame(source_port: int, payload: bytes) -> bytes:
    """Return an Ethernet frame with one TCP segment that carries a whole request."""
    tcp = struct.pack("!HHIIBBHHH", source_port, PORT, 1, 1, 5 << 4, 0x18, 8192, 0, 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, CLIENT, SERVER)
    return bytes(12) + b"\x08\x00" + ip + tcp


def write_capture(path: Path) -> Path:
    """Write a capture of the requests."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for second, target in enumerate(REQUESTS):
            packet = frame(40_000 + second, f"GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
            file.write(struct.pack("<IIII", 1_767_323_045 + second, 0, len(packet), len(packet)) + packet)
    return path


def main(bundle: Path, capture: Path | None) -> None:
    """Judge a capture batch by batch; memory stays flat however long it is."""
    student, benign = overproof.open(bundle), open_bundle(bundle).manifest.benign
    with tempfile.TemporaryDirectory() as folder:
        path = capture or write_capture(Path(folder) / "made-here.pcap")
        for batch in read_events([path], on_skip=lambda skipped: print(f"rejected: {skipped}", file=sys.stderr)):
            verdicts = student.judge(batch["text"].to_pylist(), batch["origin"].to_pylist())
            for verdict, text in zip(verdicts, batch["text"].to_pylist(), strict=True):
                sign = "!" if verdict.label not in benign else " "
                place = verdict.origin.rpartition("/")[2]
                print(f"{sign} {verdict.attack:6.1%} {verdict.label:12} {place:24} {text[:80]}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(given[0] if given else Path("out/examples/bundle"), given[1] if len(given) > 1 else None)
