"""How the small students read: counted and summed as the product reads, and a score that is the sum of its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.ngrams import NgramTable, cut_bytes
from overproof.bundle.readers import HybridReader, NgramReader, TokenReader, reader_of
from overproof.bundle.tokenizer import Windowing
from overproof.events.simulate import simulate
from overproof.lesson import walk
from overproof.lesson.miniature import Miniature, miniature
from overproof.lesson.reading import counted, reading, taken_apart
from overproof.lesson.reading_sections import reading_section
from overproof.lesson.terminal import render

if TYPE_CHECKING:
    from .conftest import Bundled

WHOLE = Windowing(size=256, overlap=0, limit=1)
TEXTS = ("GET /?id=1' or 1=1--", "ä€", "a", "aaaaaaaaaaaaaaaaaaaa", "x\udcffy")
NAMES = ["payload", "unicode", "letter", "repeated", "surrogate"]


@pytest.fixture(scope="module")
def table() -> NgramTable:
    random = np.random.default_rng(3)
    weights = random.integers(-127, 128, (1 << 12, 8)).astype(np.int8)
    return NgramTable(weights, random.uniform(0.001, 0.01, 8).astype(np.float32))


@pytest.fixture(scope="module")
def small() -> Miniature:
    return miniature(simulate(600, seed=1).train)


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_n_grams_are_all_runs_of_one_to_four_bytes(text: str) -> None:
    content = b"\x02" + text.encode(errors="surrogatepass") + b"\x03"
    runs = [content[at : at + n] for n in range(1, 5) for at in range(len(content) - n + 1)]
    found = counted(text)
    assert (found.size, found.ngrams) == (len(content) - 2, len(runs))
    assert found.rows <= len(set(runs))
    assert found.rows >= len(set(runs)) - 2  # of 65,536 rows hardly any is shared


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_a_sum_is_the_readers_and_the_same_backwards(table: NgramTable, text: str) -> None:
    found = reading(NgramReader(table, WHOLE), text)
    assert found.tokens is None and found.sums is not None
    assert found.sums.forward == found.sums.backward
    windows = cut_bytes([text], WHOLE)
    assert found.sums.read == tuple(table.pooled(windows.data, windows.starts)[0, :4].tolist())
    ngrams = NgramReader(table, WHOLE).read([text]).ngrams
    assert ngrams is not None and found.sums.read == tuple(ngrams[0, :4].tolist())
    assert found.sums.table == (1 << 12, 8)


def test_a_bundle_of_both_shows_both(bundled: Bundled, table: NgramTable) -> None:
    bundle = open_bundle(bundled.path)
    tokens = reader_of(bundle.files, bundle.manifest.windowing, "b")
    assert isinstance(tokens, TokenReader)
    text = "GET /index.html"
    alone = reading(tokens, text)
    both = reading(HybridReader(tokens.tokenizer, table, tokens.windowing), text)
    assert alone.sums is None and both.sums is not None
    assert alone.tokens == both.tokens
    assert "".join(both.tokens or ()) == text


def test_a_score_is_the_sum_of_its_parts(small: Miniature) -> None:
    for text in simulate(600, seed=1).test["text"].to_pylist()[:40]:
        score = taken_apart(small, text)
        assert sum(part.adds for part in score.parts) == pytest.approx(score.total, abs=1e-5)
        assert sum(part.times for part in score.parts) == len(text.encode()) + 1
        sizes = [abs(part.adds) for part in score.parts]
        assert sizes == sorted(sizes, reverse=True)


def test_the_section_shows_parts_that_sum_to_the_score() -> None:
    user = walk().user_data
    text = render([reading_section(user)])
    rows = [line.split() for line in text.splitlines()]
    shown = [row[-1] for row in rows if row and row[-1][0] in "+-" and row[-1][1].isdigit()]
    *parts, total = map(float, shown)
    assert len(parts) == 9
    assert sum(parts) == pytest.approx(total, abs=1e-3)
    assert "make up half of that" in " ".join(text.split())


def test_the_users_bundle_reads_the_same_event(bundled: Bundled, table: NgramTable) -> None:
    user = walk(bundled.path).user_data
    assert user.reading is not None and user.reading.text == user.score.text
    text = " ".join(render([reading_section(user)]).split())
    assert f"{len(user.reading.tokens or ()):,} tokens" in text
    assert "no table of n-grams" in text
    ngrams = replace(user, reading=reading(NgramReader(table, WHOLE), user.score.text))
    text = " ".join(render([reading_section(ngrams)]).split())
    assert ngrams.reading is not None and ngrams.reading.sums is not None
    sums = " ".join(f"{n:,}" for n in ngrams.reading.sums.forward)
    assert f"as in the text {sums} the same, from its end {sums}" in text
    assert "It has no tokens" in text
