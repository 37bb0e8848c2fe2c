"""What writing aside needs of the file system."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (`fsync(2)`: syncing a file does not sync its name)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder is gone at once, then piece by piece."""
    gone = path.with_name(f"{path.name}.old")
    shutil.rmtree(gone, ignore_errors=True)
    if path.is_dir():
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
