"""A planted blind spot is the first region, described by its tokens; a student that parts at random has none."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from scipy import stats

from overproof.bundle.scores import Floats
from overproof.events.simulate import simulate
from overproof.exact_rates import lower_bound, rate, upper_bound
from overproof.redteam.blind_spots import BlindSpots, Limits, blind_spots
from overproof.redteam.shared_ngrams import shared_ngrams
from overproof.results.typed_json import from_json

HALF = Limits(0.5, 0.5)
PLANTED = "ref=garden-17"
TRAFFIC = simulate(2500, seed=11).train
TEXTS: list[str] = TRAFFIC["text"].to_pylist()
IS_ATTACK = np.array([label != "normal" for label in TRAFFIC["label"].to_pylist()])


def scored(seed: int, flipped: float = 0.02) -> tuple[Floats, Floats]:
    """Scores of a full model that knows the labels, and of a student that says the opposite at random, rarely."""
    random = np.random.default_rng(seed)
    full = np.where(IS_ATTACK, 0.9, 0.1) + random.uniform(-0.09, 0.09, len(TEXTS))
    student = np.where(random.random(len(TEXTS)) < flipped, 1 - full, full + random.uniform(-0.05, 0.05, len(TEXTS)))
    return student.astype(np.float32), full.astype(np.float32)


def planted(seed: int, words: str, *, says: float) -> tuple[list[str], Floats, Floats, int]:
    """Put words into 3 % of the events, of both kinds, and let the student say the same of them all."""
    student, full = scored(seed)
    random, texts = Random(seed), list(TEXTS)
    rows = random.sample(range(len(texts)), len(texts) * 3 // 100)
    for row in rows:
        cut = random.choice([place for place, letter in enumerate(f"{texts[row]} ") if letter == " "])
        texts[row] = f"{texts[row][:cut]} {words}{texts[row][cut:]}"
        student[row] = says
    return texts, student, full, int(sum((full[row] >= 0.5) != (says >= 0.5) for row in rows))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("words", [PLANTED, "zolfram", "-- trust this <b>request</b>"])
def test_a_planted_blind_spot_is_the_first_region(words: str, seed: int) -> None:
    texts, student, full, count = planted(seed, words, says=0.01)
    found = blind_spots(texts, student, full, HALF)
    first = found.regions[0]
    assert (first.kind, first.held) == ("missed", words)
    assert first.ngrams == (words,)
    assert first.count == first.of_all.k == first.of_same.k == count
    assert first.of_same.n == count
    assert first.of_all.n == sum(words in text for text in texts)
    assert first.of_same.low > first.elsewhere.high
    assert first.share == pytest.approx(count / len(texts))
    assert first.loss == pytest.approx(first.mean_gap * count)
    for example in first.examples:
        assert words in texts[example.row] == example.text
        assert (example.student, example.full_model) == (student[example.row], full[example.row])
    assert len(found.regions) == 1
    assert found.ungrouped == found.missed + found.false_alarms - count


def test_a_planted_alarm_is_found_as_well() -> None:
    texts, student, full, count = planted(3, PLANTED, says=0.99)
    first = blind_spots(texts, student, full, HALF).regions[0]
    assert (first.kind, first.held, first.count) == ("false alarm", PLANTED, count)


@pytest.mark.parametrize("seed", range(20))
def test_a_student_that_parts_at_random_has_no_region(seed: int) -> None:
    student, full = scored(seed)
    found = blind_spots(TEXTS, student, full, HALF)
    assert found.regions == ()
    assert found.ungrouped == found.missed + found.false_alarms == int(((student >= 0.5) != (full >= 0.5)).sum()) > 0


def test_the_largest_loss_comes_first() -> None:
    texts, student, full, _ = planted(1, "zolfram", says=0.01)
    for row in range(40):
        texts[row] = f"{texts[row]} quendel"
        full[row], student[row] = 0.55, 0.45
    found = blind_spots(texts, student, full, HALF)
    assert [region.held for region in found.regions] == ["zolfram", "quendel"]
    assert found.regions[0].loss > found.regions[1].loss
    assert from_json(BlindSpots, found.to_json()) == found


def test_an_event_that_is_seen_often_is_one() -> None:
    student, full = scored(2, flipped=0.0)
    texts = [*TEXTS, *["zolfram quendel"] * 300]
    more = np.full(300, 0.99, np.float32)
    found = blind_spots(texts, np.concatenate([student, 1 - more]), np.concatenate([full, more]), HALF)
    assert (found.regions, found.ungrouped) == ((), 300)


def test_parted_events_without_shared_words_are_grouped_by_embeddings() -> None:
    student, full = scored(4, flipped=0.01)
    embeddings = np.random.default_rng(4).normal(size=(len(TEXTS), 16)).astype(np.float32)
    rows = np.flatnonzero(IS_ATTACK)[:: IS_ATTACK.sum() // 60]
    embeddings[rows] = 10 * np.eye(16, dtype=np.float32)[0] + 0.1 * embeddings[rows]
    student[rows] = 0.02
    assert blind_spots(TEXTS, student, full, HALF).regions == ()
    (region,) = blind_spots(TEXTS, student, full, HALF, embeddings).regions
    assert region.held is None
    assert region.count == region.of_all.n == len(rows)


def test_nothing_parted_is_no_region() -> None:
    _, full = scored(0)
    assert blind_spots(TEXTS, full, full, HALF) == BlindSpots(len(TEXTS), 0, 0, (), 0)
    assert blind_spots([], full[:0], full[:0], HALF) == BlindSpots(0, 0, 0, (), 0)


def test_scores_of_other_events_are_refused() -> None:
    student, full = scored(0)
    with pytest.raises(ValueError, match="2500 texts"):
        blind_spots(TEXTS, student[1:], full, HALF)


def test_ngrams_are_counted_a_text_once() -> None:
    texts = ["a=b c a=b", "a=b  c", "c \ud800\x00 a", "q"]
    found = shared_ngrams(texts, np.array([True, True, True, False]), 2)
    counts = dict(zip(found.ngrams, found.counts(np.ones(4, bool)).tolist(), strict=True))
    assert counts == {"=": 2, "=b": 2, "a": 3, "a=": 2, "a=b": 2, "b": 2, "c": 3}
    assert found.holders(found.ngrams.index("a=b")).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("k", "n", "error"), [(3, 10, 0.025), (5, 5, 1e-6), (50, 90_000, 1e-7), (89_990, 90_000, 1e-7)]
)
def test_bounds_are_exact(k: int, n: int, error: float) -> None:
    assert lower_bound(k, n, error) == pytest.approx(stats.beta.ppf(error, k, n - k + 1), rel=1e-7)
    assert upper_bound(k - 1, n, error) == pytest.approx(stats.beta.ppf(1 - error, k, n - k + 1), rel=1e-7)


def test_the_ends_of_nothing_and_all() -> None:
    assert (rate(0, 7).low, rate(7, 7).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="8 of 7"):
        lower_bound(8, 7, 0.05)
