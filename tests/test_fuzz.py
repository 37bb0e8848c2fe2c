"""The fuzzer: a short run of it, every input that once failed, and that it would notice."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fuzz import accounts, corpus, worker  # noqa: E402 - it lies beside the package, as bench does
from fuzz.accounts.told import Told  # noqa: E402
from fuzz.corpus import FOUND  # noqa: E402
from fuzz.indexes import indexes  # noqa: E402
from fuzz.mutate import archives  # noqa: E402
from fuzz.run import Settings, input_of, keep, kept, run  # noqa: E402
from fuzz.target import Broken, Files, Target  # noqa: E402
from fuzz.targets import TARGETS, service, stored  # noqa: E402

from overproof.errors import InputError  # noqa: E402
from overproof.events import sources  # noqa: E402
from overproof.events.schema import event_table  # noqa: E402
from overproof.events.sources import pcap  # noqa: E402
from overproof.events.sources.pcap import records  # noqa: E402
from overproof.inference.similarity.hnsw import GRAPH  # noqa: E402

SHORT = 60  # inputs of each target

CRASHING = """
import json, os, signal, sys
from dataclasses import asdict
from pathlib import Path
from fuzz.run import Settings, run
from fuzz.target import Target

def fail(files, folder):
    number = int(files["number"])
    if number == 5:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number % 4 == 3:
        raise KeyError(number)

numbers = iter(range(10**9))
made = lambda random: {"number": str(random.randrange(10)).encode()}
print(json.dumps(asdict(run(Settings(3, 60, None, 2, Path(sys.argv[1])), {"t": Target("t", 1, made, fail)}))))
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1", **more}


@pytest.mark.parametrize("name", list(TARGETS))
def test_a_short_run_finds_nothing(name: str) -> None:
    target = TARGETS[name]
    for number in range(SHORT if name != "check" else SHORT // 10):
        found = worker.tried(target, target.make(Random(f"short:{name}:{number}")), number)
        assert found is None, f"{found.kind}: {found.place}\n{found.detail}"


def test_the_indexes_that_are_tried_are_no_older_format_which_is_only_refused(tmp_path: Path) -> None:
    for number, files in enumerate(indexes()):
        (folder := tmp_path / str(number)).mkdir()
        stored.run_index(files, folder)
        assert any(name.endswith(GRAPH) for name in files) == (number == 1)


def test_the_service_that_is_tried_finds_what_is_similar() -> None:
    body = json.dumps(service.BODIES["/similar"]).encode()
    headers = [["content-type", "application/json"], ["host", "127.0.0.1"]]
    request = {"method": "POST", "path": "/similar", "query": "", "headers": headers}
    status, _, content = service.running().ask(request, body)
    assert status == 200, content


@pytest.mark.parametrize("folder", sorted(FOUND.iterdir()), ids=lambda folder: folder.name)
def test_what_failed_once_does_not_fail_again(folder: Path) -> None:
    name, files = kept(folder)
    found = worker.tried(TARGETS[name], files)
    assert found is None, f"{found.kind}: {found.place}\n{found.detail}"


def test_an_input_is_made_again_from_its_number_in_any_process() -> None:
    def digest() -> str:
        made = [input_of(number, 9, TARGETS) for number in range(120)]
        return hashlib.sha256(
            repr([(target.name, sorted(files.items())) for target, files in made]).encode()
        ).hexdigest()

    program = (
        "import hashlib\nfrom fuzz.run import input_of\nfrom fuzz.targets import TARGETS\n"
        "made = [input_of(number, 9, TARGETS) for number in range(120)]\n"
        "print(hashlib.sha256(repr([(t.name, sorted(f.items())) for t, f in made]).encode()).hexdigest())"
    )
    again = subprocess.run(
        [sys.executable, "-c", program], env=environment(PYTHONHASHSEED="7"), capture_output=True, text=True, check=True
    )
    assert again.stdout.strip() == digest()


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    for number in range(30):
        target, files = input_of(number, 4, TARGETS)
        keep(files, tmp_path / f"{target.name}-{number}")
        assert kept(tmp_path / f"{target.name}-{number}") == (target.name, files)


def raising(error: BaseException) -> Callable[[Files, Path], None]:
    def run(files: Files, folder: Path) -> None:
        raise error

    return run


def spin(files: Files, folder: Path) -> None:
    while True:
        pass


def spin_behind_a_handler(files: Files, folder: Path) -> None:
    with contextlib.suppress(Exception):
        spin(files, folder)


def hold(files: Files, folder: Path) -> None:
    assert b"\1" * (worker.MEMORY + (64 << 20))


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (raising(KeyError("x")), "traceback"),
        (raising(SystemExit(1)), "traceback"),
        (raising(Broken("lost: one")), "invariant"),
        (lambda files, folder: print("EP Error"), "invariant"),
        (raising(InputError("a\nb")), "message"),
        (raising(InputError("")), "message"),
        (raising(InputError("x" * 100_000)), "message"),
        (raising(InputError("a line")), None),
        (lambda files, folder: None, None),
        (spin, "hang"),
        (spin_behind_a_handler, "hang"),
        (hold, "memory"),
    ],
)
def test_what_is_wrong_is_noticed(
    run: Callable[[Files, Path], None], kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS", 5 if run is hold else 0.2)
    found = worker.tried(Target("t", 1, lambda random: {}, run), {})
    assert (found.kind if found else None) == kind


def test_a_crash_is_a_finding_and_the_rest_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHING, str(tmp_path / "out")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=300)
    report = json.loads(done.stdout)
    kinds = {found["kind"]: found["times"] for found in report["findings"]}
    values = [Random(f"3:{number}") for number in range(60)]
    for random in values:
        random.choices([0], [1])
    drawn = [random.randrange(10) for random in values]
    assert report["inputs"] == {"t": 60}
    assert kinds == {"crash": drawn.count(5), "traceback": drawn.count(3) + drawn.count(7)}
    first = next(found for found in report["findings"] if found["kind"] == "crash")["numbers"][0]
    assert (tmp_path / "out" / f"t-{first}" / "number").read_bytes() == b"5"


