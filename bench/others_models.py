"""Compare our fastest student with other small models: attacks found at equal false positives, bytes, time.

As `waf.py` does: trained on payloads and on values of 13 web sites, thresholds from five further sites, judged on eight
others; everything twice, the second time without the families that are held out. One seed. Our student's teacher is an
n-gram network that `compress --teacher ngram` trains on the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from foreign_models import FOLDER
from numpy.typing import NDArray
from others_quantization import ratios
from small_models import Query, Small, fasttext, static
from students import FASTEST
from traffic import share, share_by_site, share_cell
from waf import PROTOCOLS, Answers, Judged, OperatingPoint, Run, answered, answers_file

import overproof
from overproof.bundle.manifest import COMPARISON
from overproof.bundle.model_names import BASELINE, QUANTIZED
from overproof.checks.stats.resampling import Resampling, bootstrap
from overproof.distillation.baseline import fit_baseline
from overproof.progress import terminal
from overproof.results import Comparison
from overproof.results.operating_points import RATES

RUN = Run(folder=FOLDER / "models", students=(), seeds=(0,))
OURS = f"{FASTEST}, distilled + INT8"
FASTTEXT, FASTTEXT_SMALL, STATIC = "fastText", "fastText, quantized (.ftz)", "model2vec and a logistic head"
TIMED = 400  # test attacks and benign values, one at a time
SETS = ("test attacks", "hard families", "held-out families")


def place(protocol: str) -> Path:
    """Where what other packages train lies."""
    return RUN.folder / protocol


def linear(protocol: str) -> Small:
    """Fit the linear baseline."""
    learned, _ = RUN.events(protocol)
    baseline = fit_baseline(learned["text"].to_pylist(), learned["label"].to_pylist(), seed=0)
    return Small(lambda texts: (baseline.logits(texts), baseline.classes), baseline.bytes)


def student(protocol: str) -> Small:
    """Distil the n-gram student of an n-gram teacher that is trained on the same rows."""
    bundle = RUN.bundle(protocol, FASTEST, 0)
    if not bundle.is_dir():
        learned, test = RUN.events(protocol)
        overproof.compress(
            learned, test=test, out=bundle, student=FASTEST, teacher=["ngram"], seed=0, console=terminal()
        )
    scorer = overproof.open(bundle)
    row = Comparison.from_json(json.loads((bundle / COMPARISON).read_text())).row(QUANTIZED)
    if row is None or row.bytes is None:
        raise RuntimeError(f"{bundle / COMPARISON} does not say how large the student is")
    return Small(lambda texts: (scorer.score(texts).logits, scorer.classes), row.bytes)


def of_fasttext(protocol: str, *, quantized: bool) -> Small:
    """Train fastText."""
    return fasttext(RUN.events(protocol)[0], place(protocol), quantized=quantized)


def of_model2vec(protocol: str) -> Small:
    """Distil MiniLM into a static model."""
    return static(RUN.events(protocol)[0], place(protocol))


MODELS: dict[str, tuple[str | None, Callable[[str], Small]]] = {  # what has to be installed, and how it is made
    BASELINE: (None, linear),
    OURS: (None, student),
    FASTTEXT: ("fasttext", partial(of_fasttext, quantized=False)),
    FASTTEXT_SMALL: ("fasttext", partial(of_fasttext, quantized=True)),
    STATIC: ("model2vec", of_model2vec),
}


def absent(name: str) -> str | None:
    """Say why a model is not measured; None where it is."""
    package = MODELS[name][0]
    return None if package is None or find_spec(package) is not None else f"not measured: {package} is not installed"


@cache
def judged() -> Judged:
    """Return everything that models are asked about."""
    return Judged()


@cache
def made(name: str, protocol: str) -> Small:
    """Train a model, once."""
    return MODELS[name][1](protocol)


def answers(name: str, protocol: str) -> Answers:
    """Return what a model says of every text."""
    RUN.folder.mkdir(parents=True, exist_ok=True)
    slug = name.replace(" ", "-").replace("(", "").replace(")", "")

    def query() -> Query:
        return made(name, protocol).query

    return answered(answers_file(RUN, protocol, slug, 0), query, judged())


def measured() -> dict[str, Any]:
    """Train what is not there yet, ask every model about every text, count, and time one event."""
    there = [name for name in MODELS if absent(name) is None]
    said = {name: {protocol: answers(name, protocol) for protocol in PROTOCOLS} for name in there}
    smalls = {name: made(name, "known") for name in there}
    drawn = np.random.default_rng(0).choice(judged().texts, TIMED, replace=False).tolist()
    times = ratios({name: partial(_one, small.query, drawn) for name, small in smalls.items()})
    return {
        "thresholds": len(judged().sets["thresholds"]),
        "models": {name: {"bytes": smalls[name].bytes, "time": times[name]} for name in there},
        "absent": {name: absent(name) for name in MODELS if name not in there},
        "at": {
            point.title: at_point(said, point)
            for rate in RATES
            for point in (OperatingPoint(rate), OperatingPoint(rate, "values"))
        },
    }


def _one(query: Query, texts: list[str], k: int) -> object:
    return query([texts[k % len(texts)]])


def at_point(said: dict[str, dict[str, Answers]], point: OperatingPoint) -> dict[str, Any]:
    """Count at one operating point; of held-out families also how many fewer than our student finds."""
    flags = {
        name: {protocol: judged().flags(one, point) for protocol, one in by_protocol.items()}
        for name, by_protocol in said.items()
    }
    ours = flags[OURS]["held"]["held-out families"].astype(float)
    counted = {}
    for name, found in flags.items():
        held = found["held"]["held-out families"]
        fewer = bootstrap(partial(_mean, ours - held.astype(float)), Resampling([0] * len(held)))
        counted[name] = {
            "values": share_by_site(found["known"]["values"], judged().sites),
            **{column: share(found["known"][column]) for column in SETS[:-1]},
            SETS[-1]: share(held),
            "fewer": {"value": fewer.value, "low": fewer.low, "high": fewer.high},
        }
    return counted


def _mean(values: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    return float(values[rows].mean())


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of sizes and times, and one an operating point."""
    head = ["", "bytes", "one event, against the linear baseline"]
    lines = [f"| {' | '.join(head)} |", "| --- | ---: | ---: |"]
    for name, found in result["models"].items():
        time = found["time"]
        ratio = f"{time['value']:.2f} times ({time['low']:.2f} … {time['high']:.2f})"
        lines.append(f"| {name} | {found['bytes']:,} | {'' if name == BASELINE else ratio} |")
    lines += [f"| {name} | {why} | |" for name, why in result["absent"].items()]
    tables = ["\n".join(lines), *(_table(title, counted) for title, counted in result["at"].items())]
    note = f"Thresholds from {result['thresholds']:,} values of training sites that nothing was trained on; one seed."
    return "\n\n".join([*tables, f"{note} In brackets 95 % intervals."])


def _table(title: str, counted: dict[str, Any]) -> str:
    head = [f"**{title}**", "values flagged", *SETS, "fewer held-out than the ngram-student, points"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, found in counted.items():
        fewer = found["fewer"]
        points = f"{100 * fewer['value']:.1f} ({100 * fewer['low']:.1f} … {100 * fewer['high']:.1f})"
        shares = " | ".join(share_cell(found[column]) for column in ("values", *SETS))
        lines.append(f"| {name} | {shares} | {'' if name == OURS else points} |")
    return "\n".join(lines)
