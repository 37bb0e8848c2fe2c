"""Files and folders are replaced whole, and only what can be replaced is."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from overproof.files import (
    ANOTHER_RUN,
    atomic_file,
    atomic_folder,
    atomic_write,
    folder_asides,
    naming,
    only_writer,
    open_named,
    recover_folder,
    regular_target,
)

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_and_nothing_is_left_beside_it(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    for content in ("größer", b"\x00bytes"):
        atomic_write(path, content, durable=durable)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(failure), atomic_file(path) as file:
        file.write(b"half of the new o")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "new", "")
        (tmp_path / "old").touch(0o600)
        (tmp_path / "old").chmod(0o606)
        atomic_write(tmp_path / "old", "")
    finally:
        os.umask(before)
    assert _mode(tmp_path / "new") == 0o640
    assert _mode(tmp_path / "old") == 0o606


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    if there:
        target.write_text("old")
    link.symlink_to("elsewhere/file")
    with pytest.raises(RuntimeError), atomic_file(link):
        raise RuntimeError
    assert target.exists() == there
    atomic_write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [entry.name for entry in target.parent.iterdir()] == ["file"]


def test_a_fifo_is_written_to_as_the_block_writes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert regular_target(fifo) is None
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    atomic_write(fifo, "content")
    reader.join(10)
    assert read == [b"content"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(os.devnull)
    for path in (Path(os.devnull), link):
        assert regular_target(path) is None
        atomic_write(path, "content", durable=True)
        assert stat.S_ISCHR(path.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_gets_the_content_whatever_it_is(tmp_path: Path, name: str) -> None:
    code = "import sys, pathlib, overproof.files as f; f.atomic_write(pathlib.Path(sys.argv[1]), 'content')"
    command = [sys.executable, "-c", code, name]
    piped = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=True)
    assert piped.stdout == b"content"
    with (tmp_path / "file").open("wb") as file:
        number = os.fstat(file.fileno()).st_ino
        subprocess.run(command, stdout=file, env=ENVIRONMENT, check=True)
    assert (tmp_path / "file").read_bytes() == b"content"
    assert (tmp_path / "file").stat().st_ino == number


def test_a_folder_that_is_in_the_way_is_an_error_and_stays(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path, "content")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path, linked: bool) -> None:
    folder = named = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    if linked:
        named = tmp_path / "link"
        named.symlink_to(folder)
    with atomic_folder(named) as aside:
        (aside / "new").touch()
        assert [entry.name for entry in folder.iterdir()] == ["old"]
    assert [entry.name for entry in folder.iterdir()] == ["new"]
    assert named.is_symlink() == linked
    assert not any(path.exists() for path in folder_asides(folder))


def test_an_interruption_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic_folder(folder) as aside:
        (aside / "new").touch()
        raise KeyboardInterrupt
    assert [entry.name for entry in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


KILLED = """
import os, shutil, sys
from pathlib import Path
import overproof.files as files
from overproof.files import folders

def counted(owner, name):
    real = getattr(owner, name)
    def call(*args, **kwargs):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)
        return real(*args, **kwargs)
    setattr(owner, name, call)

if sys.argv[2] == "two renames":
    folders._renameat2 = lambda: None
left, folder = int(sys.argv[3]), Path(sys.argv[1])
while True:  # a child is killed before its n-th call that changes a name, for every n
    child = os.fork()
    if not child:
        for owner, name in ((os, "mkdir"), (os, "rename"), (shutil, "rmtree"), (folders, "_exchange"), (os, "unlink")):
            counted(owner, name)
        with files.atomic_folder(folder) as aside:
            (aside / "new").touch()
        os._exit(0)
    killed = os.waitpid(child, 0)[1]
    before = folder.exists()
    files.recover_folder(folder)
    print(left, before, *(entry.name for entry in folder.iterdir()), flush=True)
    if not killed:
        break
    left += 1
