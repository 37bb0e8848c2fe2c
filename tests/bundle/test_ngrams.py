"""Byte n-grams: rows, sums and windows equal what a slow, obvious reference finds, for any text and any batch mates."""

import io
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overproof.bundle import ngrams
from overproof.bundle.ngrams import MULTIPLIERS, NgramTable, cut_bytes, ngram_rows, restored
from overproof.bundle.tokenizer import Windowing
from overproof.errors import BundleError

WINDOWING = Windowing(size=513, overlap=64)
SMALL = Windowing(size=9, overlap=2, limit=3)  # windows of 8 bytes every 6, 20 bytes at most
ROWS, WIDTH = 1 << 8, 8
TEXTS = st.text(max_size=40) | st.text(st.characters(categories=["Cs", "Cc", "So", "L"]), max_size=12)


def table(rows: int = ROWS, width: int = WIDTH) -> NgramTable:
    drawn = np.random.default_rng(3)
    weights = drawn.integers(-128, 128, (rows, width)).astype(np.int8)
    return NgramTable(weights, drawn.random(width).astype(np.float32) + np.float32(0.01))


def slow_windows(text: str, windowing: Windowing) -> tuple[list[bytes], bool]:
    """Cut as `tokenizer.cut` says."""
    whole = text.encode("utf-8", "surrogatepass")
    judged, body = whole[: windowing.tokens], windowing.size - 1
    last = max(0, len(judged) - body)
    starts = [*range(0, last, windowing.stride), last]
    return [b"\x02" + judged[s : s + body] + b"\x03" for s in starts], len(whole) > windowing.tokens


def slow_rows(window: bytes, rows: int) -> list[int]:
    found = []
    for place in range(len(window)):
        for n in range(1, 5):
            if place + n <= len(window):
                word = sum(window[place + k] << 8 * k for k in range(n))
                found.append((word * MULTIPLIERS[n - 1] % 2**32) >> (32 - rows.bit_length() + 1))
    return found


def slow_sums(window: bytes, weights: np.ndarray) -> list[int]:
    rows = slow_rows(window, len(weights))
    return [sum(int(weights[r, column]) for r in rows) for column in range(weights.shape[1])]


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=6), st.sampled_from([SMALL, WINDOWING]))
@example(["", "", "a", ""], WINDOWING)
@example(["\x00" * 70, "\x02\x03", "\x03\x02" * 40], WINDOWING)
@example(["é" * 700, "😀", "\ud83d", "\ude00"], WINDOWING)
def test_equals_the_slow_reference(texts: list[str], windowing: Windowing) -> None:
    expected = [slow_windows(t, windowing) for t in texts]
    windows = [w for found, _ in expected for w in found]
    got = cut_bytes(texts, windowing)
    assert got.data.tobytes() == b"".join(windows)
    assert np.diff(got.starts).tolist() == [len(w) for w in windows] and got.starts[0] == 0
    assert got.owner.tolist() == [i for i, (found, _) in enumerate(expected) for _ in found]
    assert got.overflow.tolist() == [over for _, over in expected]
    weights = table()
    rows, offsets = ngram_rows(got.data, got.starts, ROWS)
    assert [rows[a:b].tolist() for a, b in pairwise(offsets)] == [slow_rows(w, ROWS) for w in windows]
    sums, counts = weights.sums(got.data, got.starts)
    assert sums.tolist() == [slow_sums(w, weights.weights) for w in windows]
    assert counts.tolist() == np.diff(offsets).tolist()


# fmt: off
GOLDEN = [
    15470, 63407, 19608, 22672, 6771, 57402, 13246, 19923, 50927, 33012, 43902, 59812, 54046, 55965, 34816,
    50579, 44484, 24277, 52612, 38320, 50927, 57146, 2514, 47928, 18590, 53600, 46624, 59492, 45879, 2800, 4994,
    18590, 25985, 55974, 15470, 53046, 55974,
]
# fmt: on


def test_rows_never_change() -> None:
    """Another hash makes every stored table worthless: these are what version 0.2 computes."""
    windows = cut_bytes(["' OR 1=1", ""], WINDOWING)
    rows, offsets = ngram_rows(windows.data, windows.starts)
    assert offsets.tolist() == [0, 34, 37]
    assert rows.tolist() == GOLDEN


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_independent_of_batch_mates(texts: list[str], random) -> None:
    weights = table()

    def pooled(batch: list[str]) -> np.ndarray:
        windows = cut_bytes(batch, WINDOWING)
        return weights.pooled(windows.data, windows.starts)

    order = list(range(len(texts)))
    random.shuffle(order)
    together = pooled([texts[i] for i in order])
    for place, i in enumerate(order):
        assert together[place].tobytes() == pooled([texts[i]])[0].tobytes()


def test_many_windows_equal_single_ones() -> None:
    """Blocks and pieces change nothing: 400 texts of 0 to 900 bytes, in one call and one by one."""
    drawn = np.random.default_rng(5)
    texts = ["".join(map(chr, drawn.integers(1, 256, n))) for n in drawn.integers(0, 600, 400)]
    weights = table(1 << 16, 16)
    windows = cut_bytes(texts, WINDOWING)
    assert len(windows.data) > 4 * ngrams.BLOCK and len(windows.owner) > len(texts)
    together = weights.pooled(windows.data, windows.starts)
    alone = [weights.pooled(w.data, w.starts) for w in (cut_bytes([t], WINDOWING) for t in texts)]
    assert together.tobytes() == np.concatenate(alone).tobytes()


