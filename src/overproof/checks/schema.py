"""Write the documents of check.json from its types: docs/check-schema.md and docs/check.schema.json.

`python -m overproof.checks.schema DIR` writes both into a folder. What they say stands in the docstrings of the
result types.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from overproof.checks import CHECKS
from overproof.checks.base import CheckResult, GateResult
from overproof.checks.report.check_report import Frame
from overproof.checks.report.outcome import SCHEMA
from overproof.files import atomic_write
from overproof.results.typed_json import json_schema

MARKDOWN, JSON_SCHEMA = "check-schema.md", "check.schema.json"
INTRODUCTION = f"""# `overproof check`: the JSON

<!-- Written by `make schema` from the types of the results: change their docstrings, not this file. -->

`check.json` is the contract between the checks and everything that shows them (HTML, Markdown, SARIF, your own tools).
It has no time stamp: the same bundle, events, evidence, gates and seed give the same file, timings apart (they come
from the bundle). `schema` is `{SCHEMA}`; the number grows when a field changes its meaning or goes away, not when one
is added. The same as a JSON Schema: [{JSON_SCHEMA}]({JSON_SCHEMA}).

Everywhere: a **share** is between 0 and 1. A **model** is one of `full`, `distilled`, `distilled + INT8`,
`retrained control`, `linear baseline`; a model that is not there is missing from every map and named in `absent` with
the reason. `null` is "not measured", never zero. What could not be measured stands as `{{"unmeasured": "why"}}` in the
place of the figure.
"""
PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True)
class Attribute:
    """Attributes that are described together: their names, and the description."""

    names: tuple[str, ...]
    text: str


def described(kind: type) -> list[Attribute]:
    """Return the attributes that the docstring of a type describes, in its order."""
    section = inspect.getdoc(kind) or ""
    _, found, body = section.partition("Attributes\n----------\n")
    if not found:
        return []
    own = re.split(r"^\w+\n-+$", body, flags=re.MULTILINE)[0]  # another section may follow
    entries = re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?|\n)+)", own + "\n", re.MULTILINE)
    return [Attribute(tuple(name.split(", ")), _as_json(text)) for name, text in entries]


def summary(kind: type) -> str:
    """Return the first paragraph of a type's docstring."""
    return _as_json((inspect.getdoc(kind) or "").partition("\n\n")[0])


def _as_json(text: str) -> str:
    """Return a description on one line, in which None is called null."""
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))


