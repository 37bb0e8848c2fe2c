"""Two students in one bundle: the first decides what it is sure of, the second the rest, and they are judged as one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import FIRST, MANIFEST, MODEL, FirstStudent, Manifest, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Scores, joined, softmax
from overproof.bundle.tiers import TieredScorer, deciding, first_bundle, open_student
from overproof.bundle.tiers import open as open_path
from overproof.bundle.tried import passed_on
from overproof.errors import BundleError, TamperedBundle

DRAWN = random.Random(5)
TEXTS = ["".join(DRAWN.choices("ABCDEFGHIJ ", k=DRAWN.randint(4, 40))) for _ in range(400)]
TEXTS += ["", "é\x00", "A B " * 200, "select * from users"]


@pytest.fixture(scope="module")
def tiered(tiered_bundle: Path) -> TieredScorer:
    opened = open_path(tiered_bundle)
    assert isinstance(opened, TieredScorer)
    return opened


@pytest.fixture(scope="module")
def sealed(tiered: TieredScorer) -> FirstStudent:
    assert tiered.manifest.first is not None
    return tiered.manifest.first


def with_first(bundle: Path, **entries: object) -> TieredScorer:
    """Open the bundle with another entry of what the first may decide."""
    opened = open_bundle(bundle)
    assert opened.manifest.first is not None
    manifest = replace(opened.manifest, first=replace(opened.manifest.first, **entries))  # type: ignore[arg-type]
    return TieredScorer(replace(opened, manifest=manifest))


def test_an_event_has_the_scores_of_the_student_that_decides_it(
    tiered: TieredScorer, sealed: FirstStudent, first_bundle: Path, small_bundle: Path
) -> None:
    """By hand: both bundles alone, the sealed numbers, and one event after the other."""
    found = tiered.score(TEXTS)
    first, second = (OnnxScorer(open_bundle(path)) for path in (first_bundle, small_bundle))
    a, b = first.score(TEXTS), second.score(TEXTS)
    assert a.ood_distance is not None and b.ood_distance is not None
    assert found.ood_distance is not None and found.tier is not None
    for i in range(len(TEXTS)):
        p = softmax(a.logits[i : i + 1], 2.0)[0]  # 2.0 and 1.5 are the temperatures that calibrate the two
        said = tiered.first.scaled(a.take([i])).labels[0]
        least = sealed.benign if first.classes[said] == "benign" else sealed.attack
        decides = p[said] >= least and not a.overflow[i] and a.ood_distance[i] <= sealed.ood_limit
        assert found.tier[i] == (1 if decides else 2)
        mine = a if decides else b
        np.testing.assert_array_equal(found.logits[i], mine.logits[i] * np.float32(0.75 if decides else 1))
        assert (found.windows[i], found.overflow[i]) == (mine.windows[i], mine.overflow[i])
        scale = np.float32(sealed.ood_scale) if decides else np.float32(1)
        assert found.ood_distance[i] == mine.ood_distance[i] * scale  # type: ignore[index]
    assert 20 < (found.tier == 1).sum() < len(TEXTS) - 20, "both students decide something"
    assert found.classes == second.classes


def test_an_event_is_scored_alike_alone_and_in_any_company(tiered: TieredScorer) -> None:
    together = tiered.score(TEXTS)
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    for other in (
        joined([tiered.score([text]) for text in TEXTS]),
        tiered.score([TEXTS[i] for i in order]).take(np.argsort(order)),
    ):
        for name in ("logits", "windows", "overflow", "ood_distance", "tier"):
            np.testing.assert_array_equal(getattr(together, name), getattr(other, name))


def test_no_events(tiered: TieredScorer) -> None:
    found = tiered.score([])
    assert found.logits.shape == (0, 3) and found.tier is not None and found.tier.shape == (0,)
    assert tiered.judge([]) == [] and tiered.embed([]).shape == (0, 32)


def test_the_first_decides_nothing_that_it_is_unsure_of(tiered: TieredScorer, sealed: FirstStudent) -> None:
    tried, found = tiered.first.try_on(TEXTS), tiered.score(TEXTS)
    assert sealed.benign is not None and sealed.attack is not None and found.tier is not None
    first = found.tier == 1
    assert (tried.confidence[first & tried.benign] >= sealed.benign).all()
    assert (tried.confidence[first & ~tried.benign] >= sealed.attack).all()
    assert not first[tried.scores.overflow].any() and tried.scores.overflow.any()


@pytest.mark.parametrize(("side", "benign"), [("benign", True), ("attack", False)])
def test_a_side_without_a_threshold_is_the_seconds(tiered_bundle: Path, side: str, benign: bool) -> None:
    scorer = with_first(tiered_bundle, **{side: None})
    tried, found = scorer.first.try_on(TEXTS), scorer.score(TEXTS)
    assert found.tier is not None
    assert (found.tier[tried.benign == benign] == 2).all() and (found.tier == 1).any()


def test_what_is_far_from_what_the_first_was_taught_is_the_seconds(tiered_bundle: Path, sealed: FirstStudent) -> None:
    near, far = with_first(tiered_bundle, ood_limit=0.0).score(TEXTS), with_first(tiered_bundle).score(TEXTS)
    second = OnnxScorer(open_bundle(tiered_bundle)).score(TEXTS)
    assert near.tier is not None and (near.tier == 2).all()
    np.testing.assert_array_equal(near.logits, second.logits)
    assert far.tier is not None and (far.tier == 1).any()


class Broken(OnnxScorer):
    """Its scores of some events are no numbers."""

    broken: Callable[[Scores], Scores]

    def score(self, texts: object) -> Scores:
        return type(self).broken(super().score(texts))  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["logits", "ood_distance"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_scores_of_the_first_that_are_no_numbers_go_on_to_the_second(
    tiered_bundle: Path, column: str, number: float
) -> None:
    def breaks(scores: Scores) -> Scores:
        values = getattr(scores, column).copy()
        values[::2] = number if column == "ood_distance" or np.isnan(number) else values[::2]
        if column == "logits" and np.isinf(number):
            values[::2, 1] = number
        return replace(scores, **{column: values})

    bundle = open_bundle(tiered_bundle)
    scorer = TieredScorer(bundle)
    alone = type("Alone", (Broken,), {"broken": staticmethod(breaks)})(first_bundle(bundle))
    scorer.first = replace(scorer.first, scorer=alone)
    found = scorer.score(TEXTS)
    assert found.tier is not None and (found.tier[1::2] == 1).any()
    assert (found.tier[::2] == 2).all()
    np.testing.assert_array_equal(found.logits[::2], scorer.second.score(TEXTS[::2]).logits)


def test_embeddings_are_the_seconds(tiered: TieredScorer, small_bundle: Path) -> None:
    """Near ones mean much the same in one space alone."""
    second = OnnxScorer(open_bundle(small_bundle))
    np.testing.assert_array_equal(tiered.embed(TEXTS), second.embed(TEXTS))
    scores, embeddings = tiered.score_and_embed(TEXTS)
    np.testing.assert_array_equal(embeddings, second.embed(TEXTS))
    np.testing.assert_array_equal(scores.logits, tiered.score(TEXTS).logits)
    assert tiered.hidden == second.hidden


def test_verdicts_are_those_of_the_scores(tiered: TieredScorer) -> None:
    scores, verdicts = tiered.score(TEXTS), tiered.judge(TEXTS)
    assert [v.label for v in verdicts] == [scores.classes[i] for i in scores.labels]
    np.testing.assert_allclose([v.attack for v in verdicts], tiered.attack(scores.probabilities), atol=1e-7)


def test_who_decides_a_text_reads_it(tiered: TieredScorer) -> None:
    tiers = tiered.score(TEXTS).tier
    assert tiers is not None
    students = deciding(tiered, TEXTS)
    assert [student is tiered.first.scorer for student in students] == (tiers == 1).tolist()


def test_the_tier_is_carried_where_scores_are_taken_and_joined(tiered: TieredScorer, student: OnnxScorer) -> None:
    scores = tiered.score(TEXTS)
    assert scores.tier is not None
    np.testing.assert_array_equal(joined([scores.take([3, 1]), scores.take([2])]).tier, scores.tier[[3, 1, 2]])
    alone = student.score(TEXTS[:2])
    assert alone.tier is None and alone.take([0]).tier is None and joined([alone, alone]).tier is None
    assert passed_on(alone, student.score([]), np.zeros(0, dtype=np.intp)).tier.tolist() == [1, 1]  # type: ignore[union-attr]


def test_a_bundle_of_one_student_opens_as_before(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    assert "first" not in json.loads((small_bundle / MANIFEST).read_text())
    assert bundle.manifest.first is None and isinstance(open_student(bundle), OnnxScorer)
    with pytest.raises(BundleError, match="holds one student, expected two"):
        TieredScorer(bundle)


def copy_of(bundle: Path, out: Path, change: Callable[[Manifest, dict[str, bytes]], Manifest]) -> Path:
    """Write the bundle with a change that its seals cover."""
    from overproof.bundle.manifest import digest

    opened = open_bundle(bundle)
    files = dict(opened.files)
    manifest = change(opened.manifest, files)
    write_bundle(out, replace(manifest, files={name: digest(content) for name, content in files.items()}), files)
    return out


@pytest.mark.parametrize("name", [f"{FIRST}{MODEL}", f"{FIRST}{MANIFEST}"])
def test_a_bundle_without_a_file_of_its_first_student_is_refused(
    tiered_bundle: Path, tmp_path: Path, name: str
) -> None:
    def without(manifest: Manifest, files: dict[str, bytes]) -> Manifest:
        del files[name]
        return manifest

    with pytest.raises(TamperedBundle, match=f"{name}: missing, every bundle of two students has one"):
        open_bundle(copy_of(tiered_bundle, tmp_path / "b", without))


def test_a_changed_file_of_the_first_student_is_refused(tiered_bundle: Path, tmp_path: Path) -> None:
    for name in (f"{FIRST}{MODEL}", f"{FIRST}{MANIFEST}", f"{FIRST}ood.npz", f"{FIRST}tokenizer.json"):
        out = copy_of(tiered_bundle, tmp_path / name, lambda manifest, files: manifest)
        (out / name).write_bytes((out / name).read_bytes()[:-1] + b"x")
        with pytest.raises(TamperedBundle, match=f"{name}: changed since the bundle was written"):
            open_bundle(out)
        (out / name).unlink()
        with pytest.raises(TamperedBundle, match=f"{name}: missing, the manifest lists it"):
            open_bundle(out)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("benign", 1.5, "first.benign is 1.5, expected a number from 0 to 1"),
        ("attack", -0.1, "first.attack is -0.1, expected a number from 0 to 1"),
        ("ood_limit", -1.0, "first.ood_limit is -1.0, expected a number from 0 up"),
        ("ood_scale", 0.0, "first.ood_scale is 0.0, expected a number above 0"),
        ("ood_limit", float("nan"), "first.ood_limit: nan, expected a finite number"),
    ],
)
def test_numbers_that_decide_are_numbers_in_their_range(
    tiered_bundle: Path, tmp_path: Path, entry: str, value: float, message: str
) -> None:
    manifest = open_bundle(tiered_bundle).manifest
    assert manifest.first is not None
    data = {**manifest.to_json(), "first": {**manifest.to_json()["first"], entry: value}}
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(data, "b")


def test_a_format_and_its_entry_belong_together(tiered_bundle: Path) -> None:
    """A version that knows one student must not take a bundle of two for a bundle of the second."""
    data = open_bundle(tiered_bundle).manifest.to_json()
    assert data["format"] == 3
    for wrong in ({**data, "format": 2}, {**data, "first": None}):
        with pytest.raises(BundleError, match="3 and no other has an entry first"):
            Manifest.from_json(wrong, "b")
    with pytest.raises(BundleError, match="no entry first"):
        Manifest.from_json({name: value for name, value in data.items() if name != "first"}, "b")


def test_students_that_do_not_belong_together_are_refused(tiered_bundle: Path) -> None:
    bundle = open_bundle(tiered_bundle)
    other = replace(bundle.manifest, classes=("benign", "xss", "sqli"))
    with pytest.raises(BundleError, match="first student has the classes benign, sqli, xss, its second benign, xss"):
        TieredScorer(replace(bundle, manifest=other))
    nested = {**bundle.files, f"{FIRST}{MANIFEST}": (tiered_bundle / MANIFEST).read_bytes()}
    with pytest.raises(BundleError, match="is of two students, expected one"):
        TieredScorer(replace(bundle, files=nested))
