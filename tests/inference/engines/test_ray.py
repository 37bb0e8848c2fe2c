"""Ray: scores, order, skipped records and errors of one process, also when a worker or a whole node is lost.

Ray runs in a process of its own: its warnings are not ours to fix.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError, MissingExtra, OverproofError
from overproof.events.sources import read_events
from overproof.inference.engines import in_process
from overproof.inference.engines.ray import ray_scored

from .conftest import batches_of

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'overproof[ray]'")

# Takes a bundle, what to lose, a cluster's nodes, and files; tells what came out, and with which error it ended.
SCRIPT = """
import json, os, sys, threading, time
from contextlib import closing
from pathlib import Path

bundle, lose, nodes, *paths = sys.argv[1:]
from overproof.bundle.manifest import open_bundle
from overproof.inference.engines import cluster, ray as engine

cluster.BLOCK_BYTES = 1 << 16
cluster._imported(None)
import ray
from ray.cluster_utils import Cluster

made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}) if int(nodes) else None
other = [made.add_node(num_cpus=1) for _ in range(int(nodes) - 1)]
address = made.address if made else None

def slow(rows, bundle, lose=lose, folder=os.getcwd(), head=made and made.head_node.node_id):
    # scores, but once, in the middle of a task, its process dies, or its node is removed (by `remove`)
    import ray
    from overproof.inference.engines.ray import _score
    node = ray.get_runtime_context().get_node_id()
    with open(f"{folder}/scoring", "a") as file:
        file.write(f"{node}\\n")
    time.sleep(0.1)
    if (lose == "worker" and len(open(f"{folder}/scoring").readlines()) > 3) or (lose == "node" and node != head):
        try:
            os.close(os.open(f"{folder}/lost", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), 9) if lose == "worker" else time.sleep(60)
    yield from _score(rows, bundle)

def remove():
    while not os.path.exists("lost"):
        time.sleep(0.05)
    made.remove_node(other[0], allow_graceful=False)

if lose == "node":
    threading.Thread(target=remove, daemon=True).start()
engine._score = slow
out = {"batches": [], "skipped": [], "error": None}
skip = lambda s: out["skipped"].append([s.reason, s.origin, s.raw])
scored = engine.ray_scored(open_bundle(bundle), paths, on_skip=skip, address=address)
with closing(scored):
    try:
        for batch, scores in scored:
            out["batches"].append([
                batch.column("origin").to_pylist(), batch.schema.names, scores.logits.tobytes().hex(),
                scores.windows.tolist(), scores.overflow.tolist(),
            ])
    except Exception as error:
        out["error"] = [type(error).__name__, str(error)]
from ray._common.usage import usage_lib
out["reports"] = usage_lib.usage_stats_enabled()
out["connected"] = ray.is_initialized()
out["lost"] = os.path.exists("lost")
out["nodes"] = len(set(Path("scoring").read_text().split()))
if made:
    made.shutdown()
Path("result.json").write_text(json.dumps(out))
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Files of three formats, with different columns and with records that are no events, named from their folder."""
    batches = batches_of(10, rows=2000)
    for place, batch in enumerate(batches[:9]):
        texts = batch.column("text").to_pylist()
        records = [json.dumps({"text": text, "port": i}) for i, text in enumerate(texts)]
        records[place * 20 : place * 20] = ["{broken", json.dumps({"text": ""})] * place
        with (tmp_path / f"{place % 3}.jsonl").open("a") as file:
            file.writelines(f"{record}\n" for record in records)
    (tmp_path / "plain.txt").write_text("id=1\n<script>\nid=1\n")
    table = pa.table({"text": batches[9].column("text"), "host": batches[9].column("origin")})
    pq.write_table(table, tmp_path / "t.parquet")
    return ["0.jsonl", "t.parquet", "1.jsonl", "plain.txt", "2.jsonl"]


def expected(bundle: Path, files: Sequence[str]) -> dict[str, Any]:
    """What one process gives."""
    skipped: list[list[str]] = []
    scored = []
    error = None
    batches = read_events(files, on_skip=lambda s: skipped.append([s.reason, s.origin, s.raw]))
    try:
        for batch, scores in in_process(OnnxScorer(open_bundle(bundle)))(batches):
            scored.append(
                [
                    batch.column("origin").to_pylist(),
                    batch.schema.names,
                    scores.logits.tobytes().hex(),
                    scores.windows.tolist(),
                    scores.overflow.tolist(),
                ]
            )
    except OverproofError as raised:
        error = [type(raised).__name__, str(raised)]
    return {"batches": scored, "skipped": skipped, "error": error}


def on_ray(bundle: Path, files: Sequence[str], folder: Path, *, lose: str = "nothing", nodes: int) -> dict[str, Any]:
    """What Ray gives: on a cluster of nodes of one core each, or (0 nodes) on one it starts itself."""
    (folder / "script.py").write_text(SCRIPT)
    words = [sys.executable, "script.py", str(bundle), lose, str(nodes), *files]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    assert not result.pop("reports")
    assert not result.pop("connected")
    return result


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("lose", ["worker", "node"])
def test_what_is_lost_with_a_worker_or_a_node_is_done_again(
    bundle: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    monkeypatch.chdir(tmp_path)
    got = on_ray(bundle, files, tmp_path, lose=lose, nodes=2)
    wanted = expected(bundle, files)
    assert len(wanted["batches"]) > 10
    assert len(wanted["skipped"]) == 72
    assert {name: got[name] for name in wanted} == wanted
    assert got["lost"]
    assert got["nodes"] == 2  # both took part


@needs_ray
@pytest.mark.slow
def test_a_cluster_of_its_own_gives_the_same_and_ends_with_the_same_error(
    bundle: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [*files[2:], "absent.log", files[0]]
    got = on_ray(bundle, files, tmp_path, nodes=0)
    wanted = expected(bundle, files)
    assert wanted["error"][0] == "InputError"
    assert {name: got[name] for name in wanted} == wanted


def test_standard_input_is_refused(bundle: Path) -> None:
    with pytest.raises(InputError, match="standard input"):
        list(ray_scored(open_bundle(bundle), ["a.log", "-"], on_skip=print))


def test_no_files_need_no_cluster(bundle: Path) -> None:
    assert list(ray_scored(open_bundle(bundle), [], on_skip=print)) == []


def test_a_missing_ray_is_named(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(MissingExtra, match=r"needs the package ray: pip install 'overproof\[ray\]'"):
        list(ray_scored(open_bundle(bundle), ["a.log"], on_skip=print))
