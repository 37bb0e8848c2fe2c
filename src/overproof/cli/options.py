"""Define the arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overproof.cli.places import a_file
from overproof.errors import InputError

if TYPE_CHECKING:
    from overproof.bundle.signing import Trust
    from overproof.events.sources import Columns
    from overproof.quantization.guards import Guards

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
    typer.Option("--benign", metavar="NAME", help="A label that is benign; repeatable. [default: benign, normal]"),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects", parser=a_file, metavar="FILE", help="Keep the rows that cannot be read here, each with its reason."
    ),
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
        help="What to judge: pcap, Zeek, Suricata EVE, access logs, W3C logs, CEF, syslog, containers' logs, csv, "
        "jsonl, parquet, plain lines, also .gz or .zst; - or nothing is standard input.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="pcap, zeek, suricata, modsecurity, windows, evtx, auditd, journald, osquery, cloud, accesslog, w3c, cef, "
        "syslog, cri, docker, fluentd, envelope, csv, tsv, jsonl, json, parquet or lines; auto: by content, then by "
        "name.",
    ),
]
FullModel = Annotated[
    list[str] | None,
    typer.Option(
        "--full",
        metavar="SPEC[@WEIGHT]",
        help="The full model, for what the bundle cannot be trusted with: a bundle, a checkpoint's folder, … as "
        "`compress --teacher` takes it, repeatable; or http(s)://… of a text-classification service (token in "
        "OVERPROOF_FULL_TOKEN).",
    ),
]
CheckFile = Annotated[
    Path | None,
    typer.Option(
        "--check",
        metavar="FILE",
        help="check.json of `overproof check`: escalate by its threshold, which carries a guarantee for this bundle, "
        "full model and options, and is refused with any other. [default: the events the bundle is least sure of, up "
        "to half the budget; those out of distribution may take a tenth in either case]",
    ),
]
MaxEscalations = Annotated[
    str | None,
    typer.Option(
        "--max-escalations",
        metavar="SHARE|RATE",
        help="What may go to the full model: 5% of the events, or 20/s. What exceeds it is marked deferred. [default: "
        "what --check is of, else 5%]",
    ),
]
OnFullDown = Annotated[
    str,
    typer.Option(
        "--on-full-down", help="What happens to its events when the full model does not answer: hold, student or fail."
    ),
]
DeployedOnFullDown = Annotated[
    str | None,
    typer.Option(
        "--on-full-down",
        help="What happens to its events when the full model does not answer: hold, student or fail. [default: what "
        "--check is of, else hold]",
    ),
]
NeverAlone = Annotated[
    list[str] | None,
    typer.Option("--never-alone", metavar="LABEL", help="A label the bundle may not decide alone; repeatable."),
]
Engine = Annotated[
    str, typer.Option("--engine", help="local, or ray: ask the models on a Ray cluster (pip install 'overproof[ray]').")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="The Ray cluster's. [default: one on this machine]"),
]
Qat = Annotated[
    bool, typer.Option("--qat", help="Train with the rounding, under the teacher, even where the guards do not ask.")
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="w8a8: INT8. w4a8: 4-bit weights, INT8 arithmetic. w4a32: 4-bit weights in groups of 32, activations in "
        "float in the file.",
    ),
]
MaxFlips = Annotated[
    str | None, typer.Option("--max-flips", metavar="SHARE", help="Labels that may change, such as 0.005 or 0.5%.")
]
MaxKl = Annotated[
    float | None, typer.Option("--max-kl", metavar="NATS", help="Mean KL(float || quantized) that is allowed.")
]
MaxRecallLoss = Annotated[
    list[str] | None,
    typer.Option(
        "--max-recall-loss",
        metavar="FAMILY=SHARE",
        help="Attacks of that family, of those that the float model detects, that may be missed. Repeatable.",
    ),
]
Target = Annotated[
    Path, typer.Argument(metavar="TARGET", help="A bundle, an evidence folder, any other folder, or a file.")
]
SignatureFile = Annotated[
    Path | None,
    typer.Option(
        "--signature",
        parser=a_file,
        metavar="FILE",
        help="Where its signature is. [default: TARGET/model.sig, of a file TARGET.sig]",
    ),
]
VerifyKey = Annotated[
    Path | None,
    typer.Option(
        "--verify-key",
        metavar="FILE",
        help="The public key, in PEM, of whoever has to have signed it: what does not verify is refused (pip install "
        "'overproof[sign]').",
    ),
]
ExceptionRules = Annotated[
    Path | None,
    typer.Option(
        "--exceptions",
        metavar="FILE",
        help="Rules of `overproof exceptions`: alerts that they silence are marked and counted. With --verify-key or "
        "--verify-certificates it has to be signed too.",
    ),
]
VerifyCertificates = Annotated[
    Path | None,
    typer.Option(
        "--verify-certificates",
        metavar="FILE",
        help="Certificates of authorities, in PEM, of which one has to have issued the signer's: what does not verify "
        "is refused.",
    ),
]


def trust_of(verify_key: Path | None, verify_certificates: Path | None) -> Trust | None:
    """Return whose signatures count by the options; None if they do not say."""
    from overproof.bundle.signing import Trust

    if verify_key is None and verify_certificates is None:
        return None
    return Trust(verify_key, verify_certificates)


def guards_of(max_flips: str | None, max_kl: float | None, max_recall_loss: list[str] | None) -> Guards | None:
    """Return the guards that the options set; None if they set none."""
    from overproof.quantization.guards import Guards

    families = {}
    for given in max_recall_loss or []:
        family, equals, share = given.rpartition("=")
        if not equals or not family:
            raise InputError(f"--max-recall-loss {given}: expected FAMILY=SHARE, such as sqli=0.01 or sqli=1%")
        families[family] = share_of("--max-recall-loss", share)
    return Guards(None if max_flips is None else share_of("--max-flips", max_flips), max_kl, families) or None


def share_of(option: str, text: str) -> float:
    """Return a share that is given as 0.005 or as 0.5%."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise InputError(f"{option} {text}: expected a share such as 0.005, or a percentage such as 0.5%") from None


def columns_of(text: str | None, label: str | None, family: str | None, group: str | None, time: str | None) -> Columns:
    """Return the column mapping that the options set."""
    from overproof.events.sources import Columns

    return Columns(text=text, label=label, family=family, group=group, time=time)


def benign_of(names: list[str] | None) -> tuple[str, ...]:
    """Return the benign labels that the options set."""
    from overproof.events.labels import DEFAULT_BENIGN

    return tuple(names) if names else DEFAULT_BENIGN
