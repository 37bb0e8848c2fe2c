"""Put what a manifest names into components: files, libraries, the teacher; and other entries into properties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from overproof.bundle.manifest_schema import SHA256
from overproof.report.not_measured import NotMeasured

PREFIX = "overproof:"  # of a property's name
Component = dict[str, Any]


def files(listed: Mapping[str, Mapping[str, Any]], ref: str) -> list[Component]:
    """Describe the files of a bundle, as its manifest lists them."""
    return [
        {
            "type": "file",
            "bom-ref": f"{ref}/{name}",
            "name": name,
            "hashes": hashes(entry["sha256"]),
            "properties": properties({"bytes": entry["bytes"]}),
        }
        for name, entry in sorted(listed.items())
    ]


def libraries(versions: Mapping[str, Any]) -> list[Component]:
    """Describe what made the model; a machine that judges with it needs few of them, and in no such version."""
    return [
        {
            "type": "platform" if name == "python" else "library",
            "bom-ref": f"library/{name}",
            "name": name,
            "version": text(version),
            **({} if name == "python" else {"purl": f"pkg:pypi/{quote(name.lower())}@{quote(text(version))}"}),
            "scope": "excluded",
        }
        for name, version in sorted(versions.items())
    ]


def ancestors(teacher: Mapping[str, Any], ref: str) -> list[Component]:
    """Describe the teacher; none where the model learned from labels alone, or where it is not known."""
    if not isinstance(teacher.get("name"), str) or not teacher["name"]:
        return []
    kind = text(teacher.get("kind"))
    known = {name: value for name, value in teacher.items() if name != "name"}
    return [
        {
            "type": "data" if kind == "soft labels" else "machine-learning-model",
            "bom-ref": f"{ref}/teacher",
            "name": teacher["name"],
            "description": "The teacher, whose class probabilities it was distilled from",
            "properties": properties(known),
        }
    ]


def hashes(sha256: Any) -> list[dict[str, str]]:
    """Return a sha256 as components have it; nothing of what is none."""
    known = isinstance(sha256, str) and SHA256.fullmatch(sha256)
    return [{"alg": "SHA-256", "content": sha256}] if known else []


def properties(entries: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return entries as properties, those of entries too; what is None or not measured is left out."""
    return [{"name": PREFIX + name, "value": text(value)} for name, value in _flat(entries)]


def text(value: Any) -> str:
    """Return plain JSON as a property's or a metric's value."""
    return value if isinstance(value, str) else json.dumps(value)


def _flat(entries: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{under}{name}:")
        elif value is not None and not isinstance(value, NotMeasured):
            yield f"{under}{name}", value
