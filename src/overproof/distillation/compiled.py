"""Name the folder that torch makes for what it compiles when an optimizer is first used, though nothing is compiled."""

from __future__ import annotations

import getpass
import os
import tempfile

COMPILED = "TORCHINDUCTOR_CACHE_DIR"


def name_compiled() -> None:
    """Name it where torch cannot: there is no folder for temporary files, or no name for the user's number."""
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        os.environ.setdefault(COMPILED, os.sep)  # it is there, and need not be made
        return
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ.setdefault(COMPILED, os.path.join(temporary, f"torchinductor_{os.getuid()}"))
