"""Measure whose neighbours `similar` finds: the full model's ten, and those of an event's own family.

Payloads, flows, log lines and commands in one index; the students are told only attack and benign. "Before" is the
cosine of embeddings among all known events. The full model's ten are those of its own embedding, of the same kind of
record; where several are as near as its tenth, any of them is one: it does not read all of a long text, and sees many
flows as one. Known, validation and asked events are rows to train on; students learn from the known ones alone.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import domains
import flows
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from settings import COMMANDS, FLOWS, OUT, TRAIN

import overproof
from overproof.bundle.tiers import open as open_bundle
from overproof.checks.stats import Resampling, bootstrap, clopper_pearson
from overproof.events.schema import event_table
from overproof.events.templates import kind_of
from overproof.inference.similarity.build import IndexConfig, build_index
from overproof.inference.similarity.search import Searcher
from overproof.progress import terminal
from overproof.report.words import interval

NAME = "neighbours"
FOLDER = OUT / NAME
EPOCHS = {"ngram-student": None, "tiny-student": 2}
K, SEED = 10, 1
ALIKE = 1e-6  # of cosines in float32
KNOWN, VALIDATION, ASKED = 1400, 300, 260
COMMON = 5  # asked events from which on a family counts in the mean, 15 from which on it has a row
WAYS = ("before", "within the kind", "now")
Places = NDArray[np.intp]


class Row(NamedTuple):
    """An event: its text, its family, and what it is."""

    text: str
    family: str
    source: str


class Parts(NamedTuple):
    """What is known, what it is measured by what is close, and what is asked."""

    known: list[Row]
    validation: list[Row]
    asked: list[Row]


def payload_rows() -> list[Row]:
    """HTTP payloads to train on."""
    events = overproof.load_events([TRAIN])
    pairs = zip(events["text"].to_pylist(), events["family"].to_pylist(), strict=True)
    return [Row(text, family, "payload") for text, family in pairs]


def line_rows() -> list[Row]:
    """Log lines of CrowdSec's hub, by the scenario that they raise."""
    rows = domains.clear_lines()
    return [Row(row["line"], row["scenarios"][0] if row["scenarios"] else "benign", "log line") for row in rows]


def flow_rows() -> list[Row]:
    """Flows of NSL-KDD, in the form of this project's: the text begins with `flow`."""
    names = [line.split(",")[0] for line in (FLOWS / "Field Names.csv").read_text().splitlines() if line.strip()]
    found = flows.rows(FLOWS / "KDDTrain+_20Percent.txt", names)
    return [
        Row(f"flow {flows.text(one)}", "benign" if one["attack"] == "normal" else one["attack"], "flow")
        for one in found
    ]


def parts() -> Parts:
    """Draw the events, each text once; of a source with fewer as many as there are."""
    sources = [payload_rows(), flow_rows(), line_rows(), command_rows()]
    random, found = np.random.default_rng(SEED), Parts([], [], [])
    for rows in sources:
        once = list({row.text: row for row in rows}.values())
        drawn = [once[i] for i in random.permutation(len(once)).tolist()]
        for part, many in zip(found, (KNOWN, VALIDATION, ASKED), strict=True):
            part.extend(drawn[:many])
            del drawn[:many]
    return found


def command_rows() -> list[Row]:
    """Commands of Unix shells: Atomic Red Team's by technique, and those that people asked others for."""
    with gzip.open(COMMANDS / "nl2bash_benign.txt.gz", "rt", encoding="utf-8") as file:
        benign = sorted({line.strip() for line in file} - {""})
    attacks = [row for row in atomic() if row["executor"] in ("sh", "bash")]
    rows = [Row(row["command"].strip(), row["technique"].partition(".")[0], "command") for row in attacks]
    return rows + [Row(line, "benign", "command") for line in benign]


def unlike() -> list[str]:
    """Commands for Windows, which no one taught and no one knows here."""
    found = sorted({row["command"].strip() for row in atomic() if row["executor"] in ("powershell", "command_prompt")})
    return [found[i] for i in np.random.default_rng(SEED).permutation(len(found))[:ASKED].tolist()]


