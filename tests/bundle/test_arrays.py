"""Test that files of arrays are read whole or refused."""

import io

import numpy as np
import pytest

from overproof.bundle.arrays import from_npz, to_npz
from overproof.errors import BundleError

ARRAYS = {"weights": np.arange(600, dtype=np.int16).reshape(20, 30), "scales": np.ones(30, dtype=np.float32)}
WHOLE = to_npz(ARRAYS)


def test_arrays_come_back_as_they_were() -> None:
    found = from_npz(WHOLE, ("scales",), "f")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.array([{}], dtype=object), scales=np.arange(2))
    return file.getvalue()


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 no more", WHOLE[:100], WHOLE[:-10], flipped(WHOLE, 300), one_array(), pickled(), b"\x80\x04."],
    ids=[
        "empty",
        "only a mark",
        "begun",
        "without its end",
        "changed within",
        "one array",
        "a pickle inside",
        "pickle",
    ],
)
def test_what_is_no_whole_file_of_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"scores\.npz: expected .*arrays"):
        from_npz(content, ("weights", "scales"), "scores.npz")


def test_an_array_that_is_missing_is_named() -> None:
    with pytest.raises(BundleError, match="expected arrays weights and means; it lacks means"):
        from_npz(WHOLE, ("weights", "means"), "f")
