"""Try bundles whose files were changed and sealed anew: a seal says who wrote them last, not that they are right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzz import corpus
from fuzz.mutate import archives, graphs, raw, values
from fuzz.target import Files, require
from overproof.bundle.manifest import COMPARISON, HARDENING, LADDER, QUANTIZATION, QUANTIZING, digest, open_bundle
from overproof.errors import OverproofError
from overproof.inference.service.loaded_bundle import LoadedBundle
from overproof.jobs.config import stored_config
from overproof.jobs.open_cascade import open_cascade
from overproof.results.comparison import Comparison
from overproof.results.hardening import Hardening
from overproof.results.ladder import Ladder
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.stored import read_from

BASES = ("bundle", "tiered", "written")  # of the seeds, and what an older version wrote
BASE = "base"
TEXTS = [
    "",
    "a",
    "[CLS]a[PAD]",
    "id=1' or 1=1",
    "<script>alert(1)</script>",
    "GET /index.html " * 9,
    "é\0\ud7ff",
    "x" * 4000,
]
REPORTS: dict[str, Callable[[Any], Any]] = {
    COMPARISON: Comparison.from_json,
    QUANTIZING: PrecisionSearchReport.from_json,
    QUANTIZATION: LayerDiagnostics.from_json,
    LADDER: Ladder.from_json,
    HARDENING: Hardening.from_json,
}


def hostile(random: Random) -> Files:
    """Change a file or two of a bundle, or its manifest, and seal it anew (nearly always)."""
    base = random.choice(BASES)
    files = dict(_base(base))
    for _ in range(random.choice((1, 1, 1, 2))):
        name = "manifest.json" if random.random() < 0.45 else random.choice(sorted(files))
        files[name] = changed(name, files[name], random)
    for name, prefix in (("first.manifest.json", "first."), ("manifest.json", "")):
        if name in files and random.random() < 0.97:
            files[name] = sealed(
                files[name], {each: content for each, content in files.items() if each.startswith(prefix)}, prefix
            )
    return {BASE: base.encode(), **{name: content for name, content in files.items() if _base(base)[name] != content}}


def _base(name: str) -> dict[str, bytes]:
    return (
        corpus.folder("bundle" if name == "bundle" else "tiered")
        if name != "written"
        else corpus.written_folder("bundle")
    )


def changed(name: str, content: bytes, random: Random) -> bytes:
    """Change a file by what its name says that it is."""
    if random.random() < 0.03:
        return random.choice((b"", b"{}", b"[" * 10_000, b"PK\3\4", b"\x93NUMPY", b"null", b'{"a":' * 20_000))
    if name.endswith(".json"):
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return raw.changed(content, random)
        for _ in range(random.choice((1, 1, 2))):
            document = values.changed(document, random)
        return values.written(document, random)
    if name.endswith(".npz"):
        return archives.arrays_changed(content, random)
    return graphs.changed(content, random) if name.endswith(".onnx") else raw.changed(content, random)


def sealed(manifest: bytes, files: Files, prefix: str = "") -> bytes:
    """Write a manifest anew with the hashes of the files that there are, and its own."""
    try:
        data = json.loads(manifest)
        data.pop("sha256", None)
        if isinstance(data.get("files"), dict):
            own = {
                name.removeprefix(prefix): digest(content)
                for name, content in files.items()
                if name != f"{prefix}manifest.json"
            }
            data["files"] = {name: own.get(name, listed) for name, listed in data["files"].items()}
        return json.dumps(
            {**data, "sha256": hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()}
        ).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return manifest


def run(files: Files, folder: Path) -> None:
    """Open it as triage and the service do, and judge: together and one by one it comes to the same, in numbers.

    Only a graph of ours promises the former.
    """
    place = folder / "bundle"
    place.mkdir()
    for name, content in {**_base(files[BASE].decode()), **files}.items():
        if name != BASE:
            (place / name).write_bytes(content)
    bundle = open_bundle(place)
    for name, parse in REPORTS.items():
        if name in files and name in bundle.files:  # the seed's own are sound, and slow to parse
            _one_line_at_most(partial(read_from, bundle, name, parse))
    _one_line_at_most(partial(stored_config, bundle.manifest.config, str(place)))
    cascade = open_cascade(bundle)
    loaded = LoadedBundle(cascade).tried()
    whole = cascade.student.score(TEXTS)
    graphs_are_ours = not any(name.endswith(".onnx") for name in files)  # another may compute across the batch
    for place_of, text in enumerate(TEXTS if graphs_are_ours else []):
        alone = cascade.student.score([text])
        same = np.array_equal(alone.logits[0], whole.logits[place_of], equal_nan=True)
        require(same, f"another verdict alone: {text[:40]!r}: {alone.logits[0]} and {whole.logits[place_of]}")
    for verdict in cascade.judge(TEXTS):
        json.dumps(verdict, allow_nan=False, default=float)
    loaded.look(TEXTS)


def _one_line_at_most(read: Callable[[], Any]) -> None:
    """Read what a bundle may lack, or have in a form that is refused."""
    try:
        read()
    except OverproofError as error:
        require("\n" not in str(error), f"a message of several lines: {error}")
