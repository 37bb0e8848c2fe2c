"""Train a full model again without the events of a family: each of its members, as that one was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.errors import BundleError
from overproof.jobs.config import CompressConfig, RunOptions, TeachConfig, stored_config

TEACHER = "teacher"
CANNOT = (
    "cannot be trained again here: it has seen the family, and the student learned from it; --retrain-from CHECKPOINT "
    "fine-tunes one that has not"
)


@dataclass(frozen=True)
class TeacherRetraining:
    """How the teacher is trained again.

    Attributes
    ----------
    full
        The full model: specifications as for `--full`, or a `Teacher`.
    start
        Checkpoint that a Hugging Face teacher is fine-tuned from: one that has never seen the family.
    epochs
        Passes over the events; None is as many as the teacher itself was given.
    """

    full: Any
    start: Path | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Retrained:
    """A full model that has not seen a family.

    Attributes
    ----------
    members
        Folders of its members with their weights, below the family's folder; none if it cannot be trained again.
    why_not
        Why it cannot be.
    """

    members: tuple[str, ...] = ()
    why_not: str = ""


def retrain(config: CompressConfig, retraining: TeacherRetraining, place: Path, options: RunOptions) -> Retrained:
    """Train what is not there yet of the full model's members, each into a folder of its own in `place`.

    What `teach` wrote is trained as it was, anything else is fine-tuned from the start that is given. Nothing is
    trained if a member is neither: an average that lacks one is another model.
    """
    from overproof.distillation.teachers import weighted
    from overproof.jobs.teach import run_teaching

    full = retraining.full
    if isinstance(full, str) or not isinstance(full, Sequence):
        full = [full]
    plans: dict[str, TeachConfig] = {}
    for number, spec in enumerate(full, start=1):
        path, weight = weighted(spec) if isinstance(spec, str) else (None, 1.0)
        plan = _plan(path, len(full) == 1, config, retraining)
        if plan is None:
            return Retrained(why_not=f"{path or 'the teacher'} {CANNOT}")
        folder = TEACHER if len(full) == 1 else f"{TEACHER}-{number}"
        plans[folder if weight == 1 else f"{folder}@{weight:g}"] = plan
    for member, plan in plans.items():
        out = place / weighted(member)[0]
        if not out.is_dir():
            run_teaching(plan, out, options)
    return Retrained(tuple(plans))


def _plan(path: str | None, alone: bool, config: CompressConfig, retraining: TeacherRetraining) -> TeachConfig | None:
    """Return how a member is trained again; None if it cannot be.

    A full model that is one bundle is fine-tuned from a start too where one is given: that was asked for.
    """
    start, epochs = retraining.start, retraining.epochs
    written_by_teach = path is not None and (Path(path) / MANIFEST).is_file()
    if written_by_teach and path is not None and not (alone and start is not None):
        plan = _as_it_was(open_bundle(path), config)
        return plan if epochs is None else replace(plan, epochs=epochs)
    if start is None:
        return None
    return TeachConfig(config.data, from_checkpoint=start, epochs=epochs, seed=config.seed)


def _as_it_was(teacher: Bundle, config: CompressConfig) -> TeachConfig:
    """Return how a teacher was trained; where its bundle does not say, by its preset and the student's seed."""
    stored = stored_config(teacher.manifest.config, str(teacher.path / MANIFEST))
    if isinstance(stored, TeachConfig):
        return replace(stored, data=config.data)
    preset = teacher.manifest.network.get("preset")
    if not isinstance(preset, str):
        raise BundleError(f"{teacher.path / MANIFEST}: network.preset: expected the preset that `teach` was given")
    return TeachConfig(config.data, preset, seed=config.seed)
