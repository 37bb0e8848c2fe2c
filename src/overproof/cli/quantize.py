"""Quantize a bundle or any ONNX classifier: `overproof quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    AsJson,
    Benign,
    Cache,
    Family,
    Label,
    MaxFlips,
    MaxKl,
    MaxRecallLoss,
    Precision,
    Qat,
    Rejects,
    Seed,
    Text,
    columns_of,
    guards_of,
)
from overproof.cli.output import show_gated
from overproof.cli.places import a_folder
from overproof.jobs.config import QuantizeConfig, QuantizeJobConfig
from overproof.progress import terminal

QatTeacher = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="SPEC[@WEIGHT]",
        help="Whom --qat learns from, as for `compress`; also trains where the guards break. [default: MODEL itself]",
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
NewEvents = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Events that nothing is chosen by, to measure the result on and to decide the guards by; repeatable. "
        "[default: the guards are decided on half of those held back]",
    ),
]
QuantizedOut = Annotated[Path, typer.Option("--out", parser=a_folder, metavar="DIR", help="The folder to write.")]
Observer = Annotated[
    str, typer.Option("--observer", help="What chooses the ranges of activations: minmax, percentile, mse, entropy.")
]


AuditFlag = Annotated[
    bool,
    typer.Option(
        "--audit",
        help="Look for behaviour that only the quantized model shows, in events, edits of them and words put into "
        "them; exit code 1 where some is found.",
    ),
]

HELP = """Quantize a bundle or any ONNX classifier, and keep in float what the guards cannot bear.

Part of the events fixes the ranges of activations; on the others every layer is measured, alone and left out.
While a guarded figure lies above its limit, the worst layers stay in float. Whether the guards hold, with 95 %
confidence, is then decided on events that chose nothing: those of --test, or half of those held back. Ends with exit
code 1 if some guard is not shown to hold, or --audit finds behaviour that float does not show; the best that was found
is then in OUT.failed.

\b
Examples:
  overproof quantize teacher --calibrate train.csv.gz --out teacher-int8
  overproof quantize waf.onnx --calibrate requests.jsonl --max-flips 1% \\
      --max-recall-loss sqli=1% --out waf-int8
  overproof quantize flows.onnx --calibrate flows.csv --precision w4a8 --max-kl 0.001 --out flows-int4
"""


def run(
    model: Quantizable,
    calibrate: Calibrate,
    out: QuantizedOut,
    precision: Precision = QuantizeConfig.precision,
    observer: Observer = QuantizeConfig.observer,
    max_flips: MaxFlips = None,
    max_kl: MaxKl = None,
    max_recall_loss: MaxRecallLoss = None,
    qat: Qat = QuantizeConfig.qat,
    teacher: QatTeacher = None,
    test: NewEvents = None,
    text: Text = None,
    label: Label = None,
    family: Family = None,
    benign: Benign = None,
    rejects: Rejects = None,
    cache: Cache = None,
    seed: Seed = QuantizeJobConfig.seed,
    audit: AuditFlag = False,
    as_json: AsJson = False,
) -> None:
    """Quantize a bundle or any ONNX classifier, and keep in float what the guards cannot bear."""
    report = overproof.quantize(
        model,
        calibrate_on=calibrate,
        out=out,
        precision=precision,
        observer=observer,
        guards=guards_of(max_flips, max_kl, max_recall_loss),
        qat=qat,
        teacher=teacher,
        test=test,
        columns=columns_of(text, label, family, None, None),
        benign=benign,
        rejects=rejects,
        cache=cache,
        seed=seed,
        audit=audit,
        console=terminal(),
    )
    show_gated(report, as_json)
