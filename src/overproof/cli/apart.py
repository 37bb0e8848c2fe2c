"""Keep what a command writes apart from what it reads: an output that is an input as well would destroy it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import combinations, product
from pathlib import Path
from typing import Any, TypeVar

from overproof.errors import InputError

_WEIGHT = re.compile(r"@[0-9.]+$")  # behind a teacher's specification

Run = TypeVar("Run", bound=Callable[..., Any])

OUTPUTS = ("out", "rejects", "html", "svg", "bom", "card", "init_gate", "keep_fp32")
FILES = ("html", "svg", "bom", "card")  # of them, what is written into a folder that is there
INPUTS = (
    "bundle", "model", "first", "second", "target", "index", "events", "sources", "test", "unlabelled", "validation",
    "calibrate", "check", "gate", "replay", "full", "teacher", "from_checkpoint", "retrain_from", "key", "certificate",
    "password_file", "token_file", "verify_key", "verify_certificates", "label_from", "techniques",
    "exceptions", "feedback", "verdicts", "corrected", "before", "after",
)  # fmt: skip
REPLACED = ("out", "evidence", "keep_fp32")  # which are folders that take the place of others, but for those of
FILLING = ("attack", "check", "demo")  # commands that write files into one, or read evidence
BUILT_IN = "ngram"  # a teacher that is no folder; `distillation.teachers.NGRAM`, which is slow to import
EITHER = ("evidence", "signature", "cache", "pool_from", "rules")  # written by some and read by others, or any folder


def apart(run: Run) -> Run:
    """Refuse what a command is given where an output of it is one of its inputs, another output, or has no place."""

    filling = run.__module__.rpartition(".")[2] in FILLING

    @wraps(run)
    def checked(**given: Any) -> Any:
        require_places(given)
        require_apart(given)
        if not filling:
            require_outside(given)
        return run(**given)

    return checked  # type: ignore[return-value]


def require_places(given: Mapping[str, Any]) -> None:
    """Raise InputError unless outputs can have their names: it would show when all the work is done.

    Parameters
    ----------
    given
        A command's parameters by name; those in `OUTPUTS` and `EITHER` count.
    """
    for name in (*OUTPUTS, *EITHER):
        for path in _paths(given.get(name)):
            above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
            if not os.path.isdir(above):
                raise InputError(f"{_option(name)} {path}: {above} is no folder; expected one to write to")
            if name in FILES and above != path.absolute().parent:
                raise InputError(f"{_option(name)} {path}: no folder {path.parent}; expected one that exists")
            if name in FILES and path.is_dir():
                raise InputError(f"{_option(name)} {path}: a folder; expected a file to write")


def require_apart(given: Mapping[str, Any]) -> None:
    """Raise InputError unless outputs are files of their own, and none lies in a bundle that is read.

    Parameters
    ----------
    given
        A command's parameters by name; those in `OUTPUTS` and `INPUTS` count.
    """
    from overproof.bundle.manifest import MANIFEST

    written = [
        (f"{_option(name)} {given[name]}", Path(given[name]))
        for name in OUTPUTS
        if given.get(name) not in (None, "", "-")
    ]
    read = _places(given, *INPUTS, "evidence")
    for (option, output), path in product(written, read):
        if _are_one(output, path):
            raise InputError(f"{option}: is {path}, which would be lost; expected a place of its own")
        if os.path.isfile(path / MANIFEST) and Path(os.path.realpath(path)) in Path(os.path.realpath(output)).parents:
            raise InputError(f"{option}: lies in {path}, which is sealed; expected a place outside of it")
    for (_, one), (option, other) in combinations(written, 2):
        if _are_one(one, other):
            raise InputError(f"{option}: another output goes there as well; expected a file of its own")


def require_outside(given: Mapping[str, Any]) -> None:
    """Raise InputError if anything else that is read or written lies in a folder that will be replaced as a whole.

    Parameters
    ----------
    given
        A command's parameters by name; those in `REPLACED` are such folders.
    """
    others = _places(given, *INPUTS, *OUTPUTS, *EITHER)
    for name in REPLACED:
        for folder in map(os.path.realpath, _paths(given.get(name))):
            inside = next((path for path in others if Path(folder) in Path(os.path.realpath(path)).parents), None)
            if inside is not None:
                raise InputError(
                    f"{_option(name)} {given[name]}: holds {inside}, which would be lost; expected a place of its own"
                )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _places(given: Mapping[str, Any], *names: str) -> list[Path]:
    """Return what may be a path in the named parameters."""
    teachers = [one for one in given.get("teacher") or () if _WEIGHT.sub("", one) != BUILT_IN]
    return [path for name in names for path in _paths(teachers if name == "teacher" else given.get(name))]


def _paths(value: Any) -> Iterator[Path]:
    """Yield what may be a path in a parameter; of a teacher's specification, what it has before its weight, too.

    Of that, also what stands behind the last colon.
    """
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, str | Path) and str(one):
            yield Path("/dev/stdin" if str(one) == "-" else one)
        if isinstance(one, str):
            named = _WEIGHT.sub("", one)
            yield from (Path(part) for part in {named, named.rpartition(":")[2]} - {one, ""})


def _are_one(one: Path, other: Path) -> bool:
    """Say whether two paths lead to one file or folder, there already or not; not so of devices and FIFOs."""
    try:
        here, there = os.stat(one), os.stat(other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
    return os.path.samestat(here, there) and (stat.S_ISREG(here.st_mode) or stat.S_ISDIR(here.st_mode))
