"""Token splitting keeps the text; edited events are new, repeatable and cover rare kinds."""

from __future__ import annotations

from collections import Counter

import numpy as np

from overproof.bundle.tokenizer import CLS, encode, train_bpe
from overproof.distillation.augment import carriers, token_splitter, transfer_texts

TEXTS = ["select name from users where id = 1", "GET /index.html?page=2", "<script>alert(1)</script>", "O'Brien"] * 5
TOKENIZER = train_bpe(TEXTS, vocabulary=400)


def test_splitting_changes_the_tokens_and_not_the_text() -> None:
    ids = [np.array([CLS, *row]) for row in encode(TOKENIZER, TEXTS)]
    perturb = token_splitter(TOKENIZER, 0.5, longest=1000)
    split = perturb(ids, np.random.default_rng(0))
    assert [TOKENIZER.decode(row[1:].tolist()) for row in split] == TEXTS
    assert sum(map(len, split)) > sum(map(len, ids)) * 1.3
    assert all(row[0] == CLS for row in split)
    again = perturb(ids, np.random.default_rng(0))
    assert all(np.array_equal(a, b) for a, b in zip(split, again, strict=True))


def test_splitting_respects_the_window() -> None:
    ids = [np.array([CLS, *row]) for row in encode(TOKENIZER, TEXTS)]
    assert max(map(len, token_splitter(TOKENIZER, 1.0, longest=9)(ids, np.random.default_rng(0)))) == 9


def test_carriers_keep_the_event_whole_and_fit_the_window() -> None:
    events = [np.array([CLS, 100 + k, 200 + k]) for k in range(300)]
    benign = [np.array([CLS, 7, 7, 7]), np.array([CLS])]
    moved = carriers(benign, 0.5, longest=20)(events, np.random.default_rng(0))
    assert 100 < sum(len(m) > 3 for m in moved) < 200
    for event, row in zip(events, moved, strict=True):
        assert row[0] == CLS and len(row) <= 20
        assert [t for t in row[1:].tolist() if t != 7] == event[1:].tolist()
    assert any(row[1] != 7 and len(row) > 3 for row in moved) and any(row[-1] != 7 and len(row) > 3 for row in moved)
    assert carriers([], 1.0, longest=20)(events, np.random.default_rng(0)) == events


def test_edited_events_are_repeatable_mostly_new_and_favour_rare_kinds() -> None:
    texts = [f"name {i}" for i in range(900)] + [f"' or {i}={i}--" for i in range(9)]
    kinds = ["benign"] * 900 + ["rare"] * 9
    edited = transfer_texts(texts, kinds, count=600, seed=1)
    assert edited == transfer_texts(texts, kinds, count=600, seed=1)
    assert edited != transfer_texts(texts, kinds, count=600, seed=2)
    assert len(edited) == 600 and all(edited)
    assert sum(t not in set(texts) for t in edited) > 300
    assert Counter("'" in t or "%27" in t for t in edited)[True] / 600 > 3 * 9 / 909


def test_nothing_to_edit() -> None:
    assert transfer_texts([], [], count=10, seed=0) == []
