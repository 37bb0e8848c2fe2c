"""Define the gates: what may be lost at most. They stand in a file before the run, or these are taken."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from overproof.checks.base import Gate, Gates
from overproof.errors import InputError
from overproof.files import atomic_write, regular_target
from overproof.progress import one_line

LONGEST = 100  # characters of a value that a message shows


@dataclass(frozen=True)
class Default:
    """A gate as it is by default, and what it says."""

    limit: float
    required: bool
    meaning: str


DEFAULTS = {
    "own-data/published": Default(
        0.0,
        True,
        "Events that look public or simulated (--accept-public-data judges by them; nothing is passed by it).",
    ),
    "own-data/full-model": Default(
        0.01, True, "Validation events that the full model labels otherwise than the teacher did; 1 allows any model."
    ),
    "own-data/leaked": Default(
        0.01, True, "Share of the events that is leaked: like training events, beyond what recurs by chance."
    ),
    "own-data/score-drift": Default(
        0.2,
        True,
        "KS distance of the student's attack scores from those of validation events, at the same share of attacks.",
    ),
    "own-data/field-drift": Default(0.3, False, "Largest distance of a field from the training events."),
    "calibration/error": Default(0.05, True, "ECE of the quantized student at its fitted temperature."),
    "calibration/against-full": Default(0.02, True, "By how much that ECE may exceed the full model's."),
    "calibration/threshold-drift": Default(
        0.01, True, "Points of false positives gained where the student takes over the full model's threshold for 1 %."
    ),
    "rare/pooled": Default(
        0.05, True, "Share of all events of rare families that the full model alone gets right, net."
    ),
    "rare/family": Default(
        0.05, False, "Events of each attack family that the full model alone gets right; gains do not make up for them."
    ),
    "rare/slices": Default(
        0.05, True, "Net loss that is shown in the worst slice that was found, all slices tested together."
    ),
    "rare/hard-benign": Default(
        0.05, True, "Benign events hardest for the full model that the student alone flags, net."
    ),
    "boundary/edits": Default(
        0.05, True, "Verdicts near the boundary that edits of the event flip, beyond the full model's."
    ),
    "boundary/neighbours": Default(0.1, False, "Verdicts near the boundary that a neighbouring grid point flips."),
    "boundary/quantization": Default(0.05, True, "Verdicts near the boundary that quantization flips."),
    "held-out/false-positives": Default(
        0.005, False, "Benign events that the student flags and the full model does not, net."
    ),
    "held-out/quantized-alone": Default(
        0.005, True, "Attacks that full model and FP32 student detect and INT8 misses."
    ),
    "held-out/novel": Default(
        0.05, False, "Attacks of families never trained on that the full model alone detects, net."
    ),
    "held-out/family": Default(
        0.05,
        False,
        "Attacks of each family held out of training that the full model alone detects; gains do not make up for them.",
    ),
    "escalation/guarantee": Default(
        0.005, True, "Attacks that the full model detects and the cascade may miss, with 95 % confidence."
    ),
    "escalation/verified": Default(
        0.01,
        True,
        "Those misses on events that did not choose the threshold, when the cascade is replayed with its budget.",
    ),
    "escalation/budget": Default(
        0.05,
        True,
        "Share of the events that the policy sends to the full model, whatever the reason; --budget if less.",
    ),
    "escalation/deferred": Default(
        0.005, True, "Share of the events that are over the budget in that replay: nothing is promised of them."
    ),
    "redteam/exclusive": Default(
        0.05,
        False,
        "Edited attacks that fool the bundle and not the full model, beyond those that fool the control, net.",
    ),
    "redteam/cascade-bypass": Default(
        0.05, False, "Edited attacks that get past the whole cascade although the full model alone detects them."
    ),
    "redteam/flood": Default(
        0.0, False, "Events among hostile ones that exceed the budget, or are decided otherwise because of these."
    ),
    "explanation/unfaithful": Default(
        0.05,
        False,
        "Alerts that are explained by a span which carries no more of the verdict than a random one of its length.",
    ),
}
MARGIN = "held-out/misses"  # its limit is the margin that the bundle was made with
MEANING_OF_MARGIN = (
    "Attacks that the student misses and the full model detects, net. The bundle's own margin, if left out."
)


def gates_with(margin: float, path: Path | None = None) -> Gates:
    """Read the gates of a file, and take the defaults for those that it does not name.

    Parameters
    ----------
    margin
        The bundle's own limit on missed attacks.
    path
        A TOML file as `template` writes it; None takes the defaults.

    Raises
    ------
    InputError
        A file that is not such, naming the line or the gate.
    """
    gates = {key: Gate(default.limit, default.required) for key, default in DEFAULTS.items()}
    gates[MARGIN] = Gate(margin)
    if path is None:
        return gates
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; `overproof check --init-gate FILE` writes one") from None
    except (ValueError, RecursionError, MemoryError) as error:  # tomllib's own is a ValueError, as is a name of no text
        raise InputError(f"{path}: not a gate file: {one_line(str(error)) or type(error).__name__}") from None
    for check, entries in given.items():
        if not isinstance(entries, dict):
            raise InputError(f"{path}: {_shown(check)}: expected a table such as [rare]")
        for name, entry in entries.items():
            key = f"{check}/{name}"
            if key not in gates:
                raise InputError(f"{path}: no gate {_shown(key)}: expected one of {', '.join(sorted(gates))}")
            gates[key] = _gate(entry, gates[key], f"{path}: {key}")
    return gates


def template() -> str:
    """Return a gate file with the defaults, each explained."""
    lines = [
        "# Gates of `overproof check`: what compression may cost at most. Write them down before the run, keep them",
        "# version control, give them with --gate. A figure passes if its whole 95 % interval lies at or below",
        "# the limit, fails if the whole interval lies above it, and is unmeasured otherwise: too few events. Copies",
        "# (near-duplicate texts) and events of one group count once.",
        "# required = true: unmeasured closes the gate too (exit code 1). A failed gate is closed in any case.",
    ]
    before = ""
    for key, default in DEFAULTS.items():
        check, name = key.split("/")
        if check != before:
            lines += ["", f"[{check}]"]
            if check == MARGIN.split("/")[0]:
                lines += [f"# {MEANING_OF_MARGIN}", "# misses = { limit = 0.005, required = true }"]
        before = check
        required = str(default.required).lower()
        lines += [f"# {default.meaning}", f"{name} = {{ limit = {default.limit}, required = {required} }}"]
    return "\n".join(lines) + "\n"


def write_template(path: Path) -> None:
    """Write `template` into a new file; InputError where there is one already."""
    if path.is_dir() or (path.exists() and regular_target(path)):  # into a FIFO or a device it is written at any time
        raise InputError(f"{path}: exists already; gates are written down once, before the run")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}, expected one that exists")
    atomic_write(path, template())


def _gate(entry: object, before: Gate, where: str) -> Gate:
    expected = "expected { limit = 0.05, required = true }"
    if not isinstance(entry, dict) or not set(entry) <= {"limit", "required"}:
        raise InputError(f"{where}: {expected}")
    limit, required = entry.get("limit", before.limit), entry.get("required", before.required)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
        raise InputError(f"{where}: limit {_shown(limit)}: expected a share from 0 to 1")
    if not isinstance(required, bool):
        raise InputError(f"{where}: required {_shown(required)}: expected true or false")
    return Gate(float(limit), required)


def _shown(value: object) -> str:
    """Show a value of the file on one line, shortened; a string as it is."""
    try:
        text = one_line(value) if isinstance(value, str) else ascii(value)
    except ValueError:  # 0xfff…, which has no limit of digits, while its decimal form has one
        text = "of very many digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
