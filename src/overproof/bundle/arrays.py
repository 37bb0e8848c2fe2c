"""Write and read the plain arrays of a bundle's file: npz, in which nothing can be code."""

from __future__ import annotations

import io
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from overproof.errors import BundleError
from overproof.progress import why

# What numpy and zipfile raise where a file is cut, changed, compressed in a strange way or encrypted.
DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    MemoryError,  # of a shape that no file of its size holds
    OverflowError,
    SyntaxError,  # of a header that is no literal
    tokenize.TokenError,  # of one that does not end
    TypeError,
)


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of a file that holds the arrays by their names."""
    file = io.BytesIO()
    np.savez(file, **dict(arrays))  # type: ignore[arg-type]
    return file.getvalue()


def from_npz(content: bytes, names: Sequence[str], where: str) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file by their names; their shapes and types are for the caller to check.

    Parameters
    ----------
    names
        Of arrays that it must hold.

    Raises
    ------
    BundleError
        If the content is no whole npz file, lacks an array, or holds a pickle.
    """
    expected = f"expected arrays {_and(names)}".rstrip()
    try:
        file = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(file, NpzFile):
            raise ValueError("it is one array")
        found = {name: file[name] for name in file.files}
        if not all(isinstance(array, np.ndarray) for array in found.values()):
            raise ValueError("it holds what is no array")
    except DAMAGED as error:
        raise BundleError(f"{where}: {expected} ({why(error)})") from None
    if missing := sorted(set(names) - found.keys()):
        raise BundleError(f"{where}: {expected}; it lacks {_and(missing)}")
    return found


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
