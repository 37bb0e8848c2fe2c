"""Distil a teacher into a small student.

This is compress time: it needs torch, onnx and scikit-learn (`pip install overproof[compress]`).
"""

from __future__ import annotations

import getpass
import os

COMPILED = "TORCHINDUCTOR_CACHE_DIR"  # which torch makes when the first optimizer is used, though nothing is compiled


def _name_compiled() -> None:
    """Name that folder where torch cannot: there is no folder for temporary files, or no name for the user's number."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    # as `tempfile.gettempdir`, which would write a file to see, also where nothing is trained
    places = [place for place in (*named, "/tmp", "/var/tmp", "/usr/tmp", ".") if place and os.access(place, os.W_OK)]
    if not places:
        os.environ.setdefault(COMPILED, os.sep)  # it is there, and need not be made
        return
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ.setdefault(COMPILED, os.path.join(places[0], f"torchinductor_{os.getuid()}"))


_name_compiled()
