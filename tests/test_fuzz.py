"""The fuzzer: a short run of it, every input that once failed, and that it would notice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fuzz import worker  # noqa: E402 - it lies beside the package, as bench does
from fuzz.corpus import FOUND  # noqa: E402
from fuzz.run import input_of, keep, kept  # noqa: E402
from fuzz.target import Broken, Files, Target  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

from overproof.errors import InputError  # noqa: E402

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


def test_crashes_do_not_begin_the_clock_anew(tmp_path: Path) -> None:
    program = (
        "import os\nfrom pathlib import Path\nfrom fuzz.run import Settings, run\nfrom fuzz.target import Target\n"
        "def die(files, folder): os._exit(9)\n"
        f"run(Settings(3, None, 1.0, 1, Path({str(tmp_path / 'out')!r})), "
        "{'t': Target('t', 1, lambda random: {}, die)})"
    )
    subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, check=True, timeout=60)


def test_a_lost_record_or_another_verdict_in_pieces_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overproof.events import sources

    files = {"input.txt": b"one\ntwo\nthree\n"}
    assert worker.tried(TARGETS["events"], files) is None
    whole = sources.FORMATS["lines"]

    def losing(source: object, options: object) -> object:
        for batch in whole(source, options):  # type: ignore[arg-type]
            yield batch.slice(1)

    monkeypatch.setitem(sources.FORMATS, "lines", losing)  # type: ignore[arg-type]
    found = worker.tried(TARGETS["events"], files)
    assert found is not None and found.kind == "invariant"
