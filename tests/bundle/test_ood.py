"""What is new to a model: the distance, against scipy's; the same in any batch; what the file may not hold."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import roc_auc_score

from overproof.bundle.manifest import OOD, open_bundle, write_bundle
from overproof.bundle.ood import EXACT, LEVELS, RANK, RIDGE, OodDetector, _steps, fit_detector, restored
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import UNTAUGHT
from overproof.errors import BundleError

HIDDEN = 24


def drawn(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, list[str]]:
    """Embeddings of length 1 around three classes of their own, stretched, and their labels."""
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(3, HIDDEN))
    of = random.integers(0, 3, count)
    stretch = np.linspace(0.02, 0.5, HIDDEN)
    e = centers[of] + random.normal(size=(count, HIDDEN)) * stretch
    e[:, 0] += shift  # where the known ones hardly vary
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    return e.astype(np.float32), [f"class {i}" for i in of]


def test_it_is_mahalanobis_distance_to_the_nearest_class() -> None:
    known, labels = drawn(2000, 0)
    asked, _ = drawn(50, 1)
    means = np.stack([known[np.array(labels) == name].mean(axis=0, dtype=float) for name in sorted(set(labels))])
    apart = known - means[np.unique(labels, return_inverse=True)[1]]
    covariance = apart.T @ apart / len(known)
    covariance += RIDGE * np.linalg.eigvalsh(covariance).max() * np.eye(HIDDEN)
    inverse = np.linalg.inv(covariance)
    expected = [min(mahalanobis(e, mean, inverse) for mean in means) for e in asked]
    np.testing.assert_allclose(fit_detector(known, labels).distance(asked), expected, rtol=0.02)


def test_what_is_moved_a_little_where_nothing_varies_is_new() -> None:
    detector = fit_detector(*drawn(2000, 0))
    same, other = detector.distance(drawn(500, 1)[0]), detector.distance(drawn(500, 2, shift=0.4)[0])
    new = np.repeat([False, True], 500)
    assert roc_auc_score(new, np.concatenate([same, other])) > 0.99


@given(st.integers(1, 600), st.integers(0, 100), st.randoms(use_true_random=False))
def test_an_events_distance_is_the_same_in_any_batch(count: int, seed: int, random: object) -> None:
    detector = fit_detector(*drawn(200, 0))
    asked, _ = drawn(count, seed)
    together = detector.distance(asked)
    order = np.random.default_rng(seed).permutation(count)
    np.testing.assert_array_equal(detector.distance(asked[order]), together[order])
    some = order[:5]
    np.testing.assert_array_equal(np.concatenate([detector.distance(asked[i : i + 1]) for i in some]), together[some])


@pytest.mark.parametrize("hidden", [1, 2, 3, 32, 256, 768, 1024])
def test_the_worst_sum_of_products_is_exact(hidden: int) -> None:
    e = np.full(hidden, 1 / math.sqrt(hidden))  # of all embeddings of length 1, that with the greatest sum
    steps = np.abs(np.rint(e * _steps(hidden)))
    assert steps.sum() * LEVELS <= EXACT
    assert _steps(hidden) >= 2**12


def test_of_many_directions_the_leading_ones_are_kept() -> None:
    random = np.random.default_rng(0)
    e = random.normal(size=(3000, 100)) * np.geomspace(1, 1e-3, 100)
    e = (e / np.linalg.norm(e, axis=1, keepdims=True)).astype(np.float32)
    detector = fit_detector(e, ["one"] * len(e))
    assert detector.weights.shape == (100, RANK)
    assert np.abs(detector.weights[-20:]).max() < np.abs(detector.weights[:20]).max()
    apart = e - e.mean(axis=0, dtype=float)
    variances, directions = np.linalg.eigh(apart.T @ apart / len(e))
    kept = apart @ directions[:, -RANK:] / np.sqrt(variances[-RANK:] + RIDGE * variances.max())
    np.testing.assert_allclose(detector.distance(e), np.linalg.norm(kept, axis=1), rtol=0.05)


def test_few_events_are_known_all_the_same() -> None:
    known, labels = drawn(1, 0)
    detector = fit_detector(known, labels)
    assert detector.distance(known) < detector.distance(drawn(1, 5)[0])
    assert detector.distance(np.empty((0, HIDDEN), np.float32)).shape == (0,)


def test_it_is_stored_as_plain_arrays_and_the_same_each_time() -> None:
    detector = fit_detector(*drawn(300, 0))
    again = restored(detector.stored(), "b/ood.npz")
    asked, _ = drawn(40, 3)
    np.testing.assert_array_equal(again.distance(asked), detector.distance(asked))
    assert detector.stored() == fit_detector(*drawn(300, 0)).stored()
    assert len(detector.stored()) < HIDDEN * HIDDEN + 4 * (HIDDEN + 3 * HIDDEN) + 1000


def _npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        _npz(weights=np.zeros((2, 2), np.int8)),
        _npz(weights=np.array([object()]), scales=np.zeros(2, np.float32), means=np.zeros((1, 2), np.float32)),
        _npz(weights=np.zeros((2, 3), np.int8), scales=np.zeros(2, np.float32), means=np.zeros((1, 2), np.float32)),
        _npz(weights=np.zeros((2, 2)), scales=np.zeros(2, np.float32), means=np.zeros((1, 2), np.float32)),
        _npz(weights=np.zeros((2, 2), np.int8), scales=np.zeros(2, np.float32), means=np.zeros((0, 2), np.float32)),
    ],
    ids=["empty", "not a zip", "arrays missing", "a pickle", "other ranks", "float weights", "no class"],
)
def test_another_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"b/ood\.npz: expected "):
        restored(content, "b/ood.npz")


def test_a_bundles_scores_tell_it_and_its_verdicts_do_not_hang_on_it(small_bundle: Path, student: OnnxScorer) -> None:
    texts = ["id=1 select xxx", "<script>", "", "id=1 select xxx"]
    scores = student.score(texts)
    assert student.ood is not None and scores.ood_distance is not None
    np.testing.assert_array_equal(scores.ood_distance, student.ood.distance(student.embed(texts)))
    assert scores.ood_distance[0] == scores.ood_distance[3] < scores.ood_distance[1]
    bundle = open_bundle(small_bundle)
    bare = OnnxScorer(replace(bundle, files={name: c for name, c in bundle.files.items() if name != OOD}))
    assert bare.score(texts).ood_distance is None
    assert bare.judge(texts) == student.judge(texts)


@pytest.mark.parametrize(
    ("kinds", "taught"),
    [
        ({"text": 900, "http": 100}, [True, True, False, False]),
        ({"flow": 5, "text": 1}, [True, False, True, False]),
        ({}, [True] * 4),
        (None, [True] * 4),
        ("text", [True] * 4),
    ],
    ids=["payloads and requests", "flows and a text", "no kind is told", "nothing is told", "not a count by kind"],
)
def test_a_kind_that_was_not_taught_is_as_far_as_can_be(
    kinds: object, taught: list[bool], student: OnnxScorer, small_bundle: Path, tmp_path: Path
) -> None:
    texts = [
        "id=1 select xxx",
        "HTTP GET /?id=1 host=a",
        "flow src=10.0.0.1 dst=10.0.0.2",
        "suricata alert signature=x",
    ]
    bundle = open_bundle(small_bundle)
    write_bundle(tmp_path / "b", replace(bundle.manifest, data={"kinds": kinds}), dict(bundle.files))
    found, before = OnnxScorer(open_bundle(tmp_path / "b")).score(texts), student.score(texts)
    assert found.ood_distance is not None and before.ood_distance is not None
    expected = np.where(taught, before.ood_distance, UNTAUGHT)
    np.testing.assert_array_equal(found.ood_distance, expected)
    np.testing.assert_array_equal(found.logits, before.logits)


def test_that_of_another_model_is_refused(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    other = OodDetector(np.zeros((2, 2), np.int8), np.ones(2, np.float32), np.zeros((1, 2), np.float32)).stored()
    with pytest.raises(BundleError, match=r"ood\.npz: of another model: the embedding has 32 numbers"):
        OnnxScorer(replace(bundle, files={**bundle.files, OOD: other}))


def test_a_bundle_of_the_first_format_keeps_its_detector_and_its_thresholds(
    small_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    bundle = open_bundle(small_bundle)
    former = {OOD: "novelty.npz", "ood_distance": "novelty"}
    assert bundle.manifest.signals is not None
    manifest = replace(
        bundle.manifest,
        format=1,
        files={former.get(name, name): entry for name, entry in bundle.manifest.files.items()},
        signals={former.get(name, name): thresholds for name, thresholds in bundle.manifest.signals.items()},
    )
    write_bundle(tmp_path / "old", manifest, {former.get(name, name): c for name, c in bundle.files.items()})
    assert (tmp_path / "old" / "novelty.npz").is_file()
    old = open_bundle(tmp_path / "old")
    assert old.manifest.signals == bundle.manifest.signals
    assert old.files == bundle.files
    texts = ["id=1 select xxx", "<script>"]
    np.testing.assert_array_equal(OnnxScorer(old).score(texts).ood_distance, student.score(texts).ood_distance)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("means", np.nan), ("means", np.inf), *(("scales", bad) for bad in (np.nan, np.inf, -np.inf, 0.0, -1.0))],
)
def test_a_detector_of_what_is_no_number_is_refused(name: str, bad: float) -> None:
    arrays = {"scales": np.ones(2, np.float32), "means": np.zeros((1, 2), np.float32)}
    arrays[name].flat[0] = bad
    with pytest.raises(BundleError, match=rf"b/ood\.npz: {name} .*expected finite numbers"):
        restored(_npz(weights=np.ones((2, 2), np.int8), **arrays), "b/ood.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_distance_of_what_is_no_number_is_none(bad: float) -> None:
    detector = fit_detector(*drawn(300, 0))
    asked, _ = drawn(3, 3)
    expected = detector.distance(asked)
    asked[1, 0] = bad
    found = detector.distance(asked)
    assert not np.isfinite(found[1])
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])
