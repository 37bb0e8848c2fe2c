"""Flood a deployed cascade with benign payloads that were edited so as to cost the full model's time.

The student of `students.py`, its teacher in reserve, and its own thresholds; real test payloads are judged in batches
among hostile ones, in three orders, and without any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from settings import OUT, TEST, once
from students import FASTEST, FOLDER, comparison
from traffic import BENIGN, payloads

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.bundle.scores import Floats, Scores, joined, labels_of, softmax
from overproof.events.schema import event_table
from overproof.inference.cascade import Policy, Rate
from overproof.inference.cascade.policy import deferrals
from overproof.inference.cascade.thresholds import BUDGET
from overproof.jobs.check_flood import Flood, Judged
from overproof.jobs.full_model import open_full
from overproof.jobs.model_outputs import query_with_cache
from overproof.jobs.open_cascade import open_cascade
from overproof.progress import terminal

SEED = 0
EDITED, QUERIES = 200, 100  # benign payloads that are edited, and edited texts of each that the student is asked about
SHARES = (0.1, 0.5, 0.9, 0.99)  # of all events that are hostile
KINDS = {"doubt": "doubtful", "ood": "out of distribution", "other": "too long"}

Rows = NDArray[np.intp]


def burst_first(calm: int, hostile: int) -> Rows:
    """All hostile events, then the calm ones; calm rows come first in what is returned as numbers."""
    return np.concatenate([np.arange(calm, calm + hostile), np.arange(calm)])


def evenly(calm: int, hostile: int) -> Rows:
    """Hostile events at equal distances among the calm ones."""
    places = np.concatenate([(np.arange(calm) + 0.5) / calm, (np.arange(hostile) + 0.5) / max(hostile, 1)])
    return np.argsort(places, kind="stable")


def burst_last(calm: int, hostile: int) -> Rows:
    """The calm events, then all hostile ones."""
    return np.arange(calm + hostile)


ORDERS: Mapping[str, Callable[[int, int], Rows]] = {"first": burst_first, "evenly": evenly, "last": burst_last}


def hostile_texts() -> list[str]:
    """Edit benign test payloads until the student would pass them on: as `overproof attack --objective flood` does."""
    comparison(FASTEST, SEED)
    report = overproof.attack(
        FOLDER / f"{FASTEST}-{SEED}",
        [str(TEST)],
        objectives=["flood"],
        searches=["bandit"],
        budget=QUERIES,
        sample=EDITED,
        seed=SEED,
        triggers=0,
        out=OUT / "attacks" / f"{FASTEST}-{SEED}-flood",
        console=terminal(),
    )
    return sorted({case.edited for case in report.cases})


def measured() -> dict[str, Any]:
    """Replay calm events alone, and among every share of hostile ones in every order."""
    hostile = once("flooding-hostile", lambda: {"texts": hostile_texts()})["texts"]
    bundle = open_bundle(FOLDER / f"{FASTEST}-{SEED}")
    cascade, calm = open_cascade(bundle), payloads("test")
    order = np.random.default_rng(SEED).permutation(len(calm))  # the file has them by label
    scores = joined([cascade.student.score(calm["text"].to_pylist()).take(order), cascade.student.score(hostile)])
    answers = np.concatenate([asked(calm)[order], asked(event_table({"text": hostile}))])
    flood = Flood(cascade.student, cascade.policy, BUDGET, scores, answers, len(calm), SEED)
    innocent = np.array([name in bundle.manifest.benign for name in bundle.manifest.classes])
    counts = Counts(
        flood=flood,
        alone=flood.judged(np.arange(len(calm)), Rate(share=1.0)),
        attack=np.array([label != BENIGN for label in calm["label"].to_pylist()])[order],
        seen=~innocent[labels_of(answers[: len(calm)], innocent)],
        innocent=innocent,
    )
    rows = [{"share": 0.0, "order": "", **counts.of(np.arange(len(calm)))}]
    for share in SHARES:
        for name, arranged in ORDERS.items():
            places = arranged(len(calm), round(len(calm) * share / (1 - share)))
            again = len(calm) + (places - len(calm)) % len(hostile)  # each as often as the others, or once more
            rows.append({"share": share, "order": name, **counts.of(np.where(places < len(calm), places, again))})
    return {
        "calm": len(calm),
        "attacks": int(counts.attack.sum()),
        "passed_on": int(counts.alone.passed_on.sum()),
        "hostile": len(hostile),
        "kinds": kinds(cascade.student.score(hostile), cascade.policy),
        "rows": rows,
    }


def asked(events: pa.Table) -> Floats:
    """Return the teacher's probabilities, shape (n, classes); those of test payloads are in the cache."""
    classes = open_bundle(FOLDER / f"{FASTEST}-{SEED}").manifest.classes
    full = open_full([str(OUT / "teacher"), str(FOLDER / f"{FASTEST}-{SEED}.ngram-teacher")], classes)
    query = query_with_cache(full, classes, cache=OUT / "cache", console=terminal())
    return softmax(query(events, "events"))


