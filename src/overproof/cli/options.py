"""What several commands of the command line take, said once: their arguments and options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overproof.errors import InputError

if TYPE_CHECKING:
    from overproof.events.sources import Columns
    from overproof.quantization.guards import Guards


def _init_gate(path: Path | None) -> None:
    if path is not None:
        from overproof.checks.gates import write_template

        write_template(path)
        typer.echo(f"Gates: {path}", err=True)
        raise typer.Exit


Events = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENTS",
        help="Tables of labelled events: csv, jsonl or parquet, plain or .gz or .zst; - is standard input.",
    ),
]
Text = Annotated[str | None, typer.Option("--text", metavar="COLUMN", help="Column that holds the event itself.")]
Label = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="Column with what the model predicts.")]
Family = Annotated[str | None, typer.Option("--family", metavar="COLUMN", help="Column with the kind of attack.")]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="COLUMN", help="Column that splits keep together: flow, host, session."),
]
Time = Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="Column with the event's time.")]
Benign = Annotated[
    list[str] | None,
    typer.Option("--benign", metavar="NAME", help="A label that is harmless; repeatable. [default: benign, normal]"),
]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Keep the rows that cannot be read here, each with its reason."),
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed and the same events give the same result.")]
Test = Annotated[
    list[str] | None,
    typer.Option("--test", metavar="FILE", help="Events to measure on; repeatable. [default: a split of EVENTS]"),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Passes over the events at most. [default: the preset's]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder that `overproof compress` wrote.")]
Layer = Annotated[
    str | None, typer.Option("--layer", metavar="NAME", help="Show one layer's grid; an unknown name lists them all.")
]
Layers = Annotated[bool, typer.Option("--layers", help="Show what quantization did to every layer, a line each.")]
Sensitivity = Annotated[
    bool,
    typer.Option("--sensitivity", help="Show what every layer costs alone and left out, the search and its guards."),
]
Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Draw the layer, or the sensitivity, into this file too.")
]
LessonBundle = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="BUNDLE", help="Show each step on this bundle. [default: the built-in traffic]"),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the lesson as one offline page.")]
Preset = Annotated[
    str, typer.Option("--preset", help="Size of a teacher trained from scratch; an unknown name lists them all.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Fine-tune this local Hugging Face checkpoint instead."),
]
Teacher = Annotated[
    list[str],
    typer.Option(
        "--teacher",
        metavar="SPEC[@WEIGHT]",
        help="DIR that `overproof teach` wrote or a Hugging Face checkpoint; FILE.onnx; module:attribute with "
        "predict_proba; labels:FILE or columns:PREFIX of soft labels. Repeat it to average several.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option("--unlabelled", metavar="FILE", help="More events, which the teacher alone labels; repeatable."),
]
Student = Annotated[
    str, typer.Option("--student", metavar="PRESET", help="Size of the student; an unknown name lists them all.")
]
Temperature = Annotated[
    float, typer.Option("--temperature", help="T: above 1 shows more of what the teacher hesitates between.")
]
HardWeight = Annotated[
    float, typer.Option("--hard-weight", min=0.0, max=1.0, help="Share of the true labels in the loss.")
]
Transfer = Annotated[
    float,
    typer.Option("--transfer", min=0.0, help="Edited events per event of EVENTS, which the teacher alone labels."),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Keep the teacher's answers here, so that a second run costs nothing. [default: the user's cache]",
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="What to judge: pcap, Zeek, Suricata EVE, access logs, syslog, csv, jsonl, parquet, plain lines, also .gz "
        "or .zst; - or nothing is standard input.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="pcap, zeek, suricata, accesslog, syslog, csv, tsv, jsonl, parquet or lines; auto goes by content, then "
        "by name.",
    ),
]
InReserve = Annotated[
    str | None,
    typer.Option(
        "--full",
        metavar="SPEC",
        help="The full model, for what the bundle cannot be trusted with: a bundle, a checkpoint's folder, or "
        "http(s)://… of a text-classification service (token in OVERPROOF_FULL_TOKEN).",
    ),
]
Guarantee = Annotated[
    Path | None,
    typer.Option(
        "--check",
        metavar="FILE",
        help="check.json of `overproof check`: escalate by its threshold, which carries a guarantee. [default: the "
        "events the bundle is least sure of, up to half the budget; novel ones may take a quarter in either case]",
    ),
]
MaxEscalations = Annotated[
    str,
    typer.Option(
        "--max-escalations",
        metavar="SHARE|RATE",
        help="What may go to the full model: 5% of the events, or 20/s. What exceeds it is marked deferred.",
    ),
]
OnFullDown = Annotated[
    str,
    typer.Option(
        "--on-full-down", help="What becomes of its events when the full model does not answer: hold, student or fail."
    ),
]
NeverAlone = Annotated[
    list[str] | None,
    typer.Option("--never-alone", metavar="LABEL", help="A label the bundle may not decide alone; repeatable."),
]
VerdictsOut = Annotated[str, typer.Option("--out", metavar="FILE", help="Where the verdicts go; - is standard output.")]
To = Annotated[
    str | None,
    typer.Option("--to", help="jsonl, parquet, ocsf (Detection Finding) or ecs. [default: by FILE's name, else jsonl]"),
]
Follow = Annotated[bool, typer.Option("--follow", help="Go on as the files grow, through rotation, until Ctrl-C.")]
Workers = Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Processes that judge.")]
Engine = Annotated[
    str, typer.Option("--engine", help="local, or ray: ask the models on a Ray cluster (pip install 'overproof[ray]').")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="The Ray cluster's. [default: one on this machine]"),
]
MinSeverity = Annotated[
    str,
    typer.Option(
        "--min-severity", help="Write only verdicts from this on: informational, low, medium, high or critical."
    ),
]
TopCount = Annotated[
    int | None, typer.Option("--top", min=1, metavar="N", help="Write only the N gravest, the gravest first.")
]
GroupSimilar = Annotated[
    bool, typer.Option("--group-similar", help="Give alerts that resemble each other the same group.")
]
KnownEvents = Annotated[
    Path | None, typer.Option("--index", metavar="INDEX", help="What `overproof index` wrote, for /similar.")
]
Host = Annotated[str, typer.Option("--host", help="Address to answer at; beyond this machine a token is needed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="The bearer token. [default: OVERPROOF_TOKEN, if set]"),
]
IndexOut = Annotated[Path, typer.Option("--out", metavar="INDEX", help="The folder to write.")]
Index = Annotated[Path, typer.Argument(metavar="INDEX", help="A folder that `overproof index` wrote.")]
Asked = Annotated[
    str | None, typer.Argument(metavar="EVENT", help="The event itself. [default: every event of --events]")
]
AskedFiles = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="FILE", help="Files of events to ask about; - or nothing is standard input."),
]
Neighbours = Annotated[int, typer.Option("--count", "-k", min=1, metavar="N", help="Neighbours to tell.")]
WithText = Annotated[bool, typer.Option("--with-text", help="Keep each event's text in its verdict.")]
DemoOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the events, the teacher and the bundle go.")]
TeacherOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the teacher is written.")]
BundleOut = Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="The folder to write.")]

Qat = Annotated[
    bool, typer.Option("--qat", help="Train with the rounding, under the teacher, even where the guards do not ask.")
]
QatTeacher = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="SPEC[@WEIGHT]",
        help="Whom --qat learns from, as for `compress`; also trains where the guards break. [default: MODEL itself]",
    ),
]
KeepFp32 = Annotated[
    Path | None,
    typer.Option("--keep-fp32", metavar="DIR", help="Keep the student before quantization, for `quantize`."),
]
Evidence = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        metavar="DIR",
        help="Keep what `check` needs and nobody deploys: the student in FP32, one trained again, baseline, events.",
    ),
]
Margin = Annotated[
    str,
    typer.Option(
        "--margin",
        metavar="SHARE",
        help="Recall that may be lost against the full model, fixed before anything is measured: 0.005 or 0.5%.",
    ),
]
Quantizable = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A bundle with an FP32 model, or FILE.onnx with tokenizer.json and labels.json or config.json beside it; "
        "one whose input is a tensor of floats needs no tokenizer.",
    ),
]
Calibrate = Annotated[
    list[str],
    typer.Option(
        "--calibrate",
        metavar="FILE",
        help="Events as the model will meet them, with labels where there are some; repeatable. For a tensor: csv or "
        "parquet whose columns of numbers are the features, or npz with x, label, family.",
    ),
]
QuantizedOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.")]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="w8a8: INT8. w4a8: 4-bit weights, INT8 arithmetic. w4a32: 4-bit weights in groups of 32, activations in "
        "float in the file.",
    ),
]
Observer = Annotated[
    str, typer.Option("--observer", help="What chooses the ranges of activations: minmax, percentile, mse, entropy.")
]
MaxFlips = Annotated[
    str | None, typer.Option("--max-flips", metavar="SHARE", help="Labels that may change, such as 0.0005 or 0.05%.")
]
MaxKl = Annotated[
    float | None, typer.Option("--max-kl", metavar="NATS", help="Mean KL(float || quantized) that is allowed.")
]
MaxRecallLoss = Annotated[
    list[str] | None,
    typer.Option(
        "--max-recall-loss",
        metavar="FAMILY=SHARE",
        help="Attacks of that family that may be lost; 0 allows none of those held back. Repeatable.",
    ),
]


CheckedEvents = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENTS", help="Labelled events of your own that nothing was trained on; - is standard input."
    ),
]
Full = Annotated[
    list[str] | None,
    typer.Option(
        "--full", metavar="SPEC[@WEIGHT]", help="The full model, as `compress --teacher` takes it; repeatable."
    ),
]
KeptEvidence = Annotated[
    Path | None,
    typer.Option("--evidence", metavar="DIR", help="What `overproof compress --evidence DIR` kept for this bundle."),
]
CheckOut = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write report.html, check.json, summary.md and check.sarif there."),
]
GateFile = Annotated[
    Path | None,
    typer.Option("--gate", metavar="FILE", help="Gates that were written down before the run. [default: built in]"),
]
InitGate = Annotated[
    Path | None,
    typer.Option(
        "--init-gate",
        metavar="FILE",
        callback=_init_gate,
        is_eager=True,
        help="Write a gate file with sane limits, each explained, and leave.",
    ),
]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out",
        metavar="FAMILY",
        help="Train teacher, student and baseline without this family, then judge them on it; repeatable; all-rare is "
        "each with under 1 % of the training events. Takes a compression each; kept in the evidence.",
    ),
]
RetrainFrom = Annotated[
    Path | None,
    typer.Option(
        "--retrain-from",
        metavar="DIR",
        help="For --hold-out: the checkpoint a Hugging Face teacher is fine-tuned from, which never saw the family.",
    ),
]
EventsPerDay = Annotated[
    float | None, typer.Option("--events-per-day", metavar="N", help="Your volume, to tell alerts per day.")
]
Prevalence = Annotated[
    str | None,
    typer.Option("--prevalence", metavar="SHARE", help="Share of your events that are attacks: 0.001 or 0.1%."),
]
Budget = Annotated[
    str, typer.Option("--budget", metavar="SHARE", help="Share of events that may go to the full model.")
]
IKnow = Annotated[
    bool,
    typer.Option("--i-know", help="Judge by public or simulated events all the same; the report says that you did."),
]


def guards_of(max_flips: str | None, max_kl: float | None, max_recall_loss: list[str] | None) -> Guards | None:
    """The guards that the options ask for; None if they ask for none."""
    from overproof.quantization.guards import Guards

    families = {}
    for given in max_recall_loss or []:
        family, equals, share = given.rpartition("=")
        if not equals or not family:
            raise InputError(f"--max-recall-loss {given}: expected FAMILY=SHARE, such as sqli=0.01 or sqli=1%")
        families[family] = share_of("--max-recall-loss", share)
    return Guards(None if max_flips is None else share_of("--max-flips", max_flips), max_kl, families) or None


def share_of(option: str, text: str) -> float:
    """0.005 and 0.5% alike."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise InputError(f"{option} {text}: expected a share such as 0.005, or a percentage such as 0.5%") from None


def columns_of(text: str | None, label: str | None, family: str | None, group: str | None, time: str | None) -> Columns:
    """The column mapping that the options ask for."""
    from overproof.events.sources import Columns

    return Columns(text=text, label=label, family=family, group=group, time=time)


def benign_of(names: list[str] | None) -> tuple[str, ...]:
    """The harmless labels that the options ask for."""
    from overproof.events.labels import DEFAULT_BENIGN

    return tuple(names) if names else DEFAULT_BENIGN
