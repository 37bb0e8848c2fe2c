"""Where the benchmarks find the data and keep what takes long: a second run goes on where the first one stopped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Everything runs in the root and names files from there: what a bundle says of its teacher is the same anywhere.
os.chdir(Path(__file__).resolve().parents[1])
DATA = Path("../shared/data/http")
OUT = Path("out/bench")
README = Path("README.md")
TRAIN, TEST = DATA / "train.csv.gz", DATA / "test.csv.gz"
SEEDS = (0, 1, 2)


def once(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `compute`, kept in `out/bench/NAME.json`; delete the file to measure again."""
    path = OUT / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    print(f"bench: {name}", file=sys.stderr, flush=True)
    result = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1))
    part.rename(path)
    return result
