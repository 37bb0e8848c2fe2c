"""Windows: every token is in one, up to a limit that is reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.tokenizer import CLS, Windowing, cut, encode, train_bpe

CORPUS = ["select * from users where id=1", "GET /index.html", "<script>alert(1)</script>", "plain name"] * 3
TOKENIZER = train_bpe(CORPUS, vocabulary=320)
SMALL = Windowing(size=8, overlap=2, limit=4)


@given(st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert TOKENIZER.decode(encode(TOKENIZER, [clean])[0]) == clean


@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_windows_cover_every_token_up_to_the_limit(texts: list[str]) -> None:
    texts = [t.encode("utf-8", "replace").decode() for t in texts]
    windows = cut(TOKENIZER, texts, SMALL)
    assert sorted(windows.owner.tolist()) == windows.owner.tolist()
    assert set(windows.owner.tolist()) == set(range(len(texts)))
    for event, tokens in enumerate(encode(TOKENIZER, texts)):
        own = [w for w, o in zip(windows.ids, windows.owner, strict=True) if o == event]
        assert all(w[0] == CLS and len(w) <= SMALL.size for w in own)
        assert len(own) <= SMALL.limit
        seen = tokens[: SMALL.tokens]
        for k in range(len(seen)):  # each token stands in some window with all its neighbours there
            near = seen[max(0, k - 1) : k + 2]
            assert any(w[1:][s : s + len(near)] == near for w in own for s in range(len(w)))
        assert bool(windows.overflow[event]) == (len(tokens) > SMALL.tokens)


def test_a_huge_event_is_cut_before_the_tokenizer_and_reported() -> None:
    text = "a b " * 1_000_000
    windows = cut(TOKENIZER, [text, "short"], SMALL)
    assert windows.overflow.tolist() == [True, False]
    assert len(windows.ids) == SMALL.limit + 1


def test_training_is_deterministic() -> None:
    assert train_bpe(CORPUS, vocabulary=300).to_str() == train_bpe(CORPUS, vocabulary=300).to_str()


@pytest.mark.parametrize("size", [8, 128])
def test_windowing_arithmetic(size: int) -> None:
    w = Windowing(size=size, overlap=2, limit=3)
    assert w.tokens == w.size - 1 + 2 * w.stride
