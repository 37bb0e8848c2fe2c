"""Judge with two students as with one: the first decides what it is sure of, the second the rest.

Both lie in one bundle. To whoever scores events with it, it is one student: an event's scores are those of the student
that decided it, and hang on that event alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from overproof.bundle.manifest import FIRST, MANIFEST, Bundle, FirstStudent, Manifest, open_bundle, unsealed
from overproof.bundle.runtime import OnnxScorer, judged
from overproof.bundle.scores import Floats, Scores, Verdict
from overproof.bundle.tried import ONE, Tried, passed_on
from overproof.errors import BundleError
from overproof.progress import one_line

if TYPE_CHECKING:
    from overproof.bundle.signing import Trust


@dataclass(frozen=True)
class FirstTier:
    """The first of two students.

    Attributes
    ----------
    scorer
        The student, as it would judge alone.
    sealed
        What it may decide.
    calibration
        The temperature of the second student, at which a policy calibrates whatever the two say.
    """

    scorer: OnnxScorer
    sealed: FirstStudent
    calibration: float | None

    def try_on(self, texts: Sequence[str]) -> Tried:
        """Score texts, and say how sure it is of them."""
        return self.tried(self.scorer.score(texts))

    def tried(self, found: Scores) -> Tried:
        """Say how sure it is of events that it has scored."""
        manifest = self.scorer.manifest
        scaled = self.scaled(found)  # its labels are what is said in the end
        confidence = scaled.confidence(self.calibration or 1.0)
        is_benign = np.array([name in manifest.benign for name in manifest.classes])
        known = np.isfinite(found.logits).all(axis=1) & np.isfinite(confidence) & ~found.overflow
        if found.ood_distance is not None:
            known &= np.isfinite(found.ood_distance) & (found.ood_distance <= self.sealed.ood_limit)
        return Tried(scaled, confidence, is_benign[scaled.labels], known)

    def scaled(self, scores: Scores) -> Scores:
        """Return its scores in the second student's units.

        Its logits are multiplied by the ratio of the two temperatures, so that at the bundle's one temperature its
        probabilities are calibrated as well, and at any other they are as sure as the second's; its distances so that
        the limit within which it decides becomes the second's distance of the same share of the validation events.
        """
        ratio = np.float32((self.calibration or 1.0) / (self.scorer.manifest.calibration or 1.0))
        distance = None if scores.ood_distance is None else scores.ood_distance * np.float32(self.sealed.ood_scale)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is not decided here
            return replace(scores, logits=scores.logits * ratio, ood_distance=distance)


class TieredScorer:
    """The two students of a bundle as one.

    Attributes
    ----------
    manifest, classes, hidden, ood
        Of the bundle, which are those of the second student.
    first, second
        The students.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        sealed = bundle.manifest.first
        if sealed is None:
            raise BundleError(f"{bundle.path}: holds one student, expected two")
        self.manifest: Manifest = bundle.manifest
        self.classes = bundle.manifest.classes
        self.second = OnnxScorer(bundle, threads=threads)
        self.first = FirstTier(OnnxScorer(first_bundle(bundle), threads=threads), sealed, bundle.manifest.calibration)
        self.hidden, self.ood = self.second.hidden, self.second.ood
        if self.first.scorer.classes != self.classes:
            names = [one_line(", ".join(classes)) for classes in (self.first.scorer.classes, self.classes)]
            raise BundleError(f"{bundle.path}: its first student has the classes {names[0]}, its second {names[1]}")

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, in their order; one text's scores do not depend on the others."""
        tried = self.first.try_on(texts)
        left = np.flatnonzero(~tried.decided(self.first.sealed.benign, self.first.sealed.attack))
        return passed_on(tried.scores, self.second.score([texts[i] for i in left.tolist()]), left)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return the second student's embeddings, whoever decides: near ones mean much the same in one space alone.

        See `WindowScorer.embed`.
        """
        return self.second.embed(texts)

    def score_and_embed(self, texts: Sequence[str]) -> tuple[Scores, Floats]:
        """Return what `score` and `embed` return."""
        return self.score(texts), self.embed(texts)

    def attack(self, probabilities: Floats) -> Floats:
        """Return one minus the benign classes' share, shape (n,)."""
        return self.second.attack(probabilities)

    def judge(self, texts: Sequence[str], origins: Sequence[str] | None = None) -> list[Verdict]:
        """Judge texts, in their order; see `WindowScorer.judge`."""
        return judged(self.score(texts), self.attack, origins)


Student: TypeAlias = OnnxScorer | TieredScorer


def deciding(student: Student, texts: Sequence[str]) -> list[OnnxScorer]:
    """Return for each text the student that decides it."""
    if isinstance(student, OnnxScorer):
        return [student] * len(texts)
    tiers = student.score(texts).tier
    assert tiers is not None
    return [student.first.scorer if tier == ONE else student.second for tier in tiers.tolist()]


def first_bundle(bundle: Bundle) -> Bundle:
    """Return the first student of a bundle of two as the bundle that it was alone.

    Raises
    ------
    TamperedBundle, BundleError
        Its manifest is none, or that of two students.
    """
    files = {name.removeprefix(FIRST): content for name, content in bundle.files.items() if name.startswith(FIRST)}
    where = str(bundle.path / f"{FIRST}{MANIFEST}")
    manifest = unsealed(files.pop(MANIFEST), where)
    if manifest.first is not None:
        raise BundleError(f"{where}: is of two students, expected one")
    return Bundle(bundle.path, manifest, files)


def open_student(bundle: Bundle, *, threads: int = 1) -> Student:
    """Open what judges in a verified bundle: its student, or its two as one.

    Raises
    ------
    BundleError
        A model that onnxruntime cannot load, or files that do not belong together.
    """
    opened = OnnxScorer if bundle.manifest.first is None else TieredScorer
    return opened(bundle, threads=threads)


def open(path: str | Path, *, threads: int = 1, trust: Trust | None = None) -> Student:
    """Open a bundle for judging; hashes are verified first, and a signature where `trust` says whose.

    Raises
    ------
    BundleError, TamperedBundle, InputError, MissingExtra
        See `manifest.open_bundle` and `open_student`.
    """
    return open_student(open_bundle(path, trust), threads=threads)
