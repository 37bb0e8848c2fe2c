"""Open what is attacked: the bundle as it is deployed, and the models that the same attack is spent on beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from overproof.bundle import evidence_store as folder
from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import Manifest, open_bundle
from overproof.bundle.model_names import BASELINE, CONTROL, DISTILLED
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats, Scores, attack_of
from overproof.checks.stats import fit_temperature
from overproof.errors import BundleError
from overproof.inference.cascade import Cascade, Full, Policy
from overproof.inference.cascade.budget import Rate
from overproof.inference.cascade.signals import signals
from overproof.inference.cascade.thresholds import policy_for
from overproof.jobs.fit_ood import fit_ood
from overproof.jobs.model_outputs import targets
from overproof.redteam.referee import AskFull
from overproof.redteam.victim import Victim, victim


@dataclass(frozen=True)
class BaselineScorer:
    """The linear baseline, as anything that scores texts; it reads them to their end."""

    classes: tuple[str, ...]
    logits: object

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, in their order."""
        n = len(texts)
        found: Floats = self.logits(texts)  # type: ignore[operator]
        return Scores(found, self.classes, np.ones(n, dtype=np.int32), np.zeros(n, dtype=bool))


def deployed(cascade: Cascade) -> Victim:
    """Make a victim of a bundle with its policy."""
    manifest = cascade.student.manifest
    return victim(cascade.student, _benign(manifest.classes, manifest), cascade.policy)


def beside(store: EvidenceStore, manifest: Manifest, rate: Rate, seed: int) -> Mapping[str, Victim]:
    """Make victims of the student before quantization, the control and the baseline, each with a policy of its own.

    A policy is made as the bundle's was: the same shares of the validation events are too unsure, and too unlike what
    was taught. Without that the bundle would be judged with escalation, and the others without.
    """
    found = {name: student_beside(name, store, manifest, rate, seed) for name in (DISTILLED, CONTROL)}
    baseline = _baseline(store)
    scores = baseline.score(store.validation["text"].to_pylist())
    benign = _benign(baseline.classes, manifest)
    found[BASELINE] = victim(baseline, benign, _policy(replace(scores, benign=np.array(benign)), store, manifest, rate))
    return found


def student_beside(name: str, store: EvidenceStore, manifest: Manifest, rate: Rate, seed: int) -> Victim:
    """Make a victim of the student before quantization or the control, with a policy of its own; see `beside`."""
    opened = open_bundle(store.path / {DISTILLED: folder.DISTILLED, CONTROL: folder.CONTROL}[name])
    if opened.manifest.classes != manifest.classes:
        raise BundleError(f"{opened.path}: has other classes than the bundle that is attacked")
    scorer = OnnxScorer(opened)
    scorer.ood = fit_ood(scorer, store.train, seed=seed)
    scores, embeddings = scorer.score_and_embed(store.validation["text"].to_pylist())
    scores = replace(scores, ood_distance=scorer.ood.distance(embeddings))
    return victim(scorer, _benign(manifest.classes, manifest), _policy(scores, store, manifest, rate))


def hashes(store: EvidenceStore) -> tuple[str, ...]:
    """Return what tells the models beside a bundle from others."""
    students = (open_bundle(store.path / place).manifest for place in (folder.DISTILLED, folder.CONTROL))
    return (*("+".join(manifest.models) for manifest in students), hashlib.sha256(store.baseline).hexdigest())


def asking(full: Full, benign: Sequence[str]) -> AskFull:
    """Make a function of texts that gives the full model's probability of an attack."""
    innocent = [name in benign for name in full.classes]

    def ask(texts: Sequence[str]) -> Floats:
        return attack_of(full.ask(texts), innocent)

    return ask


def _baseline(store: EvidenceStore) -> BaselineScorer:
    from overproof.distillation.baseline import from_bytes

    baseline = from_bytes(store.baseline)
    return BaselineScorer(baseline.classes, baseline.logits)


def _policy(scores: Scores, store: EvidenceStore, manifest: Manifest, rate: Rate) -> Policy:
    """Choose the policy of a model by its scores of the validation events."""
    known = targets(store.validation["label"].to_pylist(), scores.classes)
    temperature = fit_temperature(scores.logits[known >= 0], known[known >= 0]) if (known >= 0).any() else 1.0
    benign = _benign(scores.classes, manifest)
    measured = signals(scores.logits, temperature, scores.ood_distance, benign)
    return policy_for(replace(manifest, signals=measured, calibration=temperature), rate=rate)


def _benign(classes: Sequence[str], manifest: Manifest) -> list[bool]:
    return [name in manifest.benign for name in classes]
