"""Attack a bundle, top to bottom: load, open the models, choose what is attacked, search, compare, write.

Only bundles on this machine are attacked. Searches propose edited events, a referee decides (`overproof.redteam`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy  # noqa: F401 - intervals need it; that it is missing is told before the attack starts

from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import Bundle
from overproof.bundle.model_names import DISTILLED, QUANTIZED
from overproof.bundle.readers import TOKENIZER
from overproof.bundle.signing import Trust
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.spellings import require_one_spelling
from overproof.files import atomic_files, only_writer
from overproof.inference.cascade import Cascade
from overproof.inference.cascade.budget import Rate as Escalations
from overproof.inference.cascade.budget import parse_rate
from overproof.inference.cascade.thresholds import BUDGET
from overproof.jobs.attack_config import AttackConfig, AttackInputs
from overproof.jobs.attack_gradients import guides
from overproof.jobs.attack_journal import JOURNAL, Journal
from overproof.jobs.attack_rates import Attempts, by_family, cases, difference, shares_at, transfer, unproved
from overproof.jobs.attack_targets import Judges, Targets, choose
from overproof.jobs.attack_triggers import TriggerSources, find_triggers
from overproof.jobs.attack_victims import asking, beside, deployed, hashes
from overproof.jobs.config import RunOptions
from overproof.jobs.config_json import Events
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.verify import open_verified
from overproof.progress import NOTEBOOK, SILENT, Console
from overproof.redteam.blind_spots import BlindSpots, Limits, blind_spots
from overproof.redteam.campaign import Attempt, Campaign, Target
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.oracle import ORACLES
from overproof.redteam.page import page
from overproof.redteam.referee import Referee
from overproof.redteam.result import AttackReport, Exclusive, Row
from overproof.redteam.search import WHITE_BOX
from overproof.redteam.search.interface import Guide
from overproof.redteam.trigger_verdict import TriggerReport
from overproof.redteam.trigger_words import tokens_of
from overproof.redteam.victim import Victim
from overproof.results.attack_cases import cases_to_lines
from overproof.version import __version__

WAVE = 64  # events that are attacked side by side
CHUNK = 256  # events that the full model is asked about at a time
CASES, REPORT, PAGE = "attack.jsonl", "attack.json", "attack.html"


@dataclass(frozen=True)
class Attacked:
    """What is attacked, what the same attack is spent on, and who decides.

    Attributes
    ----------
    bundle
        The bundle, as it was verified.
    evidence
        The models beside it: the hashes of their files.
    trained
        Texts of the events that the bundle was trained on, where they are known.
    cascade
        The bundle as it is deployed.
    judges
        Model to what it makes of texts, the bundle first; and the referee.
    guides
        Model to what its weights tell of its log-odds; empty where no search follows gradients.
    """

    bundle: Bundle
    evidence: Sequence[str]
    trained: Sequence[str]
    cascade: Cascade
    judges: Judges
    guides: Mapping[str, Guide] = field(default_factory=dict)

    @property
    def victims(self) -> Mapping[str, Victim]:
        """Model to what it makes of texts, the bundle first."""
        return self.judges.victims


def attack(
    bundle: Path | str,
    events: Any,
    *,
    full: Any = None,
    evidence: Path | str | None = None,
    out: Path | str | None = None,
    objectives: Sequence[str] = AttackConfig.objectives,
    searches: Sequence[str] = AttackConfig.searches,
    budget: int = AttackConfig.budget,
    families: Sequence[str] = AttackConfig.families,
    sample: int = AttackConfig.sample,
    check: Path | str | None = None,
    max_escalations: str | None = None,
    columns: Columns | None = None,
    rejects: Path | None = None,
    seed: int = AttackConfig.seed,
    triggers: int = AttackConfig.triggers,
    unlabelled: Any = None,
    trust: Trust | None = None,
    console: Console = NOTEBOOK,
) -> AttackReport:
    """Look for edited events that fool a bundle and still do what they did, and say what compression is to blame for.

    Parameters
    ----------
    bundle, full, evidence, check, max_escalations, trust
        The models, and how they are deployed; see `AttackInputs`.
    events, columns, objectives, searches, budget, families, sample, seed, triggers, unlabelled
        What is attacked and how; see `AttackConfig`.
    out
        Folder for attack.html, attack.jsonl (every success, for `replay`) and attack.json. A run that was cut off goes
        on there.
    rejects
        File for the records that cannot be read, each with its reason.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Anything that cannot be used; nothing is written then.
    """
    config = AttackConfig(
        events, columns, tuple(objectives), tuple(searches), budget, tuple(families), sample, seed, triggers, unlabelled
    )
    inputs = AttackInputs(
        Path(bundle),
        full,
        None if evidence is None else Path(evidence),
        None if check is None else Path(check),
        max_escalations,
        trust,
    )
    place = None if out is None else Path(out)
    if place is not None and place.exists() and not place.is_dir():
        raise InputError(f"{place}: is a file; expected a folder to write to, or a new name")
    return run_attack(config, inputs, RunOptions(rejects=rejects, console=console), place)


def run_attack(config: AttackConfig, inputs: AttackInputs, options: RunOptions, out: Path | None) -> AttackReport:
    """Load, open the models, choose what is attacked, search, compare and write."""
    with nullcontext() if out is None else only_writer(out):
        return _attack(config, inputs, options, out)


def _attack(config: AttackConfig, inputs: AttackInputs, options: RunOptions, out: Path | None) -> AttackReport:
    events, own = load(config, options)
    attacked = open_attacked(config, inputs, options.console)
    classes = attacked.bundle.manifest.classes
    require_one_spelling([events], classes, f"a class of {inputs.bundle}")
    targets = choose(config, events, attacked.cascade.student.manifest.benign, attacked.judges)
    options.console.say(f"{len(targets.attacks):,} attacks and {len(targets.benign):,} benign events are edited")
    journal = Journal(None if out is None else out / JOURNAL, _decisive(config, attacked, targets))
    attempts = search(config, attacked, targets, journal, options.console)
    report = compare(config, attacked, targets, attempts, events["origin"].to_pylist())
    report = replace(
        report,
        blind_spots=None if own is None else part(own, attacked, options),
        triggers=look_for_words(config, attacked, events, own or (), options),
    )
    if out is not None:
        write(report, out)
        options.console.say(f"written: {out / PAGE}, {out / CASES}, {out / REPORT}")
    journal.discard()
    return report


def load(config: AttackConfig, options: RunOptions) -> tuple[pa.Table, list[str] | None]:
    """Read the events to attack, and the texts of those of one's own in which blind spots are looked for, if any."""
    with Rejects(options.rejects) as skipped:
        events, own = (_table(files, config.columns, skipped) for files in (config.events, config.unlabelled))
    for reason, count in skipped.summary().items():
        options.console.say(f"skipped {count} records: {reason}")
    return events, None if own is None else own["text"].to_pylist()


