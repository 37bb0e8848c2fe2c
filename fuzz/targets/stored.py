"""Try whatever else is stored and read back: evidence, indexes, checks, gate files, journals, cases of attacks."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fuzz import corpus
from fuzz.indexes import indexes
from fuzz.mutate import archives, raw, tables, values
from fuzz.target import Files
from fuzz.targets.bundles import changed
from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import Bundle, digest, open_bundle
from overproof.bundle.tiers import Student, open_student
from overproof.checks.gates import gates_with, template
from overproof.checks.report.check_report import CheckReport, sealed
from overproof.checks.report.markdown import to_markdown
from overproof.checks.report.page import page
from overproof.checks.report.sarif import to_sarif
from overproof.distillation.baseline import from_bytes
from overproof.inference.similarity.hnsw import GRAPH
from overproof.inference.similarity.search import Searcher
from overproof.jobs.checked import read_checked
from overproof.jobs.held_out import HoldOut, bundle_config
from overproof.jobs.held_out_index import DONE, Done
from overproof.redteam.result import read_cases

ASKED = ["id=1' or 1=1", "", "GET /index.html"]
TOML = (
    "nan",
    "inf",
    "-1",
    "1e400",
    "0x" + "f" * 5000,
    "2026-01-01",
    "true",
    "[[]]",
    "{}",
    "'a'",
    '"\\u0000"',
    "{ limit = 1 }",
    "[" * 2000,
)
HELD_OUT = {"family": "sqli", "absent": {"full": "why"}, "teacher": ["teacher"], "bundle": "bundle"}


@cache
def _bundle() -> Bundle:
    return open_bundle(corpus.WRITTEN / "bundle")


@cache
def _student() -> Student:
    return open_student(_bundle())


def evidence(random: Random) -> Files:
    """Change a file of an evidence store, and the index with its hash."""
    files = {name: content for name, content in corpus.written_folder("evidence").items() if "/" not in name}
    name = random.choice(("evidence.json", "evidence.json", "scores.npz", "events.parquet", "baseline.npz"))
    files[name] = _changed(name, files[name], random)
    return _listed(files, "evidence.json", random)


def index(random: Random) -> Files:
    """Change a file of an index, its graphs' among them, and seal its card."""
    files = dict(random.choice(indexes()))
    graphs = [name for name in files if name.endswith(GRAPH)]
    name = random.choice(["index.json", *graphs, *files])  # what is looked through most closely twice as often
    files[name] = _changed(name, files[name], random)
    files = _listed(files, "index.json", random)
    try:
        card = json.loads(files["index.json"])
        card.pop("sha256", None)
        card["sha256"] = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
        files["index.json"] = json.dumps(card).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return files


def _changed(name: str, content: bytes, random: Random) -> bytes:
    if name.endswith(GRAPH) and random.random() < 0.6:
        return _numbers_changed(content, random)
    if name.endswith(".parquet") and random.random() < 0.6:
        return tables.parquet_changed(content, random)
    if name.endswith(".npy"):
        return archives.array_changed(content, random)
    return changed(name, content, random)


def _numbers_changed(content: bytes, random: Random) -> bytes:
    """Change whole numbers of a graph, which lead to others of its nodes, and its file's length seldom."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 20))):
        at, size = random.randrange(len(content) - 8), random.choice((1, 2, 4, 8))
        value = random.choice((0, 1, 2, 16, 33, 48, 49, 255, 1 << 15, 1 << 31, (1 << 64) - 1))
        changed[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(changed)


def _listed(files: Files, name: str, random: Random) -> Files:
    """Put the files' hashes into the document that lists them."""
    try:
        document = json.loads(files[name])
        if isinstance(document.get("files"), dict) and random.random() < 0.95:
            hashes = {each: digest(content) for each, content in files.items() if each != name}
            document["files"] = {each: hashes.get(each, listed) for each, listed in document["files"].items()}
        return {**files, name: json.dumps(document).encode()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return files


def run_evidence(files: Files, folder: Path) -> None:
    """Open the store of the older version's bundle, its baseline, and the configuration that is read out of it."""
    _write(files, folder)
    store = open_evidence(folder, _bundle())
    from_bytes(store.baseline).logits(ASKED)
    bundle_config(HoldOut(store, _bundle(), store.events))  # which knows a preset that there is no more, and refuses it


def run_index(files: Files, folder: Path) -> None:
    """Search it."""
    _write(files, folder)
    for found in Searcher(_student(), folder)(ASKED, 3):
        json.dumps(found.to_json(), allow_nan=False)
        found.render()


def _write(files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def check(random: Random) -> Files:
    """Change a check.json, and seal it anew."""
    document = json.loads(gzip.decompress(corpus.seed("check.json.gz")))
    for _ in range(random.choice((1, 1, 2))):
        place = random.choice((document, document, *document["checks"])) if isinstance(document, dict) else document
        if place is document:
            document = values.changed(document, random)
        else:
            at = document["checks"].index(place)
            document["checks"][at] = values.changed(place, random)
        if not isinstance(document, dict) or not isinstance(document.get("checks"), list) or not document["checks"]:
            break
    if isinstance(document, dict) and random.random() < 0.95:
        document = sealed(document)
    return {"check.json": values.written(document, random)}


def run_check(files: Files, folder: Path) -> None:
    """Read it as triage does, and write the pages of it that are read."""
    _write(files, folder)
    report = CheckReport.read(folder / "check.json")
    page(report)
    to_markdown(report)
    to_sarif(report)
    read_checked(folder / "check.json", with_full=True)


def small(random: Random) -> Files:
    """Make one of the small files: gates, what was held out, cases of an attack."""
    kind = random.choice(("gates.toml", DONE, "attack.jsonl"))
    if kind == "gates.toml":
        return {kind: _gates(random)}
    document: Any = HELD_OUT if kind == DONE else _case()
    for _ in range(random.choice((1, 2))):
        document = values.changed(document, random)
    content = values.written(document, random)
    return {kind: raw.changed(content, random) if random.random() < 0.1 else content}


def _gates(random: Random) -> bytes:
    lines = template().splitlines()
    for _ in range(random.choice((1, 2, 3))):
        at = random.randrange(len(lines))
        how = random.randrange(5)
        if how <= 1:
            before, _, after = lines[at].partition("=")
            lines[at] = f"{before}= {random.choice(TOML)}" if after else random.choice(TOML)
        elif how == 2:
            lines[at] = lines[at].replace(
                random.choice(("limit", "required", "=", "{", "0.", "true")), values.string(random)
            )
        elif how == 3:
            lines.insert(at, lines[random.randrange(len(lines))])
        else:
            lines[at] = f"[{json.dumps(values.string(random))}]"
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    return raw.changed(content, random) if random.random() < 0.1 else content


@cache
def _case() -> Any:
    return json.loads(corpus.seed("attack.jsonl"))


def run_small(files: Files, folder: Path) -> None:
    """Read it."""
    _write(files, folder)
    readers: dict[str, Callable[[Path], Any]] = {
        "gates.toml": lambda path: gates_with(0.01, path),
        DONE: Done.read,
        "attack.jsonl": read_cases,
    }
    for name in files:
        readers[name](folder / name)
