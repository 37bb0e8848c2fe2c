"""The report as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.checks.report.comparison import MEASURES, notes, strip_rows, who_wins
from overproof.progress import one_line
from overproof.report import words
from overproof.report.layout import aligned
from overproof.report.reading import at, by_model, checks, entries, gates, names, number, rows, status, string

NAME = 40  # characters of a name in a table


def render(data: Mapping[str, Any]) -> str:
    """Verdict, checks, what closes, the strip and the families; nothing in it can steer a terminal."""
    parts = [_verdict(data), _checks(data), _closed(data), _uses(data), _strip(data), _families(data), _missed(data)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(data: Mapping[str, Any]) -> str:
    decision = string(at(data, "verdict", "decision")) or "no verdict"
    sentence = one_line(string(at(data, "verdict", "sentence")))
    lines = [f"{one_line(decision).upper()}: {sentence}"]
    lines += [f"note: {one_line(note)}" for note in names(data.get("notes"))]
    lines += [f"absent: {one_line(m)}: {one_line(string(why))}" for m, why in entries(data.get("absent")).items()]
    return "\n".join(lines)


def _checks(data: Mapping[str, Any]) -> str:
    body = [
        [f"{place}. {words.short(check.get('title'), NAME)}", status(check), words.gates(check)]
        for place, check in enumerate(checks(data), 1)
    ]
    told = [f"{place}. {one_line(string(check.get('message')))}" for place, check in enumerate(checks(data), 1)]
    return "\n\n".join([aligned([["check", "status", "gates"], *body], left=(0, 1, 2)), "\n".join(told)])


def _closed(data: Mapping[str, Any]) -> str:
    shut = [result for result in gates(data) if result.get("closed")]
    if not shut:
        return "No gate is closed."
    head = ["closed gates", "status", "figure [95 %]", "limit", "events"]
    return aligned([head, *(_gate(result) for result in shut)], left=(0, 1))


def _gate(result: Mapping[str, Any]) -> list[str]:
    key = words.short(result.get("key"), NAME)
    return [key, status(result), words.of_finding(result), words.limit(result), words.support(result)]


def _uses(data: Mapping[str, Any]) -> str:
    body = [
        [words.short(use.get("use"), 60), words.short(use.get("kind")), words.short(use.get("answer"))]
        for use in rows(at(data, "verdict", "uses"))
    ]
    return aligned([["use", "in general", "this bundle"], *body], left=(0, 1, 2)) if body else ""


def _strip(data: Mapping[str, Any]) -> str:
    found = strip_rows(data)
    if not found:
        return ""
    head = ["", *(words.short(row.get("name"), NAME) for row in found)]
    body = [[measure.title, *(measure.message(row) for row in found)] for measure in MEASURES]
    told = [one_line(line) for line in (*notes(found), *who_wins(data))]
    return "\n\n".join([aligned([head, *body]), *(["\n".join(told)] if told else [])])


def _families(data: Mapping[str, Any]) -> str:
    """Families of which the full model alone, or the student alone, gets some event right."""
    found = [row for check in checks(data) if check.get("key") == "rare" for row in rows(at(check, "data", "families"))]
    moved = [row for row in found if (number(row.get("b")) or 0) + (number(row.get("c")) or 0) > 0]
    if not moved:
        return ""
    there = by_model({m: 1 for row in moved for m in by_model(row.get("models"))})
    models = [m for m in (FULL, QUANTIZED, BASELINE) if m in there]
    head = ["right, by family", *models, "lost : gained", "net loss [95 %]"]
    return aligned([head, *(_family(row, models) for row in moved)])


def _family(row: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    counts = [_ratio(at(row, "models", m)) for m in models]
    return [words.short(row.get("name"), NAME), *counts, words.pairs(row), words.interval(row.get("loss"))]


def _ratio(entry: object) -> str:
    return words.ratio(entry) if isinstance(entry, Mapping) else words.NOT_MEASURED


def _missed(data: Mapping[str, Any]) -> str:
    """How many events are in the report, and where."""
    held = next((check for check in checks(data) if check.get("key") == "held-out"), {})
    total = number(at(held, "data", "missed_by_student_total"))
    if not total:
        return ""
    return f"{total:,.0f} attacks that the full model catches and the student misses: see report.html and check.json."
