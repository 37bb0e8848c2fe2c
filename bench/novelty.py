"""Measure on events that no model was taught what confidence, free energy and distance send on, at one price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from escalating import BUNDLE
from numpy.typing import NDArray
from settings import CAPTURES, TEST

from checks import EVIDENCE, HEALTHY, HELD_OUT
from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.ood import fit_detector
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Scores, softmax
from overproof.checks.stats import clopper_pearson
from overproof.distillation.embedding_output import with_embedding
from overproof.events.families import families_of, without_families
from overproof.events.sources import Rejects, load_events, read_events
from overproof.inference.cascade.thresholds import BUDGET, SPENT, SPENT_ON_OOD, policy_for

Floats = NDArray[np.float64]
ALONE, ENERGY, DISTANCE = "confidence alone", "confidence, free energy", "confidence, distance"


def measured() -> dict[str, Any]:
    """Each held-out family's test events by the student that was trained without it; and events of another kind."""
    return {"families": {family: _family(family) for family in HELD_OUT}, "foreign": _foreign()}


def _family(family: str) -> dict[str, Any]:
    kept, test = open_evidence(EVIDENCE, open_bundle(HEALTHY)), load_events([TEST])
    student = _student(Path(EVIDENCE) / "held-out" / family / "bundle")
    train, validation = (without_families(part, (family,)) for part in (kept.train, kept.validation))
    _, taught = student.score_and_embed(train["text"].to_pylist())
    known = fit_detector(taught, train["label"].to_pylist())

    def signals(events: pa.Table) -> tuple[Scores, dict[str, Floats]]:
        scores, embeddings = student.score_and_embed(events["text"].to_pylist())
        sure = softmax(scores.logits, student.manifest.calibration or 1.0).max(axis=1).astype(float)
        z = scores.logits.astype(float)
        energy = -(z.max(axis=1) + np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1)))
        return scores, {ALONE: -sure, ENERGY: energy, DISTANCE: known.distance(embeddings).astype(float)}

    _, validation_signals = signals(validation)
    scores, found = signals(test)
    held = np.array(families_of(test), dtype=object) == family
    benign = np.array([name in student.manifest.benign for name in student.classes])
    missed = held & benign[scores.labels]
    result: dict[str, Any] = {"events": int(held.sum()), "missed": int(missed.sum()), "sent": {}}
    for name, sent in _sent_on(validation_signals, found).items():
        rest = sent[~held]
        result["sent"][name] = {
            "family": int(sent[held].sum()),
            "missed": int(sent[missed].sum()),
            "others": [int(rest.sum()), len(rest)],
        }
    return result


def _student(path: Path) -> OnnxScorer:
    """Return a bundle of the checklist's evidence, which may be from before students had an embedding."""
    bundle = open_bundle(path)
    model = with_embedding(onnx.load_from_string(bundle.files[MODEL]))
    return OnnxScorer(replace(bundle, files={**bundle.files, MODEL: model.SerializeToString()}))


def _sent_on(validation_signals: Mapping[str, Floats], found: Mapping[str, Floats]) -> dict[str, NDArray[np.bool_]]:
    """Return what is sent on: by the policy's thresholds; by confidence alone at the price that distance adds.

    The price is the share of the validation events that is sent on: some are doubted for two reasons.
    """
    limits = {
        name: float(np.quantile(validation_signals[name], 1 - SPENT_ON_OOD * BUDGET)) for name in (ENERGY, DISTANCE)
    }
    unsure = float(np.quantile(validation_signals[ALONE], 1 - SPENT * BUDGET))
    price = ((validation_signals[ALONE] > unsure) | (validation_signals[DISTANCE] > limits[DISTANCE])).mean()
    sent = {name: (found[ALONE] > unsure) | (found[name] > limit) for name, limit in limits.items()}
    return {ALONE: found[ALONE] > np.quantile(validation_signals[ALONE], 1 - price), **sent}


def _foreign() -> dict[str, Any]:
    """Lines of real access logs before a bundle that was taught bare parameters."""
    bundle = open_bundle(BUNDLE)
    batches = (
        batch for path in sorted((CAPTURES / "access").iterdir()) for batch in read_events(path, on_skip=Rejects())
    )
    texts = [text for batch in batches for text in batch.column("text").to_pylist()]
    student, policy = OnnxScorer(bundle), policy_for(bundle.manifest)
    scores = student.score(texts)
    sure = softmax(scores.logits, policy.temperature).max(axis=1)
    assert scores.ood_distance is not None and policy.ood_distance is not None
    attack = student.attack(scores.probabilities) > 0.5
    trusted = sure >= policy.confidence
    return {
        "events": len(texts),
        "attacks": int(attack.sum()),
        "trusted": int(trusted.sum()),
        "stopped": int((trusted & (scores.ood_distance > policy.ood_distance)).sum()),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Write a row a family and way, and a line about the foreign events."""
    lines = ["| never taught | escalated for | escalated | of those missed | other events escalated |"]
    lines.append("| --- | --- | ---: | ---: | ---: |")
    for family, entry in result["families"].items():
        for name, sent in entry["sent"].items():
            share = clopper_pearson(sent["family"], entry["events"])
            sent_share = f"{sent['family']}/{entry['events']} ({share.low:.0%} … {share.high:.0%})"
            others = f"{sent['others'][0] / sent['others'][1]:.1%}"
            missed = f"{sent['missed']}/{entry['missed']}" if entry["missed"] else "none missed"
            lines.append(f"| {family if name == ALONE else ''} | {name} | {sent_share} | {missed} | {others} |")
    other = result["foreign"]
    lines.append(
        f"\nOf {other['events']:,} events of real access logs the student of bare parameters calls "
        f"{other['attacks']:,} attacks; by confidence {other['trusted']:,} of these answers would be trusted, and "
        f"{other['stopped']:,} of those are stopped by distance."
    )
    return "\n".join(lines)
