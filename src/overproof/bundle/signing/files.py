"""Find the files that a signature covers: all of them, and nothing that is no file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from overproof.bundle.signing import SIGNATURE
from overproof.errors import TamperedBundle

ITSELF = "."  # the name that a file on its own has in its signature


def files_of(real: Path, target: Path) -> set[str]:
    """Return the names of all files in a folder, at any depth; of a file `.` alone.

    Parameters
    ----------
    real, target
        Where it is, without links; what it is called in messages.

    Raises
    ------
    TamperedBundle
        A link, or what is neither file nor folder, in it: what that leads to is not signed.
    """
    if not real.is_dir():
        return {ITSELF}
    found, folders = set(), [real]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                name = os.path.relpath(entry.path, real)
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    folders.append(Path(entry.path))
                elif stat.S_ISREG(mode):
                    found.add(name)
                else:
                    kind = "a link" if stat.S_ISLNK(mode) else "neither file nor folder"
                    raise TamperedBundle(f"{target / name}: is {kind}, expected files alone in what is signed")
    return found


def left_out(real: Path, signature: Path) -> set[Path]:
    """Return what a signature does not cover, by name in the folder: itself, and the usual place of one."""
    if not real.is_dir():
        return set()
    place = Path(os.path.realpath(signature.parent)) / signature.name
    return {Path(SIGNATURE)} | ({place.relative_to(real)} if place.is_relative_to(real) else set())
