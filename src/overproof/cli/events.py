"""Write events as a table to label: `overproof events`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.arrow_alone import start_arrow_alone
from overproof.cli.options import AsJson, Benign, Format, Rejects, Sources, Text, benign_of, columns_of
from overproof.cli.output import show
from overproof.cli.places import a_file_or_stream
from overproof.files import open_number
from overproof.progress import terminal

EventsOut = Annotated[
    str,
    typer.Option(
        "--out", "-o", parser=a_file_or_stream, metavar="FILE", help="The table to write; - is standard output."
    ),
]
To = Annotated[str | None, typer.Option("--to", help="csv, jsonl or parquet. [default: by FILE's name, else csv]")]
LabelFrom = Annotated[
    Path | None,
    typer.Option(
        "--label-from",
        metavar="FILE",
        help="A Zeek notice.log or a Suricata eve.json: events of a flow or host that it warns of are malicious, their "
        "family is what the notice or the signature is called.",
    ),
]
AlertNames = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="NAME",
        help="Only alerts of this name count, in which * and ? stand for any characters; repeatable.",
    ),
]
Others = Annotated[
    str | None,
    typer.Option(
        "--others",
        metavar="LABEL",
        help="Label of what no alert is about, such as benign: a weak one, since what the rules miss has it too. "
        "[default: left empty]",
    ),
]
LabelWindow = Annotated[
    float,
    typer.Option(
        "--label-window",
        metavar="SECONDS",
        help="How long before and after an alert events of its addresses and ports are its events; one with a uid or "
        "flow_id needs no time.",
    ),
]
TeacherSpecs = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="SPEC[@WEIGHT]",
        help="Label by a teacher, as `compress --teacher` takes it, with its probabilities in columns p_CLASS; "
        "repeatable.",
    ),
]

HELP = """Write what `triage` would judge as a table with a column for labels.

The texts are those that `triage` judges. Labels are left empty, to be filled in by hand, or are those of an intrusion
detection system or of a teacher; the column labelled_by says whose. Memory stays flat on any length of input. What was
counted goes to standard error, or with --out FILE to standard output.

\b
Examples:
  overproof events capture.pcap access.log -o events.csv
  overproof events conn.log http.log --label-from notice.log -o events.parquet
  overproof events capture.pcap --label-from eve.json --alert 'ET *' --others benign -o events.csv
  overproof events capture.pcap --teacher teacher -o events.jsonl
"""


def run(
    sources: Sources = None,
    out: EventsOut = "-",
    to: To = None,
    format: Format = "auto",
    text: Text = None,
    label_from: LabelFrom = None,
    alert: AlertNames = None,
    others: Others = None,
    label_window: LabelWindow = 300.0,
    teacher: TeacherSpecs = None,
    benign: Benign = None,
    rejects: Rejects = None,
    as_json: AsJson = False,
) -> None:
    """Write what `triage` would judge as a table with a column for labels."""
    start_arrow_alone()
    from overproof.jobs.events import LabelConfig, write_events

    label = LabelConfig(label_from, tuple(alert or ()), others, label_window, tuple(teacher or ()), benign_of(benign))
    columns = columns_of(text, None, None, None, None)
    written = write_events(
        sources or ["-"],
        out=out,
        to=to,
        columns=columns,
        format=format,
        label=label,
        rejects=rejects,
        console=terminal(),
    )
    if out == "-" or open_number(out) == 1:  # the table stands alone, by whatever name
        terminal().say(written.render())
    else:
        show(written, as_json)
