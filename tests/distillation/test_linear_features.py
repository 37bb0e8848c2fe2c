from __future__ import annotations

from collections import Counter
from math import log, sqrt

import numpy as np
import pytest
from scipy.sparse import vstack

from overproof.distillation.linear_features import BATCH, FEATURES, MULTIPLIERS, byte_ngrams, character_ngrams

TEXTS = [
    "",
    " ",
    "a",
    "1' or '1'='1",
    " <script>alert(1) \t\n</script>  x ",
    "naïve 日本語\u00a0ok",
    "\ud800 lone",
    "\0\0\0\0",
    "\v\f\r",
    "a" * 5000,
    "id=1;id=1;id=1 id=1;",
]


def slow(text: str) -> dict[int, float]:
    """What a row holds, n-gram by n-gram."""
    data = bytes(32 if byte in b"\t\n\v\f\r" else byte for byte in text.encode("utf-8", "surrogatepass"))
    data = b" " + data + b" "
    counts: Counter[int] = Counter()
    for n, multiplier in enumerate(MULTIPLIERS, start=1):
        for begin in range(len(data) - n + 1):
            gram = data[begin : begin + n]
            if b" " in gram[1:-1] or b"  " in gram or (gram == b" " and data[begin + 1 : begin + 2] in (b" ", b"")):
                continue
            word = int.from_bytes(gram, "little")
            counts[(word * multiplier) % 2**32 * FEATURES // 2**32] += 1
    values = {row: 1 + log(count) for row, count in counts.items()}
    length = sqrt(sum(value**2 for value in values.values()))
    return {row: value / length for row, value in values.items()}


@pytest.mark.parametrize("text", TEXTS)
def test_a_row_is_what_a_slow_reference_counts(text: str) -> None:
    (features,) = byte_ngrams([text])
    assert features.shape == (1, FEATURES)
    assert features.dtype == np.float32
    wanted = slow(text)
    assert dict(zip(features.indices.tolist(), features.data.tolist(), strict=True)) == pytest.approx(wanted, rel=1e-5)
    assert (len(wanted) == 0) == (text.strip(" \t\n\v\f\r") == "")


def test_words_are_what_counts_not_the_white_space_between_them() -> None:
    one, other, joined = (next(byte_ngrams([text])).toarray() for text in ("ab cd", "\tab \r\n  cd\f", "abcd"))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, joined)


def test_a_row_does_not_depend_on_the_batch() -> None:
    """Whatever stands beside a text, and in whichever batch of how many: the same bits."""
    random = np.random.default_rng(0)
    texts = ["".join(map(chr, random.integers(32, 127, size=random.integers(0, 40)))) for _ in range(BATCH + 300)]
    texts[::97] = [TEXTS[k % len(TEXTS)] for k in range(len(texts[::97]))]
    batches = list(byte_ngrams(texts))
    assert [batch.shape[0] for batch in batches] == [BATCH, 300]
    together = vstack(batches, format="csr")
    for k in (*range(0, len(texts), 97), 1, BATCH - 1, BATCH, BATCH + 299):
        alone = vstack(list(byte_ngrams([texts[k]])), format="csr")
        assert np.array_equal(alone.indices, together[k].indices)
        assert np.array_equal(alone.data, together[k].data)


def test_no_text_gives_no_batch() -> None:
    assert list(byte_ngrams([])) == list(character_ngrams([])) == []