"""


@pytest.mark.parametrize("way", ["exchange", "two renames"])
def test_a_kill_at_any_moment_leaves_the_old_folder_or_the_new_one(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    command = [sys.executable, "-c", KILLED, str(folder), way, "1"]
    told = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True).stdout.splitlines()
    found = [line.split() for line in told]
    assert len(found) > 5
    assert all(names in (["old"], ["new"]) for _, _, *names in found)
    if way == "exchange":
        assert all(before == "True" for _, before, *_ in found)
    else:
        assert [before for _, before, *_ in found].count("False") == 1  # what `recover_folder` is for
    assert found[-1][2:] == ["new"]
    assert [path for path in tmp_path.iterdir() if path != folder] == []


def test_two_runs_do_not_write_to_one_place_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, overproof.files as f\n"
        "with f.only_writer(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    folder = tmp_path / "new" / "folder"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as other:
        assert other.stdout is not None
        other.stdout.readline()
        link = tmp_path / "link"
        link.symlink_to(folder)
        for name in (folder, link):
            with pytest.raises(OSError, match=ANOTHER_RUN) as error, atomic_folder(name):
                raise AssertionError
            assert error.value.filename == str(folder)
        other.kill()
    with only_writer(folder), atomic_folder(folder) as aside:  # once more in one process
        (aside / "file").touch()
    assert os.listdir(folder.parent) == ["folder"]


def test_a_place_that_was_only_held_leaves_nothing(tmp_path: Path) -> None:
    with only_writer(tmp_path / "a" / "b" / "folder"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_does_not_take_a_folder_from_the_one_who_swaps_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    old = folder_asides(folder)[1]
    old.mkdir()
    with only_writer(folder):
        pass
    recover_folder(folder)
    assert folder.is_dir()
    assert not old.exists()


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as error, open_named("/dev/full", "wb", "verdicts") as file:
        file.write(b"x")
    assert error.value.filename == "verdicts"
    with pytest.raises(OSError, match="missing") as error, naming("folder"):
        (tmp_path / "missing").read_bytes()
    assert error.value.filename == str(tmp_path / "missing")


WRITES = """
import pathlib, sys
import overproof.files as files
with files.atomic_file(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print(flush=True)
    sys.stdin.read()
"""


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    """Each killed run left `.NAME.PID.part` for ever."""
    target = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", WRITES, str(target)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as killed,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as living,
    ):
        for process in (killed, living):
            assert process.stdout is not None
            process.stdout.readline()
        killed.kill()
        killed.wait()
        left = tmp_path / f".out.jsonl.{killed.pid}.part"
        others = [
            tmp_path / name for name in (f".out.json.{killed.pid}.part", ".out.jsonl.part", ".out.jsonl.0x1.part")
        ]
        for path in others:
            path.touch()
        assert left.read_bytes() == b"half"
        atomic_write(target, "whole")
        assert not left.exists()
        held = tmp_path / f".out.jsonl.{living.pid}.part"
        assert sorted(tmp_path.iterdir()) == sorted([target, held, *others])
        living.communicate()
        assert living.returncode == 0
    assert target.read_bytes() == b"half", "the living one ends as it would have"
    assert sorted(tmp_path.iterdir()) == sorted([target, *others])


def test_a_file_that_is_held_stays_though_no_process_of_its_number_is_seen(tmp_path: Path) -> None:
    """As of a run in another container, whose processes have numbers of their own."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    part = tmp_path / f".out.{gone.pid}.part"
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        atomic_write(tmp_path / "out", "whole")
        assert part.exists()


def test_a_link_or_folder_of_such_a_name_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f".a.{gone.pid}.part").symlink_to(tmp_path / "mine")
    (tmp_path / f".b.{gone.pid}.part").mkdir()
    for name in "ab":
        atomic_write(tmp_path / name, "whole")
        assert os.path.lexists(tmp_path / f".{name}.{gone.pid}.part")
    assert (tmp_path / "mine").read_text() == "mine"
