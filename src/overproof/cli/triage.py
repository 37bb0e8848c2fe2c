"""Judge events with a bundle: `overproof triage`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.arrow_alone import start_arrow_alone
from overproof.cli.options import (
    Address,
    AsJson,
    Bundle,
    CheckFile,
    DeployedOnFullDown,
    Engine,
    ExceptionRules,
    Format,
    FullModel,
    MaxEscalations,
    NeverAlone,
    Rejects,
    Sources,
    Text,
    VerifyCertificates,
    VerifyKey,
    columns_of,
    trust_of,
)
from overproof.cli.output import show
from overproof.cli.places import a_file_or_stream
from overproof.files import open_number, results
from overproof.progress import SILENT, terminal

VerdictsOut = Annotated[
    str,
    typer.Option("--out", parser=a_file_or_stream, metavar="FILE", help="Where the verdicts go; - is standard output."),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="jsonl, parquet, ocsf (Detection Finding), ecs or table. [default: by FILE's name, else jsonl; on a "
        "terminal table]",
    ),
]
Follow = Annotated[bool, typer.Option("--follow", help="Go on as the files grow, through rotation, until Ctrl-C.")]
Workers = Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Processes that judge.")]
MinSeverity = Annotated[
    str | None,
    typer.Option(
        "--min-severity",
        help="Write only verdicts from this on: informational, low, medium, high or critical. [default: in a table "
        "low, which leaves out what was decided as benign, else informational]",
    ),
]
TopCount = Annotated[
    int | None, typer.Option("--top", min=1, metavar="N", help="Write only the N gravest, the gravest first.")
]
GroupSimilar = Annotated[
    bool, typer.Option("--group-similar", help="Give alerts that resemble each other the same group.")
]
GroupCampaigns = Annotated[
    str | None,
    typer.Option(
        "--group-campaigns",
        metavar="TIME",
        help="Write one finding for all alerts of one source and family within 90s, 10m, 2h or 1d.",
    ),
]
WithText = Annotated[bool, typer.Option("--with-text", help="Keep each event's text in its verdict.")]
Explain = Annotated[
    bool | None,
    typer.Option(
        "--explain/--no-explain",
        help="Tell which spans of an alert's text carried its verdict. [default: in ocsf, ecs and table, of 64 of a "
        "batch]",
    ),
]
TechniquesFile = Annotated[
    Path | None,
    typer.Option(
        "--techniques",
        metavar="FILE",
        help="JSON: families to techniques of ATT&CK that ocsf and ecs name in place of the built-in ones.",
    ),
]


TABLE = "table"

HELP = """Judge events with a bundle; what it cannot be trusted with goes to the full model.

A verdict keeps both answers, who decided and why (docs/verdict-schema.md); verdicts come in the order of the
events: on a terminal a table of the alerts and of what nobody decided, else JSON lines, or what --to and FILE ask for.
Memory stays flat on any length of input. A run into a FILE that was killed goes on where it stood when it is started
again. A summary goes to standard error, or with --out FILE to standard output.

\b
Examples:
  overproof triage bundle access.log
  overproof triage bundle access.log capture.pcap conn.log > verdicts.jsonl
  overproof triage bundle eve.json.gz --full teacher --check proof/check.json \\
      --to ocsf --out findings.jsonl
  overproof triage bundle pool.parquet --workers 2 --out verdicts.parquet
  overproof triage bundle --follow /var/log/nginx/access.log | jq 'select(.attack > 0.9)'
"""


def run(
    bundle: Bundle,
    sources: Sources = None,
    full: FullModel = None,
    check: CheckFile = None,
    max_escalations: MaxEscalations = None,
    on_full_down: DeployedOnFullDown = None,
    never_alone: NeverAlone = None,
    out: VerdictsOut = "-",
    to: To = None,
    format: Format = "auto",
    text: Text = None,
    follow: Follow = False,
    workers: Workers = 1,
    engine: Engine = "local",
    address: Address = None,
    min_severity: MinSeverity = None,
    top: TopCount = None,
    group_similar: GroupSimilar = False,
    group_campaigns: GroupCampaigns = None,
    with_text: WithText = False,
    explain: Explain = None,
    techniques: TechniquesFile = None,
    exceptions: ExceptionRules = None,
    rejects: Rejects = None,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Judge events with a bundle; what it cannot be trusted with goes to the full model."""
    start_arrow_alone()
    from overproof.events.sources import Reading
    from overproof.inference.sinks import severity
    from overproof.inference.sinks.techniques import read_techniques
    from overproof.inference.stream import Request
    from overproof.inference.stream.campaigns import parse_window
    from overproof.jobs.deploy_config import CascadeConfig, TriageConfig
    from overproof.jobs.triage import triage

    if to is None and out == "-" and results().isatty():
        to = TABLE
    console = terminal()
    if "-" in (sources or ["-"]) and sys.stdin is not None and sys.stdin.isatty():
        console.say("Reading events from standard input, one a line; Ctrl-D ends them.")
        console = replace(console, progress=SILENT.progress)  # a bar would wipe out what is being typed
    request = Request(
        tuple(sources or ["-"]),
        out=out,
        to=to,
        reading=Reading(columns_of(text, None, None, None, None), format),
        follow=follow,
        min_severity=severity.parse(min_severity or ("low" if to == TABLE else "informational")),
        top=top,
        group_similar=group_similar,
        group_campaigns=None if group_campaigns is None else parse_window(group_campaigns),
        with_text=with_text,
        explain=explain,
        techniques={} if techniques is None else read_techniques(techniques),
    )
    never = tuple(never_alone) if never_alone else None
    cascade = CascadeConfig(full or None, check, max_escalations, on_full_down, never)
    trust = trust_of(verify_key, verify_certificates)
    config = TriageConfig(bundle, request, cascade, workers, engine, address, rejects, trust, exceptions)
    summary = triage(config, console=console)
    if out == "-" or open_number(out) == 1:  # verdicts stand alone, by whatever name
        console.say(summary.render())
    else:
        show(summary, as_json)
