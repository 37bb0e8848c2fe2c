"""Hold a manifest to its schema: every entry of its kind. A seal says who wrote it last, not that it is right."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from overproof.errors import BundleError

SHA256 = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
DEEPEST = 100  # levels of JSON: what walks through it calls itself
MOST_TOKENS = 1 << 20  # of all windows of an event
KINDS: Mapping[str, tuple[type, ...]] = {
    "overproof": (str,),
    "normalization": (str,),
    "precision": (str,),
    "seed": (int,),
    "network": (dict,),
    "data": (dict,),
    "teacher": (dict,),
    "versions": (dict,),
    "thresholds": (dict,),
    "config": (dict, type(None)),
    "signals": (dict, type(None)),
    "first": (dict, type(None)),
}
LARGEST = 2**63  # no count, size or seed comes near it
WORDS: Mapping[type, str] = {str: "a string", int: "a whole number", dict: "an object", type(None): "null"}


def parsed(content: bytes, where: str, wrong: type[BundleError]) -> Any:
    """Read JSON; `wrong`, in one line, of what is none, nests too deeply, or does not fit into memory."""
    try:
        data = json.loads(content, object_pairs_hook=each_name_once)
        json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogateescape")  # but for names, no surrogate is text
    except (ValueError, RecursionError, MemoryError) as error:
        raise wrong(f"{where}: not JSON ({str(error)[:100] or type(error).__name__})") from None
    level, depth = [data], 0
    while level:
        depth += 1
        level = [inner for value in level for inner in _inside(value)]
        if depth > DEEPEST:
            raise wrong(f"{where}: nests deeper than {DEEPEST} levels")
    return data


def each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON; ValueError of one with a name twice: other readers take the other value."""
    data = dict(pairs)
    if len(data) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {twice[:60]!r} stands twice in an object")
    return data


def bounded(digits: str) -> int:
    """Read a whole number that a float can hold, for shares and sizes are computed from them; ValueError of others."""
    number = int(digits)
    if not -LARGEST < number < LARGEST:
        raise ValueError(f"a number out of range: {digits[:20]}…")
    return number


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def require_schema(data: Mapping[str, Any], where: str) -> None:
    """Raise BundleError unless the entries of a manifest are of their kinds."""
    for name, kinds in KINDS.items():
        value = data.get(name)
        if name in data and (not isinstance(value, kinds) or isinstance(value, bool)):
            expected = " or ".join(WORDS[kind] for kind in kinds)
            raise BundleError(f"{where}: {name} is {_short(value)}, expected {expected}")
    _require_names(data, where)
    _require_windowing(data.get("windowing"), where)
    require_files(data.get("files"), where)
    parity = data.get("parity")
    if not isinstance(parity, list | tuple) or not all(isinstance(step, dict) for step in parity):
        raise BundleError(f"{where}: parity is {_short(parity)}, expected a list of objects")


def _require_names(data: Mapping[str, Any], where: str) -> None:
    for name in ("classes", "benign"):
        found = data.get(name)
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
            raise BundleError(f"{where}: {name} is {_short(found)}, expected a list of strings")
        if len(set(found)) != len(found):
            raise BundleError(f"{where}: {name} is {_short(found)}, expected each name once")
    if len(data["classes"]) < 2:
        raise BundleError(f"{where}: classes is {_short(data['classes'])}, expected two or more")
    if not set(data["benign"]) < set(data["classes"]):  # else each event is an attack, or none is
        raise BundleError(f"{where}: benign is {_short(data['benign'])}, expected some of the classes, and not all")


def _require_windowing(found: Any, where: str) -> None:
    if not isinstance(found, Mapping):
        raise BundleError(f"{where}: windowing is {_short(found)}, expected an object")
    for name, least in (("size", 2), ("overlap", 0), ("limit", 1)):
        value = found.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_TOKENS:
            raise BundleError(
                f"{where}: windowing.{name} is {_short(value)}, expected a whole number from {least} to {MOST_TOKENS}"
            )
    if found["overlap"] > found["size"] - 2:
        raise BundleError(
            f"{where}: windowing: windows of {found['size']} tokens cannot overlap by {found['overlap']}, expected "
            f"{found['size'] - 2} at most"
        )
    if found["size"] * found["limit"] > MOST_TOKENS:  # all of them are judged, also where they overlap
        raise BundleError(
            f"{where}: windowing: {found['limit']} windows of {found['size']} tokens, expected {MOST_TOKENS} tokens in "
            "all at most"
        )


def require_files(found: Any, where: str) -> None:
    """Raise BundleError unless it is an object of plain file names, each with its hash and size."""
    if not isinstance(found, Mapping):
        raise BundleError(f"{where}: files is {_short(found)}, expected an object")
    for name, listed in found.items():
        if not NAME.fullmatch(name):
            raise BundleError(f"{where}: files: {_short(name)}, expected a plain name of a file")
        if not isinstance(listed, Mapping) or set(listed) != {"sha256", "bytes"}:
            raise BundleError(f"{where}: files.{name} is {_short(listed)}, expected sha256 and bytes")
        sha256, size = listed["sha256"], listed["bytes"]
        if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            raise BundleError(f"{where}: files.{name}.sha256 is {_short(sha256)}, expected 64 hexadecimal digits")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise BundleError(f"{where}: files.{name}.bytes is {_short(size)}, expected a whole number")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
