"""Describe a student, and the first of two: its files, its teacher, its data, and its model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from overproof.bundle.manifest import COMPARISON, FIRST, Bundle, Manifest, seal
from overproof.bundle.readers import NGRAMS, TOKENIZER
from overproof.bundle.tiers import first_bundle
from overproof.results.comparison import Comparison
from overproof.results.ml_bom.components import Component, ancestors, files, hashes, properties
from overproof.results.ml_bom.metrics import metrics

FAMILIES = {
    (TOKENIZER,): "transformer encoder",
    (NGRAMS,): "network of hashed byte n-grams",
    (TOKENIZER, NGRAMS): "transformer encoder and network of hashed byte n-grams, under one head",
}


def model(bundle: Bundle, ref: str) -> Component:
    """Describe the model of a bundle; where it has two, the first is a component of the whole.

    Parameters
    ----------
    ref
        What begins the references to it and to what belongs to it.
    """
    manifest = bundle.manifest
    own = {name: entry for name, entry in manifest.files.items() if not name.startswith(FIRST)}
    parts = files(own, ref)
    if manifest.first is not None:
        first, under = first_bundle(bundle), f"{ref}/first"
        parts += [model(first, under), *datasets(first.manifest, under)]
    above = ancestors(manifest.teacher, ref)
    return {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": str(manifest.network.get("preset", "classifier")),
        "version": seal(manifest),
        "description": f"Classifier of security events, {manifest.precision}, made by overproof {manifest.overproof}",
        **({"pedigree": {"ancestors": above}} if above else {}),
        "components": parts,
        "modelCard": _card(bundle, ref),
        "properties": properties(_entries(manifest)),
    }


def datasets(manifest: Manifest, ref: str) -> list[Component]:
    """Describe the events that a model was made of, each part by the sha256 of its texts and labels in order."""
    found, rows = manifest.data.get("sha256"), manifest.data.get("rows")
    counts = rows if isinstance(rows, Mapping) else {}
    described = []
    for part, sha256 in found.items() if isinstance(found, Mapping) else ():
        about = properties({"rows": counts.get(part), "simulated": manifest.data.get("simulated")})
        described.append(
            {
                "type": "data",
                "bom-ref": f"{ref}/data/{part}",
                "name": part,
                "description": "Events; the hash is that of their texts and labels, in order",
                "hashes": hashes(sha256),
                "data": [{"type": "dataset", "name": part, "contents": {"properties": about}}],
            }
        )
    return described


def _card(bundle: Bundle, ref: str) -> dict[str, Any]:
    manifest = bundle.manifest
    read = tuple(name for name in (TOKENIZER, NGRAMS) if name in bundle.files)
    parameters = {
        "approach": {"type": "semi-supervised" if manifest.data.get("unlabelled") else "supervised"},
        "task": "classification",
        "architectureFamily": FAMILIES[read],
        "datasets": [{"ref": one["bom-ref"]} for one in datasets(manifest, ref)],
        "inputs": [{"format": "text"}],
        "outputs": [{"format": f"probabilities of {', '.join(manifest.classes)}"}],
    }
    card: dict[str, Any] = {"bom-ref": f"{ref}/card", "modelParameters": parameters}
    measured = metrics(Comparison.of(bundle)) if COMPARISON in bundle.files else []
    if measured:
        card["quantitativeAnalysis"] = {"performanceMetrics": measured}
    card["considerations"] = {"technicalLimitations": limitations(manifest)}
    return card


def limitations(manifest: Manifest) -> list[str]:
    """Say what follows from the manifest alone."""
    windowing = manifest.windowing
    found = [
        f"Knows the classes {', '.join(manifest.classes)} and no others; benign are {', '.join(manifest.benign)}.",
        f"Reads an event in windows of {windowing.size} tokens, {windowing.limit} at most; of a longer one it says so.",
    ]
    if manifest.data.get("simulated"):
        found.append("Learned from simulated events, among others or alone.")
    return found


def _entries(manifest: Manifest) -> dict[str, Any]:
    """Return what decides its answers, and how it was made, beside what has a place of its own."""
    steps = {str(step.get("step")): {k: v for k, v in step.items() if k != "step"} for step in manifest.parity}
    return {
        "format": manifest.format,
        "precision": manifest.precision,
        "classes": list(manifest.classes),
        "benign": list(manifest.benign),
        "windowing": asdict(manifest.windowing),
        "normalization": manifest.normalization,
        "thresholds": manifest.thresholds,
        "calibration": manifest.calibration,
        "network": manifest.network,
        "temperature": manifest.temperature,
        "hard_weight": manifest.hard_weight,
        "seed": manifest.seed,
        "margin": manifest.margin,
        "parity": steps,
    }
