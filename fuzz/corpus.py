"""Find the seeds: small files of every format, made for our own tests, and what an older version wrote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
CASES, WRITTEN, OWN, FOUND = (
    ROOT / "tests" / "cases",
    ROOT / "tests" / "compat" / "format1",
    HERE / "seeds",
    HERE / "found",
)
LARGEST = 80_000  # bytes of a seed: a larger one would only be slow
NOT_READ = {".md", ".py", ".onnx", ".safetensors", ".npz", ".txt~"}


@dataclass(frozen=True)
class Seed:
    """A file to begin with."""

    name: str
    content: bytes


@cache
def events() -> tuple[Seed, ...]:
    """Files of events: the cases of the tests, and seeds of formats that no case is of; in one order anywhere."""
    files = [*(OWN / "events").iterdir(), *(path for path in CASES.glob("[0-4]*/*") if path.is_file())]
    chosen = sorted(path for path in files if path.suffix not in NOT_READ and path.stat().st_size <= LARGEST)
    return tuple(Seed(path.name, path.read_bytes()) for path in chosen)


@cache
def captures() -> tuple[Seed, ...]:
    """Those that are captures."""
    return tuple(seed for seed in events() if seed.name.endswith((".pcap", ".pcapng")))


@cache
def folder(name: str) -> dict[str, bytes]:
    """All files of a folder of the seeds."""
    return _files(OWN / name)


@cache
def written_folder(name: str) -> dict[str, bytes]:
    """All files of a folder that an older version wrote."""
    return _files(WRITTEN / name)


@cache
def seed(name: str) -> bytes:
    """A file of the seeds."""
    return (OWN / name).read_bytes()


def _files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}
