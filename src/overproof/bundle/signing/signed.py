"""Say what a signature covers, and what in a folder is not what was signed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overproof.bundle.signing.files import ITSELF
from overproof.errors import TamperedBundle

FILES = {"method": "files", "hash_type": "sha256"}  # of the format's ways to hash, the one that is read here


@dataclass(frozen=True)
class Signed:
    """What a trusted signature covers.

    Attributes
    ----------
    target, signature
        The folder or file, and where its signature is.
    signer
        Whose it is: a key or a certificate, by its fingerprint.
    digests
        File, by its name in the folder (`.`: the file itself), to sha256.
    """

    target: Path
    signature: Path
    signer: str
    digests: Mapping[str, str] = field(repr=False)

    def require(self, name: str, content: bytes) -> None:
        """Raise TamperedBundle unless bytes are those of the file that was signed."""
        if self.digests.get(name) != hashlib.sha256(content).hexdigest():
            raise TamperedBundle(f"{self.target / name}: not the file that was signed ({self.signature})")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        where = {"path": str(self.target), "signature": str(self.signature)}
        return {**where, "signer": self.signer, "files": dict(sorted(self.digests.items()))}

    def render(self) -> str:
        """Return text."""
        count = len(self.digests)
        files = f"{count} files" if count != 1 else "1 file"
        return f"{self.target}: {files}, signed with the {self.signer}"


def difference(target: Path, where: Path, signed: Mapping[str, Any], found: Mapping[str, str]) -> str:
    """Name the first file that is not what was signed; the signature itself has been verified by then."""
    try:
        predicate = json.loads(base64.b64decode(signed["dsseEnvelope"]["payload"]))["predicate"]
        listed = {one["name"]: one["digest"] for one in predicate["resources"]}
        how = {name: predicate["serialization"].get(name) for name in FILES}
    except (ValueError, TypeError, KeyError):
        return f"{target}: not what was signed ({where})"
    if how != FILES:
        return f"{where}: hashes {how['method']} by {how['hash_type']}, expected files by sha256"
    for name in sorted(listed.keys() | found.keys()):
        if listed.get(name) != found.get(name):
            what = "not the file that was signed"
            what = "missing, the signature lists it" if name not in found else what
            what = "not covered by the signature" if name not in listed else what
            return f"{target if name == ITSELF else target / name}: {what} ({where})"
    return f"{target}: not what was signed ({where})"
