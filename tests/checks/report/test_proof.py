"""How something differs from what was checked, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overproof.checks.report import CheckReport, page
from overproof.checks.report.proof import (
    BundleDigests,
    FullModelIdentity,
    ReplayedPolicy,
    bundle_differences,
    full_differences,
    policy_differences,
)

BUNDLE = BundleDigests("a" * 64, {"model.onnx": "b" * 64}, {"calibration": "1.3", "config": "sha256:" + "c" * 64})
FULL = FullModelIdentity("own", "teacher", "f", ((0.9, 0.1), (0.5, 0.5)))
POLICY = ReplayedPolicy(0.93, 0.0, 3.5, True, (), 1.3, 0.05, "hold")


def test_what_is_the_same_differs_in_nothing() -> None:
    assert bundle_differences(BUNDLE, BUNDLE) == []
    assert full_differences(FULL, replace(FULL, kind="service", name="http://x", fingerprint=None)) == []
    assert full_differences(FULL, replace(FULL, answers=((0.9005, 0.0995), (0.5, 0.5)))) == []
    assert policy_differences(POLICY, POLICY) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            replace(BUNDLE, files={"model.onnx": "d" * 64}),
            "its model.onnx is another file (sha256 checked bbbbbbbbbbbbbbbb…, now dddddddddddddddd…)",
        ),
        (
            replace(BUNDLE, files={**BUNDLE.files, "ood.npz": "d" * 64}),
            "its ood.npz is another file (sha256 checked none, now dddddddddddddddd…)",
        ),
        (replace(BUNDLE, entries={**BUNDLE.entries, "calibration": "2.0"}), "its calibration differs: checked 1.3, "),
        (replace(BUNDLE, entries={"calibration": "1.3"}), "its entry config is not what was checked"),
        (replace(BUNDLE), "its manifest differs (sha256 checked aaaaaaaaaaaaaaaa…, now eeeeeeeeeeeeeeee…)"),
    ],
)
def test_another_bundle(found: BundleDigests, said: str) -> None:
    (difference,) = bundle_differences(BUNDLE, replace(found, sha256="e" * 64))
    assert difference.startswith(said)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(FULL, fingerprint="g"), "its fingerprint differs"),
        (replace(FULL, answers=((0.9, 0.1), (0.4, 0.6))), "answers 1 of 2 probe texts differently, by up to 0.100 in"),
        (replace(FULL, answers=((float("nan"), 0.1), (0.5, 0.5))), "answers 1 of 2 probe texts differently"),
        (replace(FULL, answers=((0.9, 0.1, 0.0), (0.5, 0.5))), "other probe texts than this version has"),
        (replace(FULL, answers=((0.9, 0.1),)), "other probe texts than this version has"),
        (replace(FULL, answers=None), "soft labels computed elsewhere"),
    ],
)
def test_another_full_model(found: FullModelIdentity, said: str) -> None:
    (difference,) = full_differences(FULL, found)
    assert said in difference


def test_another_policy() -> None:
    other = replace(POLICY, budget=0.01, on_full_down="student", never_alone=("xss",), ood_distance=None)
    assert policy_differences(POLICY, other) == [
        "ood_distance: checked 3.5, now none",
        "--never-alone: checked none, now xss",
        "--max-escalations: checked 0.05, now 0.01",
        "--on-full-down: checked hold, now student",
    ]


def test_the_page_says_what_it_is_a_proof_of(everything: CheckReport) -> None:
    text = page(everything)
    assert (
        everything.proof.bundle.sha256 in text
        and str(everything.proof.full and everything.proof.full.fingerprint) in text
    )
    assert "confidence 0.9314, margin 0, distance 3.5, temperature 1.3, budget 5" in text and "chosen by hand" in text
    free = replace(everything.proof, full=None, events=replace(everything.proof.events, seed_given=False))
    text = page(replace(everything, proof=replace(free, policy=replace(free.policy, confidence=None))))
    assert "no threshold, margin 0" in text and "follows from the events" in text and "it cannot be asked" in text
