"""Write files and folders so that a reader finds the old content or the new one, and never half of either."""

from __future__ import annotations

from overproof.files.atomic import atomic_file, atomic_files, atomic_write, move_into_place
from overproof.files.folders import atomic_folder, folder_asides, recover_folder, remove
from overproof.files.handles import naming, open_named, sync
from overproof.files.lock import ANOTHER_RUN, only_writer
from overproof.files.names import ends_as_folder, is_utf8, open_number, regular_target, utf8_path
from overproof.files.output import OUTPUT, OwnOutput, keep_output, results

__all__ = [
    "ANOTHER_RUN",
    "OUTPUT",
    "OwnOutput",
    "atomic_file",
    "atomic_files",
    "atomic_folder",
    "atomic_write",
    "ends_as_folder",
    "folder_asides",
    "is_utf8",
    "keep_output",
    "move_into_place",
    "naming",
    "only_writer",
    "open_named",
    "open_number",
    "recover_folder",
    "regular_target",
    "remove",
    "results",
    "sync",
    "utf8_path",
]
