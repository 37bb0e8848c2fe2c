"""Join two students in one bundle: the first decides what it is sure of, the second the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import (
    COMPARISON,
    FIRST,
    FORMAT,
    MANIFEST,
    MODEL,
    OOD,
    TIERED,
    Bundle,
    FirstStudent,
    Manifest,
    digest,
    open_bundle,
    require_free,
    sealed,
    write_bundle,
)
from overproof.bundle.model_names import QUANTIZED
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.tiers import FirstTier
from overproof.bundle.tried import Tried, passed_on
from overproof.checks.units import units_of
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.spellings import require_one_spelling
from overproof.files import only_writer
from overproof.inference.cascade.signals import Signals, signals
from overproof.jobs.config import CheckSettings, CompressConfig, JoinLimits, stored_config
from overproof.jobs.config_json import Events
from overproof.jobs.evaluate import is_benign, thresholds
from overproof.jobs.first_thresholds import Bools, Judged, choose, least_sure, ood_limits
from overproof.progress import NOTEBOOK, Console
from overproof.report.not_measured import NotMeasured
from overproof.results import Comparison, time_interleaved
from overproof.results.tiers import JoinedTiers, chosen
from overproof.results.timing import Blocks

TIMED_EVENTS = 1000
BUDGET_S = 4.0


def join(
    first: Path | str,
    second: Path | str,
    *,
    validation: Events,
    out: Path | str,
    max_lost: float | None = None,
    max_flagged: float = JoinLimits.flagged,
    columns: Columns | None = None,
    rejects: Path | None = None,
    console: Console = NOTEBOOK,
) -> JoinedTiers:
    """Join two students in one bundle, and choose on validation events what the first may decide.

    Parameters
    ----------
    first, second
        Bundles of one student each, with the same classes: a fast one, and one that judges better.
    validation, columns, rejects
        Labelled events that neither was taught: files, or an event table.
    out
        Folder of the new bundle.
    max_lost
        Share of the attacks that the second detects which the first may call benign; None is the second's margin.
    max_flagged
        Share of the benign events that the second leaves alone which the first may flag.

    Raises
    ------
    InputError, BundleError, TamperedBundle
        Bundles or events that cannot be used.
    """
    place = Path(out)
    require_free(place)
    students = open_bundle(first), open_bundle(second)
    lost = students[1].manifest.margin or CheckSettings.margin if max_lost is None else max_lost
    limits = JoinLimits(lost, max_flagged)
    with only_writer(place):
        events = _load(validation, columns or Columns(), rejects, console)
        require_one_spelling([events], students[1].manifest.classes, f"a class of {second}")
        joined = join_students(*students, events, limits)
        bundle = bundle_of_both(students[0], _without_own_row(students[1]), joined)
        write_bundle(place, bundle.manifest, bundle.files)
    return replace(joined.report, bundle=place, bundle_bytes=sum(path.stat().st_size for path in place.iterdir()))


def _load(events: Events, columns: Columns, rejects: Path | None, console: Console) -> pa.Table:
    if isinstance(events, pa.Table):
        return events
    with Rejects(rejects) as skipped:
        table = load_events(events, columns=columns, rejects=skipped)
    for reason, count in skipped.summary().items():
        console.say(f"skipped {count} records: {reason}")
    return table


@dataclass(frozen=True)
class JoinedStudents:
    """What the first of two students may decide, and what is true of both together.

    Attributes
    ----------
    sealed
        What the first may decide.
    thresholds, signals
        See `Manifest`.
    report
        How that was chosen; where the bundle is, and its size, are still to be filled in.
    """

    sealed: FirstStudent
    thresholds: Mapping[str, float | None]
    signals: Signals
    report: JoinedTiers


def join_students(first: Bundle, second: Bundle, validation: pa.Table, limits: JoinLimits) -> JoinedStudents:
    """Choose on validation events what the first student may decide, and measure both together on them.

    Raises
    ------
    InputError
        Bundles that cannot be joined, or too few events.
    """
    _require_students(first, second)
    texts: list[str] = validation["text"].to_pylist()
    scorers = OnnxScorer(first), OnnxScorer(second)
    theirs, ours = (scorer.score(texts) for scorer in scorers)
    assert theirs.ood_distance is not None and ours.ood_distance is not None  # both have detectors
    bare = FirstStudent(None, None, *ood_limits(theirs.ood_distance, ours.ood_distance), {})
    tried = FirstTier(scorers[0], bare, second.manifest.calibration).tried(theirs)
    flagged = ~_is_benign(second.manifest)[ours.labels]
    least = least_sure(ours.confidence(second.manifest.calibration or 1.0))
    judged = replace(_judged(tried, flagged, validation, second.manifest.benign), least=least)
    benign, attack = choose(judged, limits)
    far = float(np.mean(~(theirs.ood_distance <= bare.ood_limit)))
    report = JoinedTiers(second.path, 0, len(texts), benign, attack, far, least, _seconds(scorers, texts))
    sealed = replace(bare, benign=benign.threshold, attack=attack.threshold, chosen=chosen(report))
    left = np.flatnonzero(~tried.decided(sealed.benign, sealed.attack))
    together = passed_on(tried.scores, ours.take(left), left)
    attacks = scorers[1].attack(together.probabilities)
    return JoinedStudents(
        sealed,
        thresholds(attacks, is_benign(validation, second.manifest.benign)),
        signals(together.logits, second.manifest.calibration, together.ood_distance, together.benign),
        report,
    )


def bundle_of_both(first: Bundle, second: Bundle, joined: JoinedStudents) -> Bundle:
    """Make one bundle of two, without writing it."""
    files = {**second.files, **_prefixed(first)}
    manifest = replace(
        second.manifest,
        format=TIERED,
        first=joined.sealed,
        thresholds=joined.thresholds,
        signals=joined.signals,
        files={name: digest(content) for name, content in files.items()},
        config=_config(first.manifest, second.manifest),
    )
    return Bundle(second.path, manifest, files)


def _seconds(scorers: tuple[OnnxScorer, OnnxScorer], texts: Sequence[str]) -> dict[str, float]:
    """Time both students in alternating batches, in one run."""
    named = dict(zip(("first", "second"), (scorer.score for scorer in scorers), strict=True))
    timed = time_interleaved(named, texts[:TIMED_EVENTS], seed=0, blocks=Blocks(1, 1), budget_s=BUDGET_S)
    return {name: 1 / found.events_per_second for name, found in timed.items()}


def _require_students(first: Bundle, second: Bundle) -> None:
    """Raise InputError unless the two can be joined."""
    for bundle in (first, second):
        if bundle.manifest.first is not None:
            raise InputError(f"{bundle.path}: holds two students already, expected a bundle of one")
        if OOD not in bundle.files:
            raise InputError(
                f"{bundle.path}: has no {OOD}, which tells what is unlike all that was taught; compress it again"
            )
    names = [(one.manifest.classes, one.manifest.benign) for one in (first, second)]
    if names[0] != names[1]:
        told = [f"{', '.join(classes)} (benign: {', '.join(benign)})" for classes, benign in names]
        raise InputError(f"{first.path}: has the classes {told[0]}, expected those of {second.path}: {told[1]}")
    if first.files[MODEL] == second.files[MODEL]:
        raise InputError(f"{first.path}: is the same student as {second.path}, expected a faster one")


def _judged(tried: Tried, flagged: Bools, events: pa.Table, benign: Sequence[str]) -> Judged:
    labels: list[str | None] = events["label"].to_pylist()
    labelled = np.array([label is not None for label in labels], dtype=bool)
    harmless = np.array(is_benign(events, benign), dtype=bool)
    units = units_of(events["text"].to_pylist(), events["group"].to_pylist())
    return Judged(tried, flagged, labelled & ~harmless, harmless, units, least=0.0)


def _is_benign(manifest: Manifest) -> Bools:
    """Say of each class whether it is benign."""
    return np.array([name in manifest.benign for name in manifest.classes], dtype=bool)


def _prefixed(first: Bundle) -> dict[str, bytes]:
    """Return the first student's files under the names that they have beside the second's."""
    listed = {name: digest(content) for name, content in first.files.items()}
    files = {**first.files, MANIFEST: sealed(replace(first.manifest, format=FORMAT, files=listed))}
    return {f"{FIRST}{name}": content for name, content in files.items()}


def _config(first: Manifest, second: Manifest) -> Mapping[str, Any] | None:
    """Return the second's configuration with the first's preset, so that both are made again where one would be."""
    made = [stored_config(manifest.config, MANIFEST) for manifest in (first, second)]
    if not all(isinstance(config, CompressConfig) for config in made):
        return second.config
    ours, theirs = made[1], made[0]
    assert isinstance(ours, CompressConfig) and isinstance(theirs, CompressConfig)
    ours, theirs = (config.taking(manifest.network["preset"]) for config, manifest in ((ours, second), (theirs, first)))
    return replace(ours, distill=replace(ours.distill, first=theirs.distill.student)).to_json()


def _without_own_row(second: Bundle) -> Bundle:
    """Leave out of the stored comparison what was measured of the second student alone."""
    if COMPARISON not in second.files:
        return second
    found = Comparison.of(second)
    rows = tuple(row for row in found.rows if row.name != QUANTIZED)
    why = NotMeasured("the two students as one were not measured on test events")
    content = json.dumps(replace(found, rows=rows, operating_points=why).to_json(), indent=1).encode()
    return replace(second, files={**second.files, COMPARISON: content})
