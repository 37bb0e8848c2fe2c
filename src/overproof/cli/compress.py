"""Distil and quantize a teacher into a bundle: `overproof compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    Address,
    AsJson,
    Benign,
    Cache,
    Engine,
    Epochs,
    Events,
    Family,
    Group,
    Label,
    MaxFlips,
    MaxKl,
    MaxRecallLoss,
    Precision,
    Qat,
    Rejects,
    Seed,
    Test,
    Text,
    Time,
    benign_of,
    columns_of,
    guards_of,
    share_of,
)
from overproof.cli.output import show_gated
from overproof.cli.places import a_folder
from overproof.jobs.config import CheckSettings, CompressConfig, DataConfig, DistillConfig, QuantizeConfig, RunOptions
from overproof.progress import terminal

Teacher = Annotated[
    list[str],
    typer.Option(
        "--teacher",
        metavar="SPEC[@WEIGHT]",
        help="DIR that `overproof teach` wrote or a Hugging Face checkpoint; FILE.onnx; module:attribute with "
        "predict_proba; labels:FILE or columns:PREFIX of soft labels; ngram, which is trained on EVENTS first. Repeat "
        "it to average several.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option("--unlabelled", metavar="FILE", help="More events, which the teacher alone labels; repeatable."),
]
FeedbackFolders = Annotated[
    list[str] | None,
    typer.Option(
        "--feedback",
        metavar="DIR[@WEIGHT]",
        help="A folder of `overproof feedback`: events that analysts corrected, shown WEIGHT times as often as others "
        "under their labels; repeatable, the oldest first.",
    ),
]
Student = Annotated[
    str,
    typer.Option(
        "--student",
        metavar="PRESET",
        help="Size of the student; an unknown name lists them all. auto makes five and takes the smallest that holds "
        "the guards and misses no more attacks than --margin allows.",
    ),
]
First = Annotated[
    str | None,
    typer.Option(
        "--first",
        metavar="PRESET",
        help="A faster student in front, of the same soft labels: it decides what it is sure of, --student the rest.",
    ),
]
Harden = Annotated[
    bool,
    typer.Option(
        "--harden",
        help="Attack the student with edits of training attacks, train it again with what came nearest to fooling it, "
        "and so on until edits of validation attacks fool it no less often; each round takes a training.",
    ),
]
HardenRounds = Annotated[int, typer.Option("--harden-rounds", metavar="N", min=1, help="Rounds of --harden at most.")]
HardenFamilies = Annotated[
    list[str] | None,
    typer.Option("--harden-family", metavar="FAMILY", help="Harden by this family alone; repeatable. [default: all]"),
]
Temperature = Annotated[
    float, typer.Option("--temperature", help="T: above 1 shows more of what the teacher hesitates between.")
]
HardWeight = Annotated[
    float, typer.Option("--hard-weight", min=0.0, max=1.0, help="Share of the true labels in the loss.")
]
Transfer = Annotated[
    float | None,
    typer.Option(
        "--transfer",
        min=0.0,
        help="Edited events per event of EVENTS, which the teacher alone labels; by default half as many, and none for "
        "a student that reads n-grams.",
        show_default=False,
    ),
]
Consistency = Annotated[
    float | None,
    typer.Option(
        "--consistency",
        min=0.0,
        help="Harmless edits per event of EVENTS (case, encodings, white space, padding), under the teacher's answer "
        "for the event as it was; by default the student's preset decides, as of --joined.",
        show_default=False,
    ),
]
Joined = Annotated[
    float | None,
    typer.Option(
        "--joined",
        min=0.0,
        help="Lists per event of EVENTS (it among benign ones, with separators), under the teacher's answer for the "
        "event alone.",
        show_default=False,
    ),
]
Pool = Annotated[
    int,
    typer.Option(
        "--pool",
        metavar="N",
        min=0,
        help="Snippets of any text, which the teacher alone labels: they carry over what it knows.",
    ),
]
PoolFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--pool-from",
        metavar="PATH",
        help="File or folder that the snippets are drawn from, or `installed` (the default): the text of the "
        "interpreter's library and of installed packages; repeatable.",
    ),
]
PoolChoice = Annotated[
    str,
    typer.Option(
        "--pool-choice",
        metavar="HOW",
        help="random; or disagreement: of four times N, those where the teacher and a linear model disagree or the "
        "teacher is unsure, and as many random ones.",
    ),
]
BundleOut = Annotated[Path, typer.Option("--out", parser=a_folder, metavar="BUNDLE", help="The folder to write.")]
KeepFp32 = Annotated[
    Path | None,
    typer.Option(
        "--keep-fp32", parser=a_folder, metavar="DIR", help="Keep the student before quantization, for `quantize`."
    ),
]
Evidence = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        parser=a_folder,
        metavar="DIR",
        help="Write what `check` needs and nobody deploys: the FP32 student, a second one, the baseline, events.",
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


HELP = """Distil and quantize a teacher into a bundle.

