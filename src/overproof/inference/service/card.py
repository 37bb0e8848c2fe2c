"""Say what the bundle in service is: what it was made from, and what decides its verdicts."""

from __future__ import annotations

import math
from typing import Any

from overproof.inference.service.examples import examples
from overproof.inference.service.loaded_bundle import LoadedBundle
from overproof.inference.sinks.families import GENERIC, TECHNIQUES, TITLES
from overproof.progress import one_line


def card(loaded: LoadedBundle) -> dict[str, Any]:
    """Return what `/card` answers, but for what changes while the service runs."""
    cascade = loaded.cascade
    manifest, policy = cascade.student.manifest, cascade.policy
    parameters = manifest.network.get("parameters")
    preset = one_line(str(manifest.network.get("preset", "unknown")))
    return {
        "about": cascade.about,
        "opened": loaded.opened,
        "overproof": manifest.overproof,
        "student": preset if manifest.first is None else f"two students, of which the second is {preset}",
        "parameters": parameters if isinstance(parameters, int) else None,
        "precision": manifest.precision,
        "bytes": sum(int(file["bytes"]) for file in manifest.files.values()),
        "models": cascade.models,
        "classes": [_class(name, name in manifest.benign) for name in manifest.classes],
        "thresholds": dict(manifest.thresholds),
        "policy": policy.basis,
        "confidence_limit": policy.confidence if math.isfinite(policy.confidence) else None,
        "ood_limit": policy.ood_distance,
        "examples": examples(manifest.classes),
    }


def _class(name: str, benign: bool) -> dict[str, Any]:
    family = name.lower()
    title = None if benign or family in GENERIC else TITLES.get(family)
    technique = None if benign else TECHNIQUES.get(family)
    return {
        "name": name,
        "benign": benign,
        "title": None if title is None else title[0].upper() + title[1:],
        "technique": None if technique is None else f"{technique.id} {technique.full_name}",
    }