@pytest.mark.parametrize("extreme", [-128, 127])
@pytest.mark.parametrize("length", [1, 62, 63, 64, 126, 127, 512])
def test_extreme_weights_do_not_overflow(extreme: int, length: int) -> None:
    weights = NgramTable(np.full((ROWS, WIDTH), extreme, dtype=np.int8), np.ones(WIDTH, dtype=np.float32))
    windows = cut_bytes(["x" * length], WINDOWING)
    sums, counts = weights.sums(windows.data, windows.starts)
    assert counts.tolist() == [max(3, 4 * (length + 2) - 6)]
    assert (sums == extreme * counts[:, None]).all()
    expected = (sums.astype(np.float32) / np.sqrt(counts.astype(np.float32))[:, None]).tolist()
    assert weights.pooled(windows.data, windows.starts).tolist() == expected


def test_what_is_pooled_is_rounded_once_each() -> None:
    weights = table()
    windows = cut_bytes(["GET /index.php?id=1", "a"], WINDOWING)
    sums, counts = weights.sums(windows.data, windows.starts)
    pooled = weights.pooled(windows.data, windows.starts)
    for window in range(2):
        for column in range(WIDTH):
            by_root = np.float32(sums[window, column]) / np.sqrt(np.float32(counts[window]))
            assert pooled[window, column] == by_root * weights.scales[column]
    assert pooled.dtype == np.float32


TEXTS_IN_ARROW = ["", "id=1", "é😀", "x" * 1400, "\x00\x02\x03", "", "z" * 9000, "ok"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_arrow_columns_equal_strings(kind: pa.DataType) -> None:
    column = pa.array(TEXTS_IN_ARROW, kind)
    chunked = pa.chunked_array([column.slice(0, 3), column.slice(3, 0), column.slice(3)])
    for got, texts in [
        (column, TEXTS_IN_ARROW),
        (column.slice(2, 4), TEXTS_IN_ARROW[2:6]),
        (column.slice(3, 0), []),
        (pa.array(["", ""], kind), ["", ""]),
        (pa.array([], kind), []),
        (chunked, TEXTS_IN_ARROW),
        (pa.chunked_array([], kind), []),
    ]:
        expected, found = cut_bytes(texts, WINDOWING), cut_bytes(got, WINDOWING)
        for name in ("data", "starts", "owner", "overflow"):
            assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
            assert getattr(found, name).dtype == getattr(expected, name).dtype, name
    assert cut_bytes(column, WINDOWING).overflow.tolist() == [False] * 6 + [True, False]


def test_nothing_to_read() -> None:
    windows = cut_bytes([], WINDOWING)
    assert windows.starts.tolist() == [0]
    assert table().pooled(windows.data, windows.starts).shape == (0, WIDTH)
    rows, offsets = ngram_rows(windows.data, windows.starts)
    assert (rows.tolist(), offsets.tolist()) == ([], [0])


def test_of_a_long_text_only_what_is_judged_is_looked_at() -> None:
    """The work that one event causes is bounded by the windows."""
    windows = cut_bytes(["a" * 50_000_000, "b"], WINDOWING)
    assert len(windows.owner) == WINDOWING.limit + 1
    assert windows.overflow.tolist() == [True, False]


def test_stored_and_restored() -> None:
    weights = table(1 << 10, 16)
    back = restored(weights.stored(), "ngrams.npz")
    assert (back.weights == weights.weights).all() and back.weights.dtype == np.int8
    assert (back.scales == weights.scales).all() and back.scales.dtype == np.float32


def content(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


INT8, FLOAT = np.zeros((4, 8), dtype=np.int8), np.ones(8, dtype=np.float32)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"no npz", "expected arrays weights and scales"),
        (content(weights=INT8), "expected arrays weights and scales"),
        (content(weights=np.array([{}], dtype=object), scales=FLOAT), "expected arrays weights and scales"),
        (content(weights=INT8.astype(np.int16), scales=FLOAT), "in int8 and scales"),
        (content(weights=INT8, scales=FLOAT.astype(np.float64)), "in int8 and scales"),
        (content(weights=INT8[0], scales=FLOAT), "in int8 and scales"),
        (content(weights=INT8[:0], scales=FLOAT), "in int8 and scales"),
        (content(weights=INT8, scales=FLOAT[:4]), "in int8 and scales"),
        (content(weights=INT8[:3], scales=FLOAT), "weights are 3 by 8, expected a power of two by a multiple of 4"),
        (content(weights=INT8[:1], scales=FLOAT), "weights are 1 by 8, expected a power of two by a multiple of 4"),
        (content(weights=INT8[:, :6], scales=FLOAT[:6]), "weights are 4 by 6"),
        (content(weights=INT8, scales=FLOAT * np.float32(np.nan)), "scales hold NaN"),
        (content(weights=INT8, scales=FLOAT * np.float32(np.inf)), "scales hold NaN"),
        (content(weights=INT8, scales=FLOAT * np.float32(0)), "not above 0"),
        (content(weights=INT8, scales=-FLOAT), "not above 0"),
    ],
)
def test_refuses_what_is_no_table(stored: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message) as raised:
        restored(stored, "b/ngrams.npz")
    assert str(raised.value).startswith("b/ngrams.npz: ") and "\n" not in str(raised.value)
