"""Derived examples keep the event, by what was done to them, and with it its label and the teacher's answer."""

from __future__ import annotations

import html
import random
import re
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.distillation import derived
from overproof.distillation.derived import KEYS, LONGEST, SEPARATORS, SURE_BYTES, derive, edit_texts, join_texts
from overproof.distillation.training_set import UNLABELLED, Examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
CALM = ["blue", "42 Main St", "sort by price", "жук", "a=b"]
ATTACKS = ["' or 1=1--", "<script>alert(1)</script>", "; cat /etc/passwd"]
SEEDS = st.integers(0, 999)


def reading(edited: str) -> set[str]:
    """What a server may make of an edited text, without case and white space."""
    plain = {edited, unquote(edited), html.unescape(edited)}
    return {re.sub(r"\s", "", text).lower() for text in plain}


@given(st.lists(TEXTS, min_size=1, max_size=5), SEEDS)
def test_an_edited_text_still_says_what_it_said(texts: list[str], seed: int) -> None:
    made = edit_texts(texts, [], 20, seed=seed)
    assert len(made.texts) == 20 == len(made.rows)
    for row, edited in zip(made.rows.tolist(), made.texts, strict=True):
        assert edited != texts[row]
        assert re.sub(r"\s", "", texts[row]).lower() in reading(edited)


@pytest.mark.parametrize("edit", derived._random_edits())
@given(text=TEXTS, seed=SEEDS)
def test_each_edit_keeps_what_is_read(edit: derived.RandomEdit, text: str, seed: int) -> None:
    assert re.sub(r"\s", "", text).lower() in reading(edit(text, random.Random(seed)))


@given(text=TEXTS, seed=SEEDS)
def test_padding_keeps_the_event_whole_and_in_the_first_window(text: str, seed: int) -> None:
    padded = derived._padding(CALM)(text, random.Random(seed))
    assert padded.startswith(text) or padded.endswith(text)
    assert len(padded.encode()) <= max(SURE_BYTES, len(text.encode()))
    assert derived._padding([""])(text, random.Random(seed)) == text


def test_edits_are_of_all_kinds_and_say_nothing_about_the_class() -> None:
    texts = [f"select {n} from users where name = 'x'" for n in range(50)] + [f"/blue/{n}?a=(b)" for n in range(150)]
    made = edit_texts(texts, CALM, 400, seed=0)
    assert np.bincount(made.rows).tolist() == [2] * 200
    for sign in ("%20", "&#", "\t", "SELECT", " blue", "  "):
        assert sum(sign in text for text in made.texts) >= 5, sign
    assert made.texts == edit_texts(texts, CALM, 400, seed=0).texts != edit_texts(texts, CALM, 400, seed=1).texts


def test_a_list_holds_the_event_whole_among_benign_ones() -> None:
    texts, harmless = ATTACKS + CALM, [False] * len(ATTACKS) + [True] * len(CALM)
    made = join_texts(texts, CALM, harmless, 800, seed=0)
    used = set()
    for row, text in zip(made.rows.tolist(), made.texts, strict=True):
        before, own, _ = text.partition(texts[row])
        values = f"(({'|'.join(KEYS)})=)?({'|'.join(map(re.escape, [*CALM, texts[row]]))})"
        fitting = {s for s in SEPARATORS if re.fullmatch(f"{values}({re.escape(s)}{values})*", text)}
        assert own and fitting, text
        used |= fitting if len(fitting) == 1 else set()
        assert len(text.encode()) <= LONGEST
        if not harmless[row]:
            assert len((before + own).encode()) <= SURE_BYTES, "an attack has to be in the first window"
    assert used == set(SEPARATORS)
    places = [text.startswith(texts[row]) for row, text in zip(made.rows.tolist(), made.texts, strict=True)]
    assert 0.1 < np.mean(places) < 0.7
    lengths = np.array([len(text) for text in made.texts])
    attack = np.array([not harmless[row] for row in made.rows.tolist()])
    assert (lengths[attack] > 600).sum() > 10 < (lengths[~attack] > 600).sum(), "length must not tell the class"
    assert join_texts(texts, [], harmless, 10, seed=0).texts == []


def test_a_long_attack_stands_first() -> None:
    long = "' or " + "x" * SURE_BYTES
    made = join_texts([long], CALM, [False], 50, seed=0)
    assert all(text.removeprefix(text.partition("'")[0]).startswith(long) for text in made.texts)
    assert all(len(text.partition("'")[0]) <= 8 for text in made.texts)


def test_derived_examples_keep_label_family_and_the_teachers_answer() -> None:
    soft = np.array([[3, 0], [0, 2], [-1, 1], [5, 0]], dtype=np.float32)
    targets = np.array([0, 1, UNLABELLED, 1])
    examples = Examples(["blue", "' or 1=1--", "who knows", "sure?"], targets, soft, [None, "sqli", None, "xss"])
    sets = derive(examples, [True, False], consistency=2, joined=5, seed=0)
    assert [len(part.texts) for part in sets] == [8, 20]
    for part in sets:
        assert part.soft is not None
        rows = [next(r for r in range(4) if np.array_equal(soft[r], answer)) for answer in part.soft]
        assert part.targets.tolist() == targets[rows].tolist()
        assert part.kinds == [examples.kinds[row] for row in rows]
        for row, text in zip(rows, part.texts, strict=True):
            assert any(re.sub(r"\s", "", examples.texts[row]).lower() in read for read in reading(text))
    assert derive(examples, [True, False], consistency=0, joined=0, seed=0) == []


def test_only_what_label_and_teacher_call_benign_surrounds_others() -> None:
    soft = np.array([[3, 0], [0, 2], [0, 2]], dtype=np.float32)
    examples = Examples(["blue", "doubtful", "attack"], np.array([0, 0, 1]), soft, [None, None, "sqli"])
    (made,) = derive(examples, [True, False], consistency=0, joined=20, seed=0)
    for text, kind, target in zip(made.texts, made.kinds, made.targets, strict=True):
        own = "attack" if kind else "doubtful"
        assert "attack" not in text or own == "attack"
        assert text.count("doubtful") <= (target == 0)
    assert any("attack" in text and "blue" in text for text in made.texts)