RESUMED = """
import json, os, signal, sys
from dataclasses import asdict
from pathlib import Path
from fuzz.run import Settings, run
from fuzz.target import Target

def tried(files, folder):
    number = int(files["number"])
    Path(sys.argv[1], "tried").open("a").write(f"{number}\\n")
    if number % 9 == 4:
        raise KeyError("four")
    if number == int(sys.argv[3]):
        os.kill(os.getppid(), signal.SIGTERM)

numbers = []
def made(random):
    return {"number": str(random.randrange(1000)).encode()}
settings = Settings(3, int(sys.argv[2]), None, 2, Path(sys.argv[1], "out"), True)
print(json.dumps(asdict(run(settings, {"t": Target("t", 1, made, tried)}))))
"""


def test_a_run_that_was_stopped_goes_on_and_its_counts_are_added_up(tmp_path: Path) -> None:
    def run(inputs: int, stop: int = -1) -> dict[str, Any]:
        command = [sys.executable, "-c", RESUMED, str(tmp_path), str(inputs), str(stop)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=300)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def drawn(number: int) -> int:
        random = Random(f"3:{number}")
        random.choices([0], [1])
        return random.randrange(1000)

    stopped = run(5000, stop=drawn(40))
    assert 20 < stopped["inputs"]["t"] < 5000
    reports = [run(stopped["inputs"]["t"] + 30), run(stopped["inputs"]["t"] + 50), run(stopped["inputs"]["t"] + 50)]
    tried = [int(line) for line in (tmp_path / "tried").read_text().split()]
    assert [report["inputs"]["t"] - stopped["inputs"]["t"] for report in reports] == [30, 50, 50]
    assert len(tried) == reports[-1]["inputs"]["t"]
    assert [report["runs"] for report in (stopped, *reports)] == [1, 2, 3, 4]
    assert [one["times"] for one in reports[-1]["findings"]] == [sum(number % 9 == 4 for number in tried)]
    clocks = [report["seconds"] for report in (stopped, *reports)]
    assert clocks == sorted(clocks)
    following = reports[-1]["following"]
    assert sorted(tried)[-1] in map(drawn, range(following))


def test_a_run_of_another_seed_is_not_gone_on_with(tmp_path: Path) -> None:
    run(Settings(1, 2, None, 1, tmp_path / "out"), {"small": TARGETS["small"]})
    with pytest.raises(InputError, match="a run of seed 1; expected to go on with that one"):
        run(Settings(2, 4, None, 1, tmp_path / "out", resume=True), {"small": TARGETS["small"]})


def test_crashes_do_not_begin_the_clock_anew(tmp_path: Path) -> None:
    program = (
        "import os\nfrom pathlib import Path\nfrom fuzz.run import Settings, run\nfrom fuzz.target import Target\n"
        "def die(files, folder): os._exit(9)\n"
        f"run(Settings(3, None, 1.0, 1, Path({str(tmp_path / 'out')!r})), "
        "{'t': Target('t', 1, lambda random: {}, die)})"
    )
    subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, check=True, timeout=60)


ROWS = b'id,text\n1,"a\nb"\n2,c\n'


def noticed(files: Files) -> str | None:
    found = worker.tried(TARGETS["events"], files)
    assert found is None or found.kind == "invariant", found
    return found.detail if found else None