A small student learns from the teacher's probabilities, is quantized to INT8, and is compared at every step
with the teacher and with a linear baseline. The bundle runs without torch.

Guards limit what quantization may cost. Where validation events exceed them, the worst layers stay in float, or
the student is trained with the rounding. Whether they hold is decided on the test events, with 95 % confidence; if
one is not shown to hold, the exit code is 1 and the best that was found is in BUNDLE.failed.

\b
Examples:
  overproof compress train.csv.gz --teacher teacher --out bundle
  overproof compress train.csv.gz --test test.csv.gz --teacher mypackage.model:pipeline --out bundle
  overproof compress train.csv.gz --teacher ./MiniLM@2 --teacher ngram --out bundle
  overproof compress train.csv.gz --teacher teacher --student ngram-student --harden --out bundle
  overproof compress train.csv.gz --teacher teacher --student auto --max-flips 1% --out bundle
  overproof compress train.csv.gz --teacher ./MiniLM --pool 40000 \\
      --pool-from installed --pool-from src/ --out bundle
  overproof compress train.csv.gz --teacher teacher --precision w4a8 --qat \\
      --max-recall-loss sqli=1% --out bundle
"""


def run(
    events: Events,
    teacher: Teacher,
    out: BundleOut,
    test: Test = None,
    unlabelled: Unlabelled = None,
    feedback: FeedbackFolders = None,
    student: Student = DistillConfig.student,
    temperature: Temperature = DistillConfig.temperature,
    hard_weight: HardWeight = DistillConfig.hard_weight,
    transfer: Transfer = DistillConfig.transfer,
    consistency: Consistency = DistillConfig.consistency,
    joined: Joined = DistillConfig.joined,
    pool: Pool = DistillConfig.pool,
    pool_from: PoolFrom = None,
    pool_choice: PoolChoice = DistillConfig.pool_choice,
    first: First = None,
    harden: Harden = DistillConfig.harden,
    harden_rounds: HardenRounds = DistillConfig.harden_rounds,
    harden_family: HardenFamilies = None,
    epochs: Epochs = None,
    text: Text = None,
    label: Label = None,
    family: Family = None,
    group: Group = None,
    time: Time = None,
    benign: Benign = None,
    rejects: Rejects = None,
    cache: Cache = None,
    precision: Precision = QuantizeConfig.precision,
    qat: Qat = QuantizeConfig.qat,
    max_flips: MaxFlips = None,
    max_kl: MaxKl = None,
    max_recall_loss: MaxRecallLoss = None,
    keep_fp32: KeepFp32 = None,
    evidence: Evidence = None,
    margin: Margin = f"{CheckSettings.margin:.1%}",
    engine: Engine = RunOptions.engine,
    address: Address = None,
    seed: Seed = CompressConfig.seed,
    as_json: AsJson = False,
) -> None:
    """Distil and quantize a teacher into a bundle."""
    report = overproof.compress(
        events,
        teacher=teacher,
        out=out,
        test=test,
        unlabelled=unlabelled,
        feedback=feedback or DataConfig.feedback,
        student=student,
        first=first,
        harden=harden,
        harden_rounds=harden_rounds,
        harden_families=harden_family or DistillConfig.harden_families,
        temperature=temperature,
        hard_weight=hard_weight,
        transfer=transfer,
        consistency=consistency,
        joined=joined,
        pool=pool,
        pool_from=pool_from or DistillConfig.pool_from,
        pool_choice=pool_choice,
        epochs=epochs,
        columns=columns_of(text, label, family, group, time),
        benign=benign_of(benign),
        rejects=rejects,
        cache=cache,
        keep_fp32=keep_fp32,
        evidence=evidence,
        margin=share_of("--margin", margin),
        precision=precision,
        guards=guards_of(max_flips, max_kl, max_recall_loss),
        qat=qat,
        engine=engine,
        address=address,
        seed=seed,
        console=terminal(),
    )
    show_gated(report, as_json)
