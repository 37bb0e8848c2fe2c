"""Test what models read of text: tokens, n-grams, and both of the same bytes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.manifest import open_bundle
from overproof.bundle.ngrams import NgramTable
from overproof.bundle.readers import (
    NGRAMS,
    TOKENIZER,
    HybridReader,
    NgramReader,
    TokenReader,
    make_reader,
    reader_of,
)
from overproof.bundle.tokenizer import AFTER, BEFORE, TokenBytes, Windowing, cut, train_bpe
from overproof.errors import BundleError, TamperedBundle

BPE = train_bpe(["select * from users", "<script>alert(1)</script>", "GET /index.html", "größe=☃"] * 4, vocabulary=300)
TABLE = NgramTable(
    np.random.default_rng(0).integers(-128, 128, (1 << 10, 8)).astype(np.int8), np.linspace(0.01, 0.08, 8, dtype="f4")
)
LONG = Windowing(size=1000, overlap=10)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=5)


@given(TEXTS)
def test_the_bytes_of_a_windows_tokens_are_its_text_between_markers(texts: list[str]) -> None:
    windows = cut(BPE, texts, LONG)
    data, starts = TokenBytes.of_tokenizer(BPE).of(windows.ids or [])
    found = [data[a:b].tobytes() for a, b in pairwise(starts)]
    assert found == [bytes([BEFORE]) + text.encode() + bytes([AFTER]) for text in texts]


@given(TEXTS)
def test_a_hybrid_reads_the_tokens_and_the_ngrams_that_either_would(texts: list[str]) -> None:
    both = HybridReader(BPE, TABLE, LONG).read(texts)
    assert both.ids == TokenReader(BPE, LONG).read(texts).ids
    np.testing.assert_array_equal(both.ngrams, NgramReader(TABLE, LONG).read(texts).ngrams)


MARKED = ["[CLS]a[PAD]", "[PAD]", "x[PAD]union select 1", "a"]


@pytest.mark.parametrize("text", MARKED)
def test_the_names_of_markers_in_a_text_are_text_in_any_company(text: str) -> None:
    reader = HybridReader(BPE, TABLE, Windowing(size=40, overlap=4))
    alone, beside = (
        reader.read([text]),
        reader.read([text, "y" * 900]),
    )  # beside a long one all are read by their tokens
    assert alone.ids is not None and beside.ids is not None and alone.ngrams is not None and beside.ngrams is not None
    assert alone.ids[0] == beside.ids[0] and not {0, 1} & set(alone.ids[0][1:])
    np.testing.assert_array_equal(alone.ngrams[0], beside.ngrams[0])
    assert BPE.decode(alone.ids[0][1:], skip_special_tokens=False) == text


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("padding", {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[PAD]"}),
        ("truncation", {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}),
        ("normalizer", {"type": "Lowercase"}),
        ("pre_tokenizer", None),
        ("post_processor", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
        ("model.dropout", 0.5),
        ("model.vocab.!", 9999),
        ("model.vocab.新", 300),
    ],
)  # fmt: skip
def test_a_tokenizer_of_other_settings_is_refused(place: str, value: object) -> None:
    data = json.loads(BPE.to_str())
    *outer, last = place.split(".")
    inside = data
    for step in outer:
        inside = inside[step]
    inside[last] = value
    assert reader_of({TOKENIZER: BPE.to_str().encode()}, LONG, "x")
    with pytest.raises(BundleError, match=f"x/{TOKENIZER}: its (settings|vocabulary)"):
        reader_of({TOKENIZER: json.dumps(data).encode()}, LONG, "x")


def test_the_ngrams_of_a_long_event_are_those_of_each_of_its_windows() -> None:
    small = Windowing(size=8, overlap=2)
    reader = HybridReader(BPE, TABLE, small)
    windows = reader.read(["select * from users where id=1 or 1=1", "id=1"])
    assert len(windows) > 2
    assert windows.ngrams is not None
    for row in range(len(windows)):
        own = NgramReader(TABLE, LONG).read(["".join(reader.spell(windows, row))]).ngrams
        np.testing.assert_array_equal(windows.ngrams[row : row + 1], own)


@given(TEXTS)
def test_every_window_is_in_one_batch_whatever_is_read(texts: list[str]) -> None:
    for reader in (TokenReader(BPE, LONG), NgramReader(TABLE, LONG), HybridReader(BPE, TABLE, LONG)):
        windows = reader.read(texts)
        rows = np.concatenate([rows for rows, _ in windows.batches()])
        assert sorted(rows.tolist()) == list(range(len(windows)))


def test_what_is_stored_reads_the_same(tmp_path: Path) -> None:
    texts = ["GET /index.html", "größe=☃", ""]
    for reader in (TokenReader(BPE, LONG), NgramReader(TABLE, LONG), HybridReader(BPE, TABLE, LONG)):
        again = reader_of(reader.files(), LONG, "x")
        assert type(again) is type(reader)
        a, b = reader.read(texts), again.read(texts)
        assert a.ids == b.ids
        assert (a.ngrams is None) == (b.ngrams is None)
        if a.ngrams is not None:
            np.testing.assert_array_equal(a.ngrams, b.ngrams)


def test_a_windows_text_is_spelled() -> None:
    reader = NgramReader(TABLE, Windowing(size=9, overlap=2))
    windows = reader.read(["abcdefghijkl", "x"])
    assert [reader.spell(windows, i) for i in range(len(windows))] == [["abcdefgh"], ["efghijkl"], ["x"]]
    assert TokenReader(BPE, LONG).spell(TokenReader(BPE, LONG).read(["id=1"]), 0) != []


def test_a_reader_without_anything_to_read_with_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        make_reader(None, None, LONG)


def test_a_bundle_that_reads_with_nothing_is_refused(small_bundle: Path, tmp_path: Path) -> None:
    import shutil

    from overproof.bundle.manifest import MANIFEST, seal, unsealed

    bare = tmp_path / "bare"
    shutil.copytree(small_bundle, bare)
    (bare / TOKENIZER).unlink()
    data = json.loads((bare / MANIFEST).read_text())
    del data["files"][TOKENIZER], data["sha256"]
    from overproof.bundle.manifest import Manifest

    data["sha256"] = seal(Manifest.from_json(data, "x"))
    (bare / MANIFEST).write_text(json.dumps(data))
    assert unsealed((bare / MANIFEST).read_bytes(), "x")
    with pytest.raises(TamperedBundle, match=f"neither {TOKENIZER} nor {NGRAMS}"):
        open_bundle(bare)