def atomic() -> list[dict[str, Any]]:
    with gzip.open(COMMANDS / "atomic_red_team.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def table(rows: Sequence[Row]) -> pa.Table:
    """Return events of two labels, with their families."""
    labels = ["benign" if row.family == "benign" else "attack" for row in rows]
    return event_table({"text": [row.text for row in rows], "label": labels, "family": [row.family for row in rows]})


def measured() -> dict[str, Any]:
    """Measure both students, in INT8 and before quantization."""
    drawn = parts()
    FOLDER.mkdir(parents=True, exist_ok=True)
    teacher = FOLDER / "teacher"
    if not teacher.exists():
        overproof.teach(table(drawn.known), out=teacher, preset="ngram-student", console=terminal())
    known, asked = ([row.text for row in rows] for rows in (drawn.known, drawn.asked))
    same_kind = _kinds(asked)[:, None] == _kinds(known)
    full = open_bundle(teacher)
    cosines = np.where(same_kind, full.embed(asked) @ full.embed(known).T, -2)
    truth = cosines >= np.sort(cosines, axis=1)[:, -K, None] - ALIKE
    own = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    rows = {"full model": {"within the kind": _measured(own, truth, drawn)}}
    close: dict[str, Any] = {}
    for student in EPOCHS:
        for precision, bundle in zip(("INT8", "FP32"), student_of(student, drawn, teacher), strict=True):
            name = f"{student}, {precision}"
            ways, searcher = found_by(bundle, drawn, same_kind)
            rows[name] = {way: _measured(near, truth, drawn) for way, near in ways.items()}
            if precision == "INT8":
                close[student] = _close(searcher, drawn)
    return {"rows": rows, "close": close, "events": {n: len(rows) for n, rows in drawn._asdict().items()}}


def student_of(student: str, drawn: Parts, teacher: Path) -> tuple[Path, Path]:
    """Return the bundle of a student in INT8, and the one in FP32."""
    out, fp32 = FOLDER / student, FOLDER / f"{student}-fp32"
    if not out.exists():
        learned, judged = table(drawn.known), table(drawn.asked)
        overproof.compress(
            learned,
            test=judged,
            teacher=[str(teacher)],
            student=student,
            epochs=EPOCHS[student],
            out=out,
            keep_fp32=fp32,
            console=terminal(),
        )
    return out, fp32


def found_by(bundle: Path, drawn: Parts, same_kind: NDArray[np.bool_]) -> tuple[dict[str, Places], Searcher]:
    """Return the ten nearest by each way, and the index that finds those of today."""
    scorer, index = open_bundle(bundle), FOLDER / f"{bundle.name}.index"
    asked, known = (scorer.embed([row.text for row in rows]) for rows in (drawn.asked, drawn.known))
    build_index(IndexConfig(bundle, table(drawn.known), index, validation=table(drawn.validation)))
    searcher = Searcher(scorer, index)
    now = [
        [int(near.origin.removeprefix("event:")) - 1 for near in one.neighbours]
        for one in searcher([row.text for row in drawn.asked], K)
    ]
    anywhere = np.ones_like(same_kind)
    before, within = (nearest(asked, known, allowed) for allowed in (anywhere, same_kind))
    return dict(zip(WAYS, (before, within, np.array(now)), strict=True)), searcher


def nearest(asked: Any, known: Any, allowed: NDArray[np.bool_]) -> Places:
    """Places of the K nearest by cosine, shape (asked, K), among those that are allowed."""
    return np.argsort(-np.where(allowed, asked @ known.T, -2), axis=1, kind="stable")[:, :K]


def _kinds(texts: Sequence[str]) -> NDArray[np.str_]:
    return np.array([kind_of(text) for text in texts])


def _measured(near: Places, truth: NDArray[np.bool_], drawn: Parts) -> dict[str, list[float]]:
    """Return of each asked event the share of the full model's ten, and of its family, among those found."""
    families = np.array([row.family for row in drawn.known])
    wanted = np.array([row.family for row in drawn.asked])
    recall = np.take_along_axis(truth, near, axis=1).mean(axis=1).tolist()
    return {"recall": recall, "family": (families[near] == wanted[:, None]).mean(axis=1).tolist()}


def _close(searcher: Searcher, drawn: Parts) -> dict[str, dict[str, Any]]:
    """Return how many of what is asked, and of what is unlike all that is known, is told that nothing is close."""
    families = {row.family for row in drawn.known}
    familiar = [row for row in drawn.asked if row.family in families]
    groups: dict[str, list[str]] = {}
    for row in familiar:
        groups.setdefault(row.source, []).append(row.text)
    groups["command for Windows"] = unlike()
    found = {name: searcher(texts, 1) for name, texts in groups.items()}
    return {
        name: {"threshold": each[0].threshold, "nothing": sum(one.close is False for one in each), "of": len(each)}
        for name, each in found.items()
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Write the tables: of all events, by source, by family, and of what is told that nothing is close."""
    drawn = parts()
    sources, families = (np.array([getattr(row, name) for row in drawn.asked]) for name in ("source", "family"))
    names = sorted({name for name in families.tolist() if (families == name).sum() >= 15})
    events = result["events"]
    lines = [
        "| ten nearest by | compared | of the full model's ten [95 %] | same family, attacks [95 %] "
        "| same family, mean of families [95 %] |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for model, ways in result["rows"].items():
        lines += [f"| {model} | {way} | {_all(found, families)} |" for way, found in ways.items()]
    lines += ["", *_by("source", sources, sorted(set(sources.tolist())), result)]
    lines += ["", *_by("family", families, names, result)]
    lines += ["", "| student | asked | close from | nothing close |", "| --- | --- | ---: | ---: |"]
    for student, groups in result["close"].items():
        for name, one in groups.items():
            least = "unmeasured" if one["threshold"] is None else f"{one['threshold']:.3f}"
            share = interval(clopper_pearson(one["nothing"], one["of"]))
            lines.append(f"| {student} | {name} | {least} | {one['nothing']} of {one['of']}: {share} |")
    counts = (f"{events[part]:,} {what}" for part, what in (("asked", "events asked"), ("known", "known")))
    lines += ["", f"{', '.join(counts)}, {events['validation']:,} to validate by."]
    return "\n".join(lines)


def _all(found: dict[str, list[float]], families: NDArray[np.str_]) -> str:
    recall, same = (np.array(found[name]) for name in ("recall", "family"))
    attacks = families != "benign"
    common = [name for name in np.unique(families).tolist() if (families == name).sum() >= COMMON]

    def of_families(rows: Places) -> float:
        return float(np.nanmean([_mean(same[rows][families[rows] == name]) for name in common]))

    shown = [
        interval(bootstrap(lambda rows: float(recall[rows].mean()), Resampling(families))),
        interval(bootstrap(lambda rows: _mean(same[rows][attacks[rows]]), Resampling(families))),
        interval(bootstrap(of_families, Resampling(families, draws=500))),
    ]
    return " | ".join(shown)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _by(what: str, groups: NDArray[np.str_], names: Sequence[str], result: dict[str, Any]) -> list[str]:
    """Write recall and share of the family of each group, before and now, of the INT8 students."""
    students = [name for name in result["rows"] if name.endswith("INT8")]
    heads = [
        f"{name.partition(',')[0]}: {figure}, before → now" for name in students for figure in ("recall", "family")
    ]
    lines = [f"| {what} | asked | {' | '.join(heads)} |", "| --- | ---: |" + " ---: |" * len(heads)]
    for name in names:
        of_it = groups == name
        cells = [
            " → ".join(_shown(result["rows"][student][way][figure], of_it) for way in ("before", "now"))
            for student in students
            for figure in ("recall", "family")
        ]
        lines.append(f"| {name} | {int(of_it.sum())} | {' | '.join(cells)} |")
    return lines


def _shown(values: Sequence[float], of_it: NDArray[np.bool_]) -> str:
    part = np.array(values)[of_it]
    return interval(bootstrap(lambda rows: float(part[rows].mean()), Resampling(np.zeros(len(part), np.int64))))