def kinds(scores: Scores, policy: Policy) -> dict[str, int]:
    """Count texts by the kind of reason for which they are passed on."""
    return dict(Counter(KINDS[kind] for kind in deferrals(scores, policy).kinds.values()))


@dataclass(frozen=True)
class Counts:
    """What is counted of a replay.

    Attributes
    ----------
    flood
        The cascade, and all events: the calm ones first.
    alone
        The calm events as they are judged where nothing is over the budget.
    attack, seen
        Which calm events are attacks, and which the full model calls so, shape (calm,).
    innocent
        For each class, whether it is benign.
    """

    flood: Flood
    alone: Judged
    attack: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    innocent: NDArray[np.bool_]

    def of(self, order: Rows) -> dict[str, int]:
        """Replay events in an order, and count; whatever is counted of calm events is of these alone."""
        found = self.flood.judged(order, Rate(share=self.flood.share))
        quiet = order < self.flood.benign
        row, decided, labels = order[quiet], found.decided[quiet], found.labels[quiet]
        missed = self.attack[row] & self.innocent[labels]  # what was deferred has the student's label, and no more
        return {
            "events": len(order),
            "passed_on": int(found.passed_on.sum()),
            "asked": int(found.asked.sum()),
            "over": found.over,
            "calm_asked": int(found.asked[quiet].sum()),
            "calm_deferred": int((~decided).sum()),
            "changed": int((decided & (labels != self.alone.labels[row])).sum()),
            "missed": int(missed.sum()),
            "missed_for_want": int((missed & ~decided & self.seen[row]).sum()),
        }


def to_markdown(found: Mapping[str, Any]) -> str:
    """Write a row for each mix."""
    head = [
        "hostile",
        "they come",
        "events",
        "passed on by the policy",
        "full model asked",
        "over the budget",
        "calm: full model asked",
        "calm: deferred",
        "calm: decided otherwise",
        "attacks missed",
        "for want of budget",
    ]
    names = ("events", "passed_on", "asked", "over", "calm_asked", "calm_deferred", "changed", "missed")
    lines = [f"| {' | '.join(head)} |", f"| ---: | --- |{' ---: |' * (len(head) - 2)}"]
    for row in found["rows"]:
        figures = [f"{row[name]:,}" for name in (*names, "missed_for_want")]
        lines.append(f"| {100 * row['share']:.0f} % | {' | '.join([row['order'], *figures])} |")
    why = ", ".join(f"{n} {kind}" for kind, n in found["kinds"].items())
    lines += [
        "",
        f"{found['calm']:,} calm events, {found['attacks']:,} of them attacks; the policy passes on "
        f"{found['passed_on']:,}. {found['hostile']:,} different hostile texts ({why}), each as often as it takes.",
    ]
    return "\n".join(lines)