def lose_first_rows(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reader lose the first event of each batch."""
    whole = sources.FORMATS[format]

    def losing(source: object, options: object) -> object:
        for batch in whole(source, options):  # type: ignore[arg-type]
            yield batch.slice(1)

    monkeypatch.setitem(sources.FORMATS, format, losing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("lines", b"one\ntwo\nthree\n", "lines that are neither events nor rejected: [1]"),
        ("csv", ROWS, "csv: a line that is neither event nor rejected: 2"),
        ("tsv", b"id\ttext\n1\ta\n2\tb\n", "csv: a line that is neither event nor rejected: 2"),
    ],
)
def test_a_lost_record_is_noticed(format: str, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"input.txt": content, "settings.json": b'{"format": "%s", "columns": {}, "batch_rows": 9, "piece": 9}' %
             format.encode()}  # fmt: skip
    assert noticed(files) is None
    lose_first_rows(format, monkeypatch)
    assert noticed(files) == message


@pytest.mark.parametrize(
    ("rows", "skipped", "message"),
    [
        ([(2, "a\nb"), (4, "c")], [], None),
        ([(2, "a\nb")], [(4, "wrong number of fields")], None),
        ([(2, "a\nb"), (4, "d")], [], "another row than the event's: at 4"),
        ([(2, "a\nb"), (4, "c")], [(3, "wrong number of fields")], "records inside of others: [3]"),
        ([(2, "a\nb"), (4, "c")], [(4, "wrong number of fields")], "records inside of others: [4]"),
        ([(4, "c")], [(2, "broken csv record: unclosed quote"), (3, "wrong number of fields")], "3 of 2 rows"),
    ],
)
def test_rows_of_a_table_are_counted_once(
    rows: list[tuple[int, str]], skipped: list[tuple[int, str]], message: str | None
) -> None:
    events = event_table({"text": [text for _, text in rows], "origin": [f"a.csv:{line}" for line, _ in rows]})
    told = Told(events.to_batches(), [(reason, f"a.csv:{line}") for line, reason in skipped])
    broken = contextlib.nullcontext() if message is None else pytest.raises(Broken, match=re.escape(message))
    with broken:
        accounts.require_counted("csv", ROWS, told)


SYSLOG = b"Mar  5 10:11:12 web1 app[1]: one"
SECOND = b"<13>Mar  5 10:11:12 web1 app[1]: two"
FRAMED = b"%d %b%d %b" % (len(SECOND), SECOND, len(SECOND), SECOND)
CRI = b"2026-03-05T10:11:12.1Z stdout %b %b\n"
DOCKER = b'{"log":"%b\\n","stream":"stdout","time":"2026-03-05T10:11:12Z"}\n'
EXPORT = b"__REALTIME_TIMESTAMP=1\nMESSAGE\n\3\0\0\0\0\0\0\0a\n\n\n\n__REALTIME_TIMESTAMP=2\nMESSAGE=b\n\n"
JOURNAL = b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}\n'


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("syslog", SYSLOG + b"\n" + SYSLOG, "syslog: more or fewer events than messages: at [1]"),
        ("syslog", FRAMED, "syslog: more or fewer events than messages: at [1]"),
        ("cri", CRI % (b"P", b"a") + CRI % (b"F", b"b") + CRI % (b"F", b"c"), "neither an event nor rejected: [2]"),
        ("cri", CRI % (b"F", b"a") * 2 + CRI % (b"P", b"b"), "neither an event nor rejected: [1]"),
        ("docker", DOCKER % rb"a\nb" + DOCKER % b"c", "more or fewer events than a container wrote lines: [1]"),
        ("journald", EXPORT, "journald: entries that are neither events nor rejected: [1]"),
        ("journald", JOURNAL * 2, "lines that are neither events nor rejected: [1]"),
    ],
)
def test_a_lost_message_is_noticed(format: str, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"format": format, "columns": {}, "batch_rows": 9, "piece": 9}
    files = {"input.log": content, "settings.json": json.dumps(settings).encode()}
    assert noticed(files) is None
    lose_first_rows(format, monkeypatch)
    assert message in str(noticed(files))


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("cri", b"no record\n" + CRI % (b"F", b"a"), "no record, and not rejected: [1]"),
        ("docker", b"{}\n" + DOCKER % b"a", "no record, and not rejected: [1]"),
        ("journald", EXPORT, "journald: 3 of 2 entries"),
    ],
)
def test_what_carries_nothing_is_rejected_and_nothing_comes_twice(format: str, content: bytes, message: str) -> None:
    places = [1, 7, 7] if format == "journald" else [2]
    told = Told(event_table({"text": ["a"] * len(places), "origin": [f"a:{one}" for one in places]}).to_batches(), [])
    with pytest.raises(Broken, match=re.escape(message)):
        accounts.require_counted(format, content, told)


def _no_odd_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pcap._packet
    monkeypatch.setattr(pcap, "_packet", lambda record, *more: None if record.number % 2 else whole(record, *more))


def _no_open_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcap.Flows, "close", lambda self: [])


def _no_broken_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records._File, "ended_well", True)


@pytest.mark.parametrize("name", ["services.pcap", "services.pcapng", "plain.pcap"])
@pytest.mark.parametrize("lose", [_no_odd_packets, _no_open_flows, _no_broken_ends])
def test_a_lost_packet_is_noticed(
    name: str, lose: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = next(seed.content for seed in corpus.captures() if seed.name == name)
    files = {f"input{Path(name).suffix}": content[:-3] if lose is _no_broken_ends else content}
    assert noticed(files) is None
    lose(monkeypatch)
    assert str(noticed(files)).startswith("pcap: ")


@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_arrays_that_were_changed_before_are_changed_again(noise: bytes, seed: int) -> None:
    random, file = Random(seed), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", noise)
    content = file.getvalue()
    for _ in range(4):
        content = archives.arrays_changed(content, random)
        assert isinstance(content, bytes)
