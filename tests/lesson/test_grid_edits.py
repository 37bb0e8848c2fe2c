"""Edits that fall between FP32 and the rounded weights: found by the red team's edits, proved by its oracle."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.bundle.scores import attack_of, softmax
from overproof.events.simulate import simulate
from overproof.lesson import Lesson, page, walk
from overproof.lesson.grid_edits import BITS, GridEdit, GridEdits, find_grid_edits
from overproof.lesson.miniature import BENIGN, Miniature, miniature, trigrams
from overproof.lesson.redteam_sections import redteam_section
from overproof.lesson.terminal import render
from overproof.lesson.user_data import EVENTS
from overproof.quantization.affine import Scheme, dequantize, fit, quantize
from overproof.redteam.domains import domain_of
from overproof.redteam.oracle import ORACLES

if TYPE_CHECKING:
    from .conftest import Bundled


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return walk()


@pytest.fixture(scope="module")
def found(lesson: Lesson) -> GridEdits:
    return lesson.user_data.grid_edits


def attacks(small: Miniature, texts: list[str], bits: int | None) -> list[float]:
    """The probability of an attack, of weights rounded to so many bits, or as they are."""
    weights = small.weights
    if bits is not None:
        grid = fit(weights, Scheme(bits=bits, symmetric=True, signed=True), axis=1)
        weights = dequantize(quantize(weights, grid), grid)
    p = softmax(trigrams(texts) @ weights)
    return attack_of(p, [name == BENIGN for name in small.classes]).tolist()


def test_some_fall_between_at_eight_bits_already(found: GridEdits) -> None:
    assert [at.bits for at in found.at_bits] == list(BITS)
    finest = found.at_bits[0]
    assert 0 < finest.found <= finest.parted_edited
    assert finest.parted < found.events / 50  # of unedited ones hardly any do
    assert found.shown[0].bits == 8
    assert found.edited > 5 * found.events > 0


def test_each_is_what_it_says(lesson: Lesson, found: GridEdits) -> None:
    for edit in found.shown:
        texts = [edit.original, edit.edited]
        exact, rounded = attacks(lesson.small, texts, None), attacks(lesson.small, texts, edit.bits)
        shown = [*edit.before, *edit.after]
        assert shown == pytest.approx([exact[0], rounded[0], exact[1], rounded[1]], abs=1e-6)
        assert min(*edit.before, edit.after[0]) > 0.5 >= edit.after[1]
        assert edit.steps


def test_each_is_proved_to_do_what_it_did(found: GridEdits) -> None:
    for edit in found.shown:
        domain = domain_of(edit.original, None)
        assert domain is not None
        (proof,) = ORACLES[domain]([(edit.original, edit.edited)])
        assert (proof.meaning, proof.how) == ("proved", edit.how)


def test_what_is_shown_begins_with_the_most_bits_and_has_no_event_twice(found: GridEdits) -> None:
    bits = [edit.bits for edit in found.shown]
    assert bits == sorted(bits, reverse=True)
    assert len({edit.original for edit in found.shown}) == len(found.shown)


def test_the_counts_are_of_all_edits() -> None:
    traffic = simulate(EVENTS // 2, seed=4)
    small = miniature(traffic.train)
    once, again = (find_grid_edits(small, traffic.test, seed=1) for _ in range(2))
    assert once == again
    label_of = dict(zip(*(traffic.test[name].to_pylist() for name in ("text", "label")), strict=True))
    assert BENIGN not in {label_of[edit.original] for edit in once.shown}
    for at in once.at_bits:
        assert at.found <= at.parted_edited <= once.edited
        assert at.parted <= once.events


def test_weights_that_nothing_rounds_part_on_nothing() -> None:
    traffic = simulate(600, seed=2)
    small = miniature(traffic.train)
    flat = Miniature(small.classes, small.full, small.distilled, small.int8, np.zeros_like(small.weights))
    nothing = find_grid_edits(flat, traffic.test, seed=0)
    assert [(at.parted, at.parted_edited, at.found) for at in nothing.at_bits] == [(0, 0, 0)] * len(BITS)
    assert nothing.shown == ()


def test_the_section_shows_the_counts_and_the_first(lesson: Lesson, found: GridEdits) -> None:
    text = render([redteam_section(lesson.user_data)])
    lines = [line.split() for line in text.splitlines()]
    for at in found.at_bits:
        assert [str(at.bits), *(f"{n:,}" for n in (at.parted, at.parted_edited, at.found))] in lines
    first: GridEdit = found.shown[0]
    assert f"  before  {first.original}\n  edited  {first.edited}"[:400] in text
    assert f"{first.after[0]:.5f} attack" in text and f"{first.after[1]:.5f} benign" in text
    assert "steps either way: 127 at 8 bits, 1 at 2 bits" in " ".join(text.split())


def test_a_bundles_own_flips_stand_beside_it(bundled: Bundled) -> None:
    user = walk(bundled.path).user_data
    assert user.parity[0] in render([redteam_section(user)])


def test_the_page_holds_the_weights_bit_for_bit(lesson: Lesson) -> None:
    written = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.page(lesson))
    assert written is not None
    held = json.loads(written[1])["miniature"]
    weights = np.frombuffer(base64.b64decode(held["weights"]), dtype="<f4").reshape(-1, len(held["classes"]))
    assert np.array_equal(weights, lesson.small.weights)
