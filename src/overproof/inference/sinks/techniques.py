"""Read which technique of MITRE ATT&CK each family is of, where somebody knows better than `families.TECHNIQUES`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overproof.bundle.manifest_schema import each_name_once
from overproof.errors import InputError
from overproof.inference.sinks.families import Technique
from overproof.progress import why

MOST_BYTES = 1 << 20  # of the file
ID = re.compile(r"T\d{4}(\.\d{3})?", re.ASCII)
EXPECTED = (
    'expected {"id": "T1190", "name": "…"}, of a sub-technique also "of": the technique\'s name; or null for none'
)

Techniques = Mapping[str, Technique | None]


def read_techniques(path: Path) -> dict[str, Technique | None]:
    """Read a JSON object of families to techniques; null says that a family has none.

    Raises
    ------
    InputError
        A file that cannot be read, or an entry that is no technique: the message names it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES:,} bytes, expected a table of techniques")
    try:
        found = json.loads(content, object_pairs_hook=each_name_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({why(error)})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object of families to techniques of ATT&CK")
    return {family.lower(): _technique(entry, f"{path}: {ascii(family)[:80]}") for family, entry in found.items()}


def _technique(entry: Any, where: str) -> Technique | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or not {"id", "name"} <= entry.keys() <= {"id", "name", "of"}:
        raise InputError(f"{where}: {EXPECTED}")
    if not isinstance(entry["id"], str) or not ID.fullmatch(entry["id"]):
        raise InputError(f"{where}: id is {ascii(entry['id'])[:60]}, expected T and four digits, as T1190 or T1059.001")
    for name in entry.keys() - {"id"}:
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise InputError(f"{where}: {name} is {ascii(entry[name])[:60]}, expected a name")
    if ("." in entry["id"]) != ("of" in entry):
        raise InputError(f"{where}: {entry['id']}: of a sub-technique, and of no other, expected the entry of")
    return Technique(entry["id"], entry["name"], entry.get("of"))
