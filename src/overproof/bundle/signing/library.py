"""Reach the offline half of the package model-signing, through its public interface alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from overproof.errors import MissingExtra

# Its online half. Importing that would load clients of three services, of which one opens a socket as it is loaded.
ONLINE = "model_signing._signing.sign_sigstore"


class _LeftOut(ModuleType):
    """What stands in the place of the online half: it has nothing in it."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"overproof leaves the online half of model-signing out, and so its {name}")


def load() -> None:
    """Import what signs and verifies, once; MissingExtra if a package is not installed."""
    try:
        if "model_signing" not in sys.modules:
            sys.modules.setdefault(ONLINE, _LeftOut(ONLINE))
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying  # noqa: F401
        import OpenSSL.crypto  # noqa: F401
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise MissingExtra(f"signatures need the package {package}: pip install 'overproof[sign]'") from missing


@contextmanager
def in_memory(content: bytes = b"") -> Iterator[Path]:
    """Give bytes a path, since the package takes paths alone: what was read once is what it reads."""
    descriptor = os.memfd_create("overproof", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


class Hashing:
    """How files are hashed, all of them but the signature; it remembers what it found.

    Parameters
    ----------
    left_out
        Paths in the folder that are not hashed.
    """

    def __init__(self, left_out: Iterable[Path]) -> None:
        load()
        from model_signing.hashing import Config

        self._config = Config().set_ignored_paths(paths=tuple(left_out), ignore_git_paths=False)
        self.found: Mapping[str, str] | None = None  # name, in the folder, to sha256

    def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
        """Hash a folder or a file, as `model_signing` asks for it."""
        manifest = self._config.hash(model_path, files_to_hash=files_to_hash)
        self.found = {one.identifier: one.digest.digest_hex for one in manifest.resource_descriptors()}
        return manifest

    def add_ignored_paths(self, *, model_path: Any, paths: Iterable[Any]) -> None:
        """Leave out what the signature leaves out too; who trusts its digests sees what they do not cover."""
        self._config.add_ignored_paths(model_path=model_path, paths=paths)
