"""Prove what a bundle lost against the full model: `overproof check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    AsJson,
    Bundle,
    Cache,
    Epochs,
    Family,
    Group,
    Label,
    NeverAlone,
    OnFullDown,
    Rejects,
    Text,
    Time,
    VerifyCertificates,
    VerifyKey,
    columns_of,
    share_of,
    trust_of,
)
from overproof.cli.output import fitted, show_gated, show_text
from overproof.cli.places import a_file, a_folder
from overproof.errors import ExitCode
from overproof.jobs.config import CheckConfig
from overproof.progress import printable, terminal


def _init_gate(path: Path | None) -> None:
    if path is not None:
        from overproof.checks.gates import write_template

        write_template(path)
        typer.echo(printable(f"Gates: {path}"), err=True)
        raise typer.Exit


CheckedEvents = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENTS", help="Labelled events of your own that nothing was trained on; - is standard input."
    ),
]
Full = Annotated[
    list[str] | None,
    typer.Option(
        "--full",
        metavar="SPEC[@WEIGHT]",
        help="The full model, as `compress --teacher` takes it, repeatable; or http(s)://… of a text-classification "
        "service (token in OVERPROOF_FULL_TOKEN).",
    ),
]
Evidence = Annotated[
    Path | None,
    typer.Option("--evidence", metavar="DIR", help="What `overproof compress --evidence DIR` wrote for this bundle."),
]
CheckOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=a_folder,
        metavar="DIR",
        help="Write report.html, check.json, summary.md, check.sarif, attack.jsonl there.",
    ),
]
GateFile = Annotated[
    Path | None,
    typer.Option("--gate", metavar="FILE", help="Gates that were written down before the run. [default: built in]"),
]
InitGate = Annotated[
    Path | None,
    typer.Option(
        "--init-gate",
        parser=a_file,
        metavar="FILE",
        callback=_init_gate,
        is_eager=True,
        help="Write a gate file with default limits, each explained, and exit.",
    ),
]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out",
        metavar="FAMILY",
        help="Train teacher, student and baseline without this family, then judge them on it; repeatable; all-rare is "
        "each with under 1 % of the training events. Takes a compression each; stored with the evidence.",
    ),
]
RetrainFrom = Annotated[
    Path | None,
    typer.Option(
        "--retrain-from",
        metavar="DIR",
        help="For --hold-out: the checkpoint a Hugging Face teacher is fine-tuned from, that has not seen the family.",
    ),
]
EventsPerDay = Annotated[
    float | None, typer.Option("--events-per-day", metavar="N", help="Your volume, for alerts per day.")
]
Prevalence = Annotated[
    str | None,
    typer.Option("--prevalence", metavar="SHARE", help="Share of your events that are attacks: 0.001 or 0.1%."),
]
Budget = Annotated[
    str, typer.Option("--budget", metavar="SHARE", help="Share of events that may go to the full model.")
]
AcceptPublicData = Annotated[
    bool,
    typer.Option(
        "--accept-public-data",
        help="Judge by public or simulated events all the same; the report says that you did.",
    ),
]
Attack = Annotated[
    int,
    typer.Option(
        "--attack",
        metavar="QUERIES",
        help="Edited texts of each event that the red team asks about, of at most 200 attacks and as many benign "
        "events; 0 leaves it out.",
    ),
]
CheckSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        help="Of everything random. The report says that you chose it: the best of several tries proves nothing. "
        "[default: follows from the events]",
    ),
]
Details = Annotated[
    bool,
    typer.Option("--details", help="Print the checks' messages, the comparison of the models and the families too."),
]
IKnow = Annotated[bool, typer.Option("--i-know", hidden=True)]  # the old name of --accept-public-data


HELP = """Prove what a bundle lost against the full model: may it be deployed, where, and with what in reserve?

Eight checks on your own labelled events: own data, calibration, rare and edge cases, robustness at the boundary,
misses and false positives against the full model on held-out threats, escalation, explanations, the red team. Each
ends in passed, failed or unmeasured, with the reason and how many events it would take (--details). Exit code 1 if a
gate is closed, or the verdict is not to deploy.

\b
Examples:
  overproof check --init-gate gates.toml
  overproof check bundle mine.csv.gz --full teacher --evidence evidence --gate gates.toml --out proof
  overproof check bundle mine.csv.gz --full teacher --evidence evidence --hold-out all-rare --out proof
  overproof check bundle mine.csv.gz --full ./MiniLM --events-per-day 2e6 --prevalence 0.1% --json
"""


def run(
    bundle: Bundle,
    events: CheckedEvents,
    full: Full = None,
    evidence: Evidence = None,
    out: CheckOut = None,
    gate: GateFile = None,
    init_gate: InitGate = None,
    hold_out: HoldOut = None,
    retrain_from: RetrainFrom = None,
    epochs: Epochs = None,
    events_per_day: EventsPerDay = None,
    prevalence: Prevalence = None,
    budget: Budget = f"{CheckConfig.budget:.0%}",
    on_full_down: OnFullDown = CheckConfig.on_full_down,
    never_alone: NeverAlone = None,
    accept_public_data: AcceptPublicData = False,
    i_know: IKnow = False,
    attack: Attack = CheckConfig.attack,
    text: Text = None,
    label: Label = None,
    family: Family = None,
    group: Group = None,
    time: Time = None,
    rejects: Rejects = None,
    cache: Cache = None,
    seed: CheckSeed = CheckConfig.seed,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Prove what a bundle lost against the full model: may it be deployed, where, and with what in reserve?"""
    report = overproof.check(
        bundle,
        events,
        full=full,
        evidence=evidence,
        out=out,
        gate=gate,
        hold_out=hold_out or (),
        retrain_from=retrain_from,
        epochs=epochs,
        events_per_day=events_per_day,
        prevalence=None if prevalence is None else share_of("--prevalence", prevalence),
        budget=share_of("--budget", budget),
        on_full_down=on_full_down,
        never_alone=never_alone or (),
        accept_public_data=accept_public_data or i_know,
        attack=attack,
        columns=columns_of(text, label, family, group, time),
        rejects=rejects,
        cache=cache,
        seed=seed,
        trust=trust_of(verify_key, verify_certificates),
        console=terminal(),
    )
    if details or as_json:
        show_gated(report, as_json)
        return
    from overproof.checks.report.text import summary

    show_text(fitted(lambda: summary(report)) + "\n")
    if not report.passed:
        raise typer.Exit(ExitCode.REFUSED)