def _table(files: Events | None, columns: Columns | None, skipped: Rejects) -> pa.Table | None:
    if files is None or isinstance(files, pa.Table):
        return files
    return load_events(files, columns=columns, rejects=skipped)


def open_attacked(config: AttackConfig, inputs: AttackInputs, console: Console = SILENT) -> Attacked:
    """Open the bundle with its policy, the models beside it, and the full model."""
    bundle = open_verified(inputs.bundle, inputs.trust, console)
    deploy = CascadeConfig(full=inputs.full, check=inputs.check, max_escalations=inputs.max_escalations)
    cascade = open_cascade(bundle, deploy)
    victims = {QUANTIZED: deployed(cascade)}
    evidence: tuple[str, ...] = ()
    trained: Sequence[str] = ()
    store = None if inputs.evidence is None else open_evidence(inputs.evidence, bundle)
    if store is not None:
        evidence = hashes(store)
        trained = store.train["text"].to_pylist()
        rate = Escalations(share=BUDGET) if inputs.max_escalations is None else parse_rate(inputs.max_escalations)
        victims.update(beside(store, bundle.manifest, rate, config.seed))
    if config.unlabelled is not None and cascade.full is None:
        raise InputError("--unlabelled: expected --full too: blind spots are where student and full model part")
    for objective in config.objectives:
        if OBJECTIVES[objective].differs and DISTILLED not in victims:
            raise InputError(
                f"--objective {objective}: expected --evidence too, which holds the student before quantization"
            )
    ask = None if cascade.full is None else asking(cascade.full, bundle.manifest.benign)
    followed = guides(bundle, store, victims) if WHITE_BOX.intersection(config.searches) else {}
    return Attacked(bundle, evidence, trained, cascade, Judges(victims, Referee(ask, ORACLES)), followed)


def search(config: AttackConfig, attacked: Attacked, targets: Targets, journal: Journal, console: Console) -> Attempts:
    """Spend every search on every model, for every objective."""
    victims = attacked.victims
    found: dict[tuple[str, str, str], list[Attempt]] = {}
    for objective in config.objectives:
        between = OBJECTIVES[objective].differs  # the bundle and the student before quantization: no other model
        for name in config.searches:
            for model in [QUANTIZED] if between else victims:
                campaign = Campaign(
                    name,
                    OBJECTIVES[objective],
                    MUTATORS,
                    victims[model],
                    victims.get(DISTILLED, victims[QUANTIZED]),
                    attacked.judges.referee,
                    config.budget,
                    config.seed,
                    attacked.guides.get(model),
                )
                what = f"{objective} by {name} against {model}"
                some = targets.of(objective)
                ended = found[objective, name, model] = []
                with console.progress(what, len(some)) as advance:
                    for wave in _waves(campaign, some, journal, what):
                        ended += wave
                        advance(len(wave))
    return found


