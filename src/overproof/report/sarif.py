"""Write a SARIF 2.1.0 log about one artifact, for code scanning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from overproof.progress import one_line

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class Artifact:
    """What was analysed.

    Attributes
    ----------
    name, sha256, length
        Its name, its hash and its size in bytes.
    """

    name: str
    sha256: str
    length: int

    @property
    def uri(self) -> str:
        """The name as one segment of a relative address."""
        name = one_line(self.name)
        return "bundle" if name in ("", ".", "..") else quote(name, safe="")

    @property
    def location(self) -> dict[str, Any]:
        """Where a result lies: an artifact has no lines, but code scanning shows nothing without one."""
        place = {"uri": self.uri, "index": 0}
        return {"physicalLocation": {"artifactLocation": place, "region": {"startLine": 1}}}


@dataclass(frozen=True)
class Run:
    """One run of the program.

    Attributes
    ----------
    version
        Of the program.
    artifact
        What was analysed.
    rules, results
        As SARIF has them.
    properties
        Anything else.
    """

    version: str
    artifact: Artifact
    rules: Sequence[Mapping[str, Any]]
    results: Sequence[Mapping[str, Any]]
    properties: Mapping[str, Any] = field(default_factory=dict)


def log(run: Run) -> dict[str, Any]:
    """Return a log of one run."""
    artifact = {
        "location": {"uri": run.artifact.uri},
        "roles": ["analysisTarget"],
        "hashes": {"sha-256": run.artifact.sha256},
        "length": run.artifact.length,
    }
    body = {
        "tool": {"driver": {"name": "overproof", "version": run.version, "rules": list(run.rules)}},
        "invocations": [{"executionSuccessful": True}],
        "artifacts": [artifact],
        "results": list(run.results),
        "properties": dict(run.properties),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [body]}


def plain_message(text: str) -> str:
    """Write text as SARIF's plain text, where braces are placeholders and brackets can be links (3.11.5, 3.11.6)."""
    line = one_line(text).replace("{", "{{").replace("}", "}}")
    return re.sub(r"[\[\]]", r"\\\g<0>", line) if re.search(r"\]\(", line) else line