def parts(hint: Any) -> Iterator[type]:
    """Yield the dataclasses that a type hint mentions, in order."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for argument in get_args(hint):
        yield from parts(argument)


def with_parts(kinds: Iterable[type], known: Iterable[type] = ()) -> list[type]:
    """List types and all those that their fields hold, each once, but not those that are known."""
    found: list[type] = []
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop(0)
        if kind in found or kind in known:
            continue
        found.append(kind)
        hints = get_type_hints(kind)
        waiting = [part for field in fields(kind) for part in parts(hints[field.name])] + waiting
    return found


class Document:
    """The Markdown document; types of the same name are told apart by where they are defined."""

    def __init__(self, kinds: list[type]) -> None:
        names = [kind.__name__ for kind in kinds]
        self.titles = {
            kind: kind.__name__ if names.count(kind.__name__) == 1 else f"{kind.__name__} of {_place(kind)}"
            for kind in kinds
        }

    def link(self, kind: type) -> str:
        """Link to a type."""
        title = self.titles[kind]
        anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        return f"[{title}](#{anchor})"

    def words(self, hint: Any) -> str:
        """Write a type in words."""
        origin, arguments = get_origin(hint), get_args(hint)
        if isinstance(hint, TypeVar):
            return "see the check"
        if hint in PLAIN:
            return PLAIN[hint]
        if hint is type(None):
            return "null"
        if origin is Literal:
            return " or ".join(f"`{value}`" for value in arguments)
        if origin in (Union, types.UnionType):
            return " or ".join(self.words(argument) for argument in arguments)
        if origin is tuple:
            inner = [self.words(argument) for argument in arguments if argument is not Ellipsis]
            return f"list of {inner[0]}" if Ellipsis in arguments else f"list of {len(inner)}: {', '.join(inner)}"
        if origin is not None and issubclass(origin, Mapping):
            return f"object: name to {self.words(arguments[1])}"
        return self.link(hint)

    def table(self, kind: type, more: Iterable[tuple[str, str, str]] = ()) -> str:
        """Write a row for each group of attributes of a type, and for what follows from them."""
        hints = get_type_hints(kind)
        rows = [("field", "type", "what"), ("---", "---", "---")]
        groups = described(kind)
        named = {name for group in groups for name in group.names}
        groups += [Attribute((field.name,), "") for field in fields(kind) if field.name not in named]
        for group in groups:
            kinds = list(dict.fromkeys(self.words(hints[name]) for name in group.names))
            rows.append((", ".join(f"`{name}`" for name in group.names), "; ".join(kinds), group.text))
        return "\n".join(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in [*rows, *more]
        )

    def section(self, kind: type) -> str:
        """Write what a type is, and its table."""
        return f"### {self.titles[kind]}\n\n{summary(kind)}\n\n{self.table(kind)}\n"


def _place(kind: type) -> str:
    return ".".join(kind.__module__.split(".")[1:])


def markdown() -> str:
    """Write the whole document."""
    by_check = {check.key: with_parts([check.data]) for check in CHECKS}
    frame = [kind for kind in with_parts([Frame]) if kind is not Frame]
    counted = [kind for kinds in by_check.values() for kind in kinds]
    shared = [kind for kind in dict.fromkeys(counted) if counted.count(kind) > 1 or kind in frame]
    document = Document(list(dict.fromkeys([*frame, *counted])))
    lists = [("`checks`", "list of seven", "The checks, in order; below.")]
    blocks = [INTRODUCTION, "## Top level\n", document.table(Frame, lists) + "\n"]
    blocks += [document.section(kind) for kind in frame if kind not in shared]
    blocks += ["## A check\n", _check(document)]
    for check in CHECKS:
        own = [kind for kind in by_check[check.key] if kind not in shared and kind is not check.data]
        blocks += [f"## `{check.key}`\n", summary(check.data) + "\n", document.table(check.data) + "\n"]
        blocks += [document.section(kind) for kind in own]
    blocks += ["## What several of them hold\n", *(document.section(kind) for kind in shared)]
    return "\n".join(blocks)


def _check(document: Document) -> str:
    """Write what all checks share, with what follows from their gates."""
    status = document.words(get_type_hints(GateResult)["status"])
    document.titles |= {GateResult: "GateResult"}
    more = [
        ("`status`", status, (CheckResult.status.__doc__ or "").strip()),
        ("`message`", "text", (CheckResult.message.__doc__ or "").strip()),
    ]
    closed = ("`closed`", "true or false", (GateResult.closed.__doc__ or "").strip())
    gate = f"### GateResult\n\n{summary(GateResult)}\n\n{document.table(GateResult, [closed])}\n"
    return f"{document.table(CheckResult, more)}\n\n{gate}"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of check.json."""
    found = json_schema(tuple[(Frame, *(CheckResult[check.data] for check in CHECKS))])  # type: ignore[misc,name-defined]
    definitions = found["$defs"]
    frame, *checks = (entry["$ref"].rpartition("/")[2] for entry in found["prefixItems"])
    top = definitions.pop(frame)
    top["properties"]["checks"] = {
        "type": "array",
        "prefixItems": [{"$ref": f"#/$defs/{name}"} for name in checks],
        "minItems": len(checks),
        "maxItems": len(checks),
    }
    top["required"] = [*top["required"], "checks"]
    status = definitions["GateResult"]["properties"]["status"]
    for name, check in zip(checks, CHECKS, strict=True):
        definitions[name]["properties"] |= {
            "key": {"const": check.key},
            "status": status,
            "message": {"type": "string"},
        }
    definitions["GateResult"]["properties"]["closed"] = {"type": "boolean"}
    for entry in (top, *definitions.values()):
        entry["description"] = _as_json(entry.get("description", "").partition("\n\n")[0])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "title": SCHEMA, "$defs": definitions}


def main(folder: Path) -> None:
    """Write both documents into a folder."""
    atomic_write(folder / MARKDOWN, markdown())
    atomic_write(folder / JSON_SCHEMA, json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
