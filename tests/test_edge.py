"""At the edge: what judging touches, in a bundle nobody may write to; and the container's recipe."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tells of everything that writes, connects or starts another program, from the interpreter's own audit events.
# What native code does on its own is not among them: sockets that it may hold are looked for at the end.
WATCHED = """
import json, os, sys
told = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod")
REACHES = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "urllib.", "tempfile.")
def watch(name, args):
    if name == "open" and isinstance(args[2], int) and args[2] & WRITES:
        told.append([name, str(args[0])])
    elif name in CHANGES or name.startswith(REACHES):
        told.append([name, repr(args)[:200]])
sys.addaudithook(watch)
"""
TELLS = """
open_files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
held = [os.readlink(file) for file in open_files if os.path.islink(file)]
told += [["held", name] for name in held if name.startswith("socket:")]
print(json.dumps(told), file=sys.stderr)
"""
JUDGES = """
import overproof
scorer = overproof.open(sys.argv[1])
assert [v.label in scorer.classes for v in scorer.judge(["id=1' or '1'='1", "x" * 9999])] == [True, True]
"""
TRIAGES = """
from overproof.cli import app
try:
    app(["triage", sys.argv[1], "-"])
except SystemExit as ended:  # a command always leaves the process
    assert ended.code == 0
"""


def told_by(code: str, *arguments: str | Path, stdin: str = "") -> list[list[str]]:
    """What a fresh interpreter did while it ran some code."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED + code + TELLS, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("open(sys.argv[1], 'a')", "open"),
        ("os.open(sys.argv[1], os.O_RDWR)", "open"),
        ("import socket; kept = socket.socket()", "socket.__new__"),
        ("os.mkdir(sys.argv[1] + '.d')", "os.mkdir"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_the_watch_sees_what_it_is_for(code: str, event: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert event in [name for name, _ in told_by(code, tmp_path / "file")]


@pytest.mark.parametrize("code", [JUDGES, TRIAGES], ids=["judge", "triage"])
def test_judging_writes_nothing_and_reaches_for_nothing(code: str, small_bundle: Path) -> None:
    assert told_by(code, small_bundle, stdin="id=1' or '1'='1\n") == []


@pytest.fixture
def read_only(small_bundle: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the bundle without permission to write."""
    copy = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    for path in (*copy.iterdir(), copy):
        path.chmod(path.stat().st_mode & ~0o222)
    yield copy
    copy.chmod(0o755)


def test_a_bundle_without_permission_to_write_judges_and_stays_as_it_is(read_only: Path) -> None:
    def state() -> list[tuple[str, int, int]]:
        return sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in read_only.iterdir())

    before = state()
    assert told_by(JUDGES, read_only) == []
    assert state() == before


# A file system that is read-only for root too, and no network: what `--read-only --network=none` give a container.
SEALED = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c"]
SEAL = "mount --make-rprivate / && mount -o remount,bind,ro / && "


def sealed(command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a shell command where nothing can be written to; skip where the kernel does not allow that."""
    tried = subprocess.run([*SEALED, SEAL + "true"], capture_output=True) if shutil.which("unshare") else None
    if tried is None or tried.returncode:
        pytest.skip("no unprivileged namespaces here")
    return subprocess.run([*SEALED, SEAL + command], capture_output=True, text=True, timeout=120, **options)


def test_triage_where_nothing_can_be_written_and_no_network_is(small_bundle: Path, root: Path) -> None:
    assert sealed(f"touch {shlex.quote(str(root / 'no'))}").returncode != 0
    run = shlex.join([sys.executable, "-m", "overproof", "triage", str(small_bundle), "-"])
    done = sealed(run, input="id=1' or '1'='1\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["origin"] == "-:1"


Instructions = list[tuple[str, str]]


WORDS = frozenset("ARG FROM WORKDIR COPY RUN ENV USER ENTRYPOINT CMD".split())  # not ADD, which may fetch


@pytest.fixture(scope="module")
def recipe(root: Path) -> Instructions:
    """The instructions of the Containerfile, in their order."""
    lines = (root / "containers" / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    written = [line for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in written)]


def test_the_recipe_copies_files_that_are_there(recipe: Instructions, root: Path) -> None:
    stages = [rest.split()[2] for word, rest in recipe if word == "FROM" and " AS " in rest]
    for word, rest in recipe:
        assert word in {
            "ARG",
            "FROM",
            "WORKDIR",
            "COPY",
            "RUN",
            "ENV",
            "USER",
            "ENTRYPOINT",
            "CMD",
        }  # no ADD: it fetches
        if word == "COPY":
            *sources, _ = rest.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in stages
            else:
                assert [name for name in sources if not (root / name).exists()] == []


def test_the_image_runs_as_nobody_in_particular_and_fetches_nothing(recipe: Instructions) -> None:
    last = [place for place, (word, _) in enumerate(recipe) if word == "FROM"][-1]
    words = dict(recipe[last:])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", words["USER"])
    assert json.loads(words["ENTRYPOINT"]) == ["overproof"]
    assert "RUN" not in words
    assert "ORT_DISABLE_TELEMETRY=1" in words["ENV"].split()
    assert [rest for word, rest in recipe if word == "FROM"] == ["${IMAGE} AS build", "${IMAGE}"]
    assert re.fullmatch(r"IMAGE=docker\.io/library/python:3\.\d+-slim", recipe[0][1])


def test_the_readme_of_the_container_names_the_recipe(root: Path) -> None:
    told = (root / "containers" / "README.md").read_text()
    assert "podman build -f containers/Containerfile" in told
    assert "never built" in told  # take this out together with the sentence, once it was


@pytest.mark.slow
def test_the_recipes_commands_install_what_judges(
    recipe: Instructions, root: Path, small_bundle: Path, tmp_path: Path
) -> None:
    """Every RUN line, in an environment that stands for the image, with the image's folders moved aside."""
    image, source = tmp_path / "image", tmp_path / "src"
    subprocess.run([sys.executable, "-m", "venv", image], check=True, timeout=300)
    moved = {"/opt/overproof": str(tmp_path / "overproof"), "/wheels": str(tmp_path / "wheels")}
    fresh = {
        **{name: os.environ[name] for name in os.environ if name.startswith("PIP_")},
        "PATH": f"{image / 'bin'}:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
    }
    for word, rest in recipe:
        if word == "COPY" and not rest.startswith("--from="):
            *names, to = rest.split()
            for name in names:
                target = source / name if to == "./" else source / to
                target.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (root / name).is_dir() else shutil.copy
                copy(root / name, target)
        elif word == "RUN":
            for old, new in moved.items():
                rest = rest.replace(old, new)
            done = subprocess.run(
                ["sh", "-c", rest], cwd=source, env=fresh, capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{rest}: {done.stderr}"
    program = Path(moved["/opt/overproof"]) / "bin" / "overproof"
    absent = subprocess.run([program.with_name("python"), "-c", "import torch"], capture_output=True)
    assert absent.returncode != 0
    done = sealed(shlex.join([str(program), "triage", str(small_bundle), "-"]), input="id=1\n", cwd="/", env={})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"]["full"] is None
