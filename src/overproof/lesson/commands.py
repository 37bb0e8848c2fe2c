"""Name for each step the command that does it for real, on the user's bundle where there is one."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.lesson.blocks import Command
from overproof.lesson.user_data import UserData

BUNDLE, EVENTS, OWN_EVENTS, TEACHER, EVIDENCE = "bundle", "train.csv.gz", "mine.csv.gz", "teacher", "evidence"
LAYER = "head.weight"  # of every student that `compress` makes


def commands(user: UserData) -> Mapping[str, tuple[Command, ...]]:
    """Return the commands of each step that has some, by its key."""
    bundle = BUNDLE if user.bundle is None else str(user.bundle)
    bundle = f"./{bundle}" if bundle.startswith("-") else bundle
    out = BUNDLE if user.bundle is None else f"new-{BUNDLE}"  # the user's own is not written over
    distil = ("compress", EVENTS, "--teacher", TEACHER)
    against = (bundle, OWN_EVENTS, "--full", TEACHER, "--evidence", EVIDENCE)
    teach = _command("trains a teacher, whose probabilities are the soft labels.", "teach", EVENTS, "--out", TEACHER)
    softened = ("--temperature", f"{user.temperature:g}")
    return {
        "soft": (teach,),
        "hard": (
            _command(
                "learns from soft labels that exist already, of whatever gave them: a column of probabilities a class.",
                *(*distil[:-1], "columns:p_", "--out", out),
            ),
        ),
        "temperature": (_command("distils at this temperature.", *distil, *softened, "--out", out),),
        "loss": (
            _command(
                "minimizes this loss, mixed with that of the true labels.",
                *(*distil, *softened, "--hard-weight", f"{user.hard_weight:g}", "--out", out),
            ),
        ),
        "sizes": (
            _command(
                "makes five students and takes the smallest that misses no more attacks than it may.",
                *(*distil, "--student", "auto", "--out", out),
            ),
        ),
        "reading": (
            _command("makes a student of n-grams.", *distil, "--student", "ngram-student", "--out", out),
            _command("marks what carried an alert, n-grams or tokens.", "triage", bundle, "access.log", "--explain"),
        ),
        "range": _layers(user, bundle)[:1],
        "quantize": (
            _command(
                "chooses the ranges, quantizes, and keeps in float what cannot bear it; compress with "
                "--keep-fp32 fp32 wrote the student before that.",
                *("quantize", "fp32", "--calibrate", EVENTS, "--out", "int8"),
            ),
        ),
        "grid": _layers(user, bundle)[1:],
        "memory": (_command("shows sizes, before and after, and what fills them.", "inspect", bundle),),
        "redteam": (
            _command(
                "looks for such edits of your own events: what it finds fools INT8 and not FP32.",
                *("attack", *against, "--objective", "grid", "--out", "grid-edits"),
            ),
        ),
        "combined": (
            *((_command("does all of it on this traffic.", "demo", "--out", "out"),) if user.bundle is None else ()),
            _command("proves on your own events what both steps lost.", "check", *against, "--out", "proof"),
            _command("attacks the student before and after quantization.", "attack", *against, "--out", "attacked"),
            _command("judges what comes in, with the full model in reserve.", *_triage(bundle)),
        ),
    }


def _command(does: str, *words: str) -> Command:
    return Command(("overproof", *words), does)


def _layers(user: UserData, bundle: str) -> tuple[Command, ...]:
    """Return what shows layers, and what draws one; nothing of a bundle that does not describe its layers."""
    if user.bundle is not None and user.layer is None:
        return ()
    name = LAYER if user.layer is None else user.layer.report.name
    return (
        _command("shows the grids of every layer.", "inspect", bundle, "--layers"),
        _command("draws a layer on its grid.", "inspect", bundle, "--layer", name, "--svg", "grid.svg"),
    )


def _triage(bundle: str) -> tuple[str, ...]:
    return ("triage", bundle, "access.log", "--full", TEACHER, "--check", "proof/check.json")