def look_for_words(
    config: AttackConfig, attacked: Attacked, events: pa.Table, own: Sequence[str], options: RunOptions
) -> TriggerReport | None:
    """Look for words that make any attack benign: of the events, the user's own, what it was trained on, its tokens."""
    manifest, files = attacked.cascade.student.manifest, attacked.bundle.files
    tokens = tokens_of(files[TOKENIZER]) if TOKENIZER in files else ()
    sources = TriggerSources(events, [*own, *attacked.trained], tokens)
    return find_triggers(config, sources, attacked.victims[QUANTIZED], manifest.benign, options.console)


def part(texts: Sequence[str], attacked: Attacked, options: RunOptions) -> BlindSpots | None:
    """Find where student and full model part without any edit, on the user's own unlabelled events."""
    ask = attacked.judges.referee.ask_full
    if ask is None:
        return None
    student = attacked.cascade.student
    scores, embeddings = student.score_and_embed(texts)
    answers = [np.empty(0, dtype=np.float32)]
    with options.console.progress("full model: unlabelled events", len(texts)) as advance:
        for start in range(0, len(texts), CHUNK):
            answers.append(ask(texts[start : start + CHUNK]))
            advance(len(answers[-1]))
    own = np.asarray(student.attack(scores.probabilities), dtype=np.float32)
    return blind_spots(texts, own, np.concatenate(answers).astype(np.float32), Limits(0.5, 0.5), embeddings)


def compare(
    config: AttackConfig, attacked: Attacked, targets: Targets, attempts: Attempts, origins: Sequence[str]
) -> AttackReport:
    """Count successes, and how many of the bundle's are beyond what the others lose under the same attack."""
    budget, full = config.budget, attacked.cascade.full
    measured = {key: some for key, some in attempts.items() if some}
    rows = tuple(
        Row(*key, shares_at(some, budget), unproved(some), by_family(some, budget)) for key, some in measured.items()
    )
    exclusive = tuple(
        Exclusive(objective, name, model, difference(measured[objective, name, QUANTIZED], some, budget))
        for (objective, name, model), some in measured.items()
        if model != QUANTIZED
    )
    return AttackReport(
        bundle=str(attacked.bundle.path),
        full=None if full is None else full.model,
        seed=config.seed,
        budget=budget,
        events=len(targets.attacks) + len(targets.benign),
        families=dict(Counter(target.family for target in (*targets.attacks, *targets.benign))),
        left_out=targets.left_out,
        rows=rows,
        exclusive=exclusive,
        transfer=transfer(attacked.victims, measured),
        refused=dict(attacked.judges.referee.refusals),
        cases=tuple(case for key, some in measured.items() for case in cases(key, some, origins)),
    )


def write(report: AttackReport, out: Path) -> None:
    """Write every success as a line, the figures, and a page to look at."""
    texts = {
        CASES: cases_to_lines(report.cases),
        REPORT: json.dumps(report.to_json(), indent=1),
        PAGE: page(report),
    }
    atomic_files(out, texts)


def _waves(campaign: Campaign, targets: Sequence[Target], journal: Journal, what: str) -> Iterator[list[Attempt]]:
    """Attack some events at a time; a wave that the journal knows is not attacked again."""
    refusals = campaign.referee.refusals
    for start in range(0, len(targets), WAVE):
        wave, name = targets[start : start + WAVE], f"{what}, from {start}"
        known = journal.known(name)
        if known is not None:
            attempts, refused = known
            refusals.update(refused)
        else:
            before = refusals.copy()
            attempts = campaign.run(wave)
            journal.keep(name, attempts, refusals - before)
        yield attempts


def _decisive(config: AttackConfig, attacked: Attacked, targets: Targets) -> dict[str, Any]:
    """Return all that decides what a wave comes to."""
    return {
        "overproof": __version__,
        "evidence": attacked.evidence,
        "budget": config.budget,
        "seed": config.seed,
        "models": attacked.cascade.models,
        "policy": {name: value for name, value in asdict(attacked.cascade.policy).items() if name != "promise"},
        "edits": {domain: sorted(mutators) for domain, mutators in MUTATORS.items()},
        "events": [asdict(target) for target in (*targets.attacks, *targets.benign)],
    }
