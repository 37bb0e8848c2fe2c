"""Look for what fools a bundle before an attacker does: `overproof attack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import (
    AsJson,
    Bundle,
    CheckFile,
    FullModel,
    Group,
    Label,
    MaxEscalations,
    Rejects,
    Seed,
    Text,
    Time,
    VerifyCertificates,
    VerifyKey,
    columns_of,
    trust_of,
)
from overproof.cli.output import show, show_gated
from overproof.cli.places import a_folder
from overproof.errors import InputError
from overproof.progress import terminal

BUDGET, EVENTS, TRIGGERS = 1000, 200, 60_000

AttackedEvents = Annotated[
    list[str] | None,
    typer.Argument(metavar="EVENTS", help="Labelled events that nothing was trained on; - is standard input."),
]
Evidence = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        metavar="DIR",
        help="What `overproof compress --evidence DIR` wrote: the same attack is spent on the student before "
        "quantization, its control and the linear baseline.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=a_folder,
        metavar="DIR",
        help="Write attack.html, attack.jsonl and attack.json there, and go on where a run ended.",
    ),
]
Replay = Annotated[
    Path | None,
    typer.Option("--replay", metavar="FILE", help="Hold the bundle to the cases of attack.jsonl, and search nothing."),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        metavar="NAME",
        help="evasion, bypass, blind-spot, grid, false-alarm or flood; repeatable. [default: evasion]",
    ),
]
Searches = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="NAME",
        help="random, beam, evolution, bandit or gradient; repeatable. [default: bandit, and random beside it]",
    ),
]
Queries = Annotated[
    int, typer.Option("--budget", metavar="N", help="Edited texts of each event that the bundle is asked about.")
]
Families = Annotated[
    list[str] | None, typer.Option("--family", metavar="NAME", help="Attack this family; repeatable. [default: all]")
]
Sample = Annotated[
    int, typer.Option("--events", metavar="N", help="Events that are attacked, evenly over the families.")
]
Triggers = Annotated[
    int,
    typer.Option(
        "--triggers",
        metavar="N",
        help="Texts that the bundle is asked about in search of words that make any attack benign; 0: none.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(
        "--unlabelled",
        metavar="FILE",
        help="Events of your own, labels ignored: where student and full model part on them; repeatable.",
    ),
]
FamilyColumn = Annotated[
    str | None, typer.Option("--family-column", metavar="COLUMN", help="Column with the kind of attack.")
]

HELP = """Look for edited events that fool a bundle and still do what they did.

Small edits that keep the meaning are searched for those that make the student say benign alone while the full model
says attack. What is found is proved to be an attack still, by running or parsing it; shortened to its fewest edits; and
held against what the same attack makes of the student before quantization, of a control and of the linear baseline, so
that it shows what compression is to blame for. Bundles on this machine are attacked, never servers. --replay ends with
exit code 1 if a case fools the bundle.

\b
Examples:
  overproof attack bundle test.csv.gz --full teacher --evidence evidence --out attacked
  overproof attack bundle test.csv.gz --full teacher --family sqli --budget 100 --search beam
  overproof attack next-bundle --replay attacked/attack.jsonl
"""


def run(
    bundle: Bundle,
    events: AttackedEvents = None,
    full: FullModel = None,
    evidence: Evidence = None,
    out: Out = None,
    replay: Replay = None,
    objective: Objectives = None,
    search: Searches = None,
    budget: Queries = BUDGET,
    family: Families = None,
    sample: Sample = EVENTS,
    check: CheckFile = None,
    max_escalations: MaxEscalations = None,
    triggers: Triggers = TRIGGERS,
    unlabelled: Unlabelled = None,
    text: Text = None,
    label: Label = None,
    family_column: FamilyColumn = None,
    group: Group = None,
    time: Time = None,
    rejects: Rejects = None,
    seed: Seed = 0,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Look for edited events that fool a bundle and still do what they did."""
    import overproof

    trust = trust_of(verify_key, verify_certificates)
    if replay is not None:
        if events:
            raise InputError(f"{events[0]}: --replay takes no EVENTS, the cases are what is judged")
        replayed = overproof.replay(bundle, replay, check=check, max_escalations=max_escalations, trust=trust)
        show_gated(replayed, as_json)
        return
    if not events:
        raise InputError("no EVENTS: expected labelled events, or --replay attack.jsonl")
    from overproof.jobs.attack_config import AttackConfig

    report = overproof.attack(
        bundle,
        events,
        full=full,
        evidence=evidence,
        out=out,
        objectives=objective or AttackConfig.objectives,
        searches=search or AttackConfig.searches,
        budget=budget,
        families=family or (),
        sample=sample,
        check=check,
        max_escalations=max_escalations,
        columns=columns_of(text, label, family_column, group, time),
        rejects=rejects,
        seed=seed,
        triggers=triggers,
        unlabelled=unlabelled,
        trust=trust,
        console=terminal(),
    )
    show(report, as_json)
