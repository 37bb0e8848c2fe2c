"""Use a second, unlike data set: flows (NSL-KDD, official split), with attack types that training never met.

The teacher is gradient boosting on the 41 numbers of a flow, somebody else's model as far as overproof is concerned:
its soft labels stand in the events' own columns. The student reads the flow as text, by the template below.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from settings import FLOWS, OUT
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import overproof
from overproof.events.schema import event_table
from overproof.progress import terminal

BUNDLE, EVIDENCE = OUT / "flows", OUT / "flows-evidence"
KINDS = {
    "dos": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm worm",
    "probe": "ipsweep nmap portsweep satan mscan saint",
    "r2l": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster httptunnel named sendmail "
    "snmpgetattack snmpguess xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl rootkit ps sqlattack xterm",
}
CLASS = {"normal": "normal"} | {name: kind for kind, names in KINDS.items() for name in names.split()}
WORDS = ("protocol_type", "service", "flag")
CLASSES = ("normal", *KINDS)


def rows(path: Path, names: list[str]) -> Iterator[dict[str, str]]:
    """Flows of one file, with or without a head."""
    with path.open(newline="") as file:
        for line in csv.reader(file):
            if line[0] != names[0]:
                yield dict(zip([*names, "attack"], line, strict=False))


def text(flow: dict[str, str]) -> str:
    """One flow as text: what is not 0, counts and bytes as powers of two, rates in tenths."""
    parts = [f"{name.partition('_')[0]}={flow[name]}" for name in WORDS]
    for name, value in flow.items():
        if name in (*WORDS, "attack") or float(value) == 0:
            continue
        number = float(value)
        shown = f"{number:.1f}" if name.endswith("rate") else f"2^{int(np.log2(number))}" if number > 1 else "1"
        parts.append(f"{name}={shown}")
    return " ".join(parts)


def numbers(flows: list[dict[str, str]], names: list[str]) -> Any:
    """Return the 41 fields as a table for scikit-learn, words first."""
    rest = [name for name in names if name not in WORDS]
    return np.array(
        [[*(flow[w] for w in WORDS), *(float(flow[name]) for name in rest)] for flow in flows], dtype=object
    )


def teacher() -> Any:
    """Gradient boosting, words as categories."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((words, list(range(len(WORDS)))), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=150, random_state=0))


def tables() -> tuple[pa.Table, pa.Table]:
    """Events to train and to test, with the teacher's probabilities in columns.

    Those of training events come from models that did not see them (three folds).
    """
    names = [line.split(",")[0] for line in (FLOWS / "Field Names.csv").read_text().splitlines() if line.strip()]
    train = list(rows(FLOWS / "KDDTrain+_20Percent.txt", names))
    rare = {name for kind in ("r2l", "u2r") for name in KINDS[kind].split()}
    train = [flow for flow in train if flow["attack"] not in rare]
    for extra in ("r2l", "u2r"):
        train += list(rows(FLOWS / f"train_full_{extra}.csv", names))
    test = list(rows(FLOWS / "KDDTest+.txt", names))
    kinds = [CLASS[flow["attack"]] for flow in train]
    model, numeric = teacher(), numbers(train, names)
    soft = cross_val_predict(model, numeric, kinds, cv=3, method="predict_proba")
    model.fit(numeric, kinds)
    order = [list(model.classes_).index(name) for name in CLASSES]
    found = []
    for flows, p in ((train, soft), (test, model.predict_proba(numbers(test, names)))):
        columns: dict[str, Any] = {
            "text": [text(flow) for flow in flows],
            "label": [CLASS[flow["attack"]] for flow in flows],
            "family": [flow["attack"] for flow in flows],
            "protocol": [flow["protocol_type"] for flow in flows],
            "flag": [flow["flag"] for flow in flows],
            "source": ["nsl-kdd"] * len(flows),
            "group": [text(flow) for flow in flows],  # equal flows: a template would take 2^3 and 2^9 for one
        }
        columns |= {f"p_{name}": p[:, place].tolist() for name, place in zip(CLASSES, order, strict=True)}
        found.append(event_table(columns))
    return found[0], found[1]


def measured() -> dict[str, Any]:
    """Distil, quantize and check; the whole of check.json."""
    train, test = tables()
    if not BUNDLE.is_dir():
        overproof.compress(
            train,
            test=test,
            teacher="columns:p_",
            out=BUNDLE,
            evidence=EVIDENCE,
            student="small-student",
            console=terminal(),
        )
    report = overproof.check(
        BUNDLE,
        test,
        full="columns:p_",
        evidence=EVIDENCE,
        out=OUT / "flows-check",
        accept_public_data=True,
        attack=0,
        console=terminal(),
    )
    return report.to_json()


def flows_table(report: dict[str, Any]) -> str:
    """Write the verdict, the six checks, and attack types that training never met."""
    from checks import SHOWN, checks_table

    novel = next(check for check in report["checks"] if check["key"] == "held-out")["data"]["novel"]
    shares = ", ".join(
        f"{name} {share['k']:,} ({share['k'] / share['n']:.1%})"
        for name in SHOWN
        if (share := novel["models"].get(name)) is not None
    )
    compared = {row["name"]: row["metrics"] for row in report["comparison"]["rows"]}
    lines = ["| | accuracy (5 classes) | macro-F1 | FN | FP |", "| --- | ---: | ---: | ---: | ---: |"]
    for name in SHOWN:
        m = compared[name]
        missed, flagged = (m[kind]["k"] / m[kind]["n"] for kind in ("missed", "flagged"))
        accuracy = m["correct"]["k"] / m["correct"]["n"]
        lines.append(f"| {name} | {accuracy:.2%} | {m['macro_f1']:.3f} | {missed:.2%} | {flagged:.2%} |")
    return (
        f"{checks_table(report)}\n\n"
        + "\n".join(lines)
        + f"\n\nOf {novel['n']:,} flows of the {len(novel['families'])} attack types that training never met, "
        f"each model calls an attack: {shares}."
    )
