"""Asking everyone: the full model, the student before and after quantization, the control, the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle import evidence_store as folder
from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import Bundle, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED, ModelOutputs
from overproof.checks.stats import fit_temperature
from overproof.events.schema import event_table
from overproof.jobs.full_model import open_full
from overproof.progress import Console

CHUNK = 1024
NO_FULL = "no full model was given (--full)"
NO_EVIDENCE = "no evidence was given (--evidence, what `overproof compress --evidence DIR` keeps)"

Ask = Callable[[pa.Table, str], Floats]


@dataclass(frozen=True)
class Panel:
    """Whom events can be put to.

    Attributes
    ----------
    ask
        Model to a function of events and of what they are, which gives logits in the bundle's order of classes.
    absent
        Model to why it cannot be asked.
    card
        The full model's card.
    mute
        Models that know these events alone: soft labels that were computed elsewhere.
    """

    ask: Mapping[str, Ask]
    absent: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] | None = None
    mute: frozenset[str] = frozenset()


def panel(
    bundle: Bundle,
    kept: EvidenceStore | None,
    full: Any,
    *,
    columns: Sequence[str],
    labels: Sequence[str],
    cache: Path | None,
    console: Console,
) -> Panel:
    """Open all models.

    Parameters
    ----------
    full
        Specifications as for `compress --teacher`, an object that is a teacher, or None.
    columns, labels
        Of the events; a full model that knows none of the labels is refused.

    Raises
    ------
    InputError, MissingExtra, BundleError, TamperedBundle
        A model that cannot be opened.
    """
    classes = bundle.manifest.classes
    asks: dict[str, Ask] = {}
    absent: dict[str, str] = {}
    card, mute = None, False
    if full is None:
        absent[FULL] = NO_FULL
    else:
        opened = open_full(full, classes, columns=columns, labels=labels)
        asks[FULL], card = asking(opened, classes, cache=cache, console=console), asdict(opened.card)
        mute = not opened.labels_new_events
    asks[QUANTIZED] = partial(_scored, OnnxScorer(bundle), QUANTIZED, classes, console)
    for name, place in ((DISTILLED, folder.DISTILLED), (CONTROL, folder.CONTROL)):
        if kept is None:
            absent[name] = NO_EVIDENCE
        else:
            asks[name] = partial(_scored, OnnxScorer(open_bundle(kept.path / place)), name, classes, console)
    if kept is None:
        absent[BASELINE] = NO_EVIDENCE
    else:
        try:
            asks[BASELINE] = baseline(kept.baseline, classes)
        except ModuleNotFoundError as error:
            absent[BASELINE] = f"the package {error.name} is not installed (pip install 'overproof[compress]')"
    return Panel(asks, absent, card, frozenset({FULL} if mute else ()))


def asking(full: Any, classes: Sequence[str], *, cache: Path | None, console: Console) -> Ask:
    """A full model as a function of events; what it answered once is kept in the cache."""
    from overproof.distillation.teachers import align, cached_logits, default_directory

    def ask(events: pa.Table, what: str) -> Floats:
        with console.progress(f"{FULL}: {what}", events.num_rows) as advance:
            logits = cached_logits(full, events, cache or default_directory(), advance)
        return align(logits, full.classes, classes)

    return ask


def baseline(content: bytes, classes: Sequence[str]) -> Ask:
    """The linear baseline; ModuleNotFoundError without scikit-learn."""
    from overproof.distillation.baseline import from_bytes
    from overproof.distillation.teachers import align

    fitted = from_bytes(content)
    return lambda events, what: align(fitted.logits(events["text"].to_pylist()), fitted.classes, classes)


def answers(asked: Panel, events: pa.Table, kept: EvidenceStore | None, bundle: Bundle) -> dict[str, ModelOutputs]:
    """Everyone's logits on the events, and on the validation events where they are kept.

    The temperature that calibrates a model is fitted on its validation outputs.
    """
    known = None if kept is None else targets(kept.validation["label"].to_pylist(), bundle.manifest.classes)
    found = {}
    for name, ask in asked.ask.items():
        logits = ask(events, "events")
        before = None if kept is None else kept.scores.get(name)
        temperature = bundle.manifest.calibration if name == QUANTIZED else None
        if before is not None and known is not None and (known >= 0).any():
            temperature = fit_temperature(before[known >= 0], known[known >= 0])
        found[name] = ModelOutputs(logits, temperature, before)
    return found


def targets(labels: Sequence[str | None], classes: Sequence[str]) -> Any:
    """Class index of each label, -1 where there is none; shape (n,)."""
    place = {name: i for i, name in enumerate(classes)}
    return np.array([-1 if label is None else place.get(label, -1) for label in labels], dtype=np.int64)


def texts_table(texts: Sequence[str]) -> pa.Table:
    """Texts alone, as events."""
    return event_table({"text": list(texts)})


def _scored(
    scorer: OnnxScorer, name: str, classes: Sequence[str], console: Console, events: pa.Table, what: str
) -> Floats:
    texts = events["text"].to_pylist()
    parts = [np.empty((0, len(classes)), dtype=np.float32)]
    with console.progress(f"{name}: {what}", len(texts)) as advance:
        for start in range(0, len(texts), CHUNK):
            parts.append(scorer.score(texts[start : start + CHUNK]).logits)
            advance(len(parts[-1]))
    return np.concatenate(parts)
