"""Say what a bundle is in a few lines: what `overproof inspect` shows first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from overproof.bundle.manifest import Bundle, Manifest
from overproof.progress import one_line
from overproof.report import words
from overproof.report.layout import aligned, line_width
from overproof.results.comparison import Comparison
from overproof.results.comparison.columns import COLUMNS
from overproof.results.hardening import Hardening
from overproof.results.ladder import Ladder

SHOWN = ("bytes", "p50 ms", "events/s", "accuracy", "FN", "FP")  # columns of the comparison
MOST_CLASSES = 20


def bundle_summary(
    bundle: Bundle,
    contents: Mapping[str, Any],
    comparison: Comparison | None,
    ladder: Ladder | None,
    hardening: Hardening | None,
) -> str:
    """Return what a bundle is, who made it of what, and how its student compares.

    Parameters
    ----------
    contents
        What `manifest.inspect` says of it: the bytes of all its files, and in a sentence what it was made from.
    comparison, ladder, hardening
        What it stores of them; None where it stores none.
    """
    signed = "not signed" if bundle.signature is None else f"signature: {one_line(bundle.signature)}"
    lines = [f"{one_line(str(bundle.path))}: {words.size(contents['bytes'])}, every hash is right, {signed}"]
    lines += [one_line(contents["made_from"])] if "made_from" in contents else []
    lines += _facts(bundle.manifest)
    if ladder is not None:
        lines.append(f"ladder      {one_line(ladder.taken)} was taken of {len(ladder.rungs)} students")
    if hardening is not None:
        lines.append(f"hardening   round {hardening.taken} was taken of {len(hardening.rounds)}")
    parts = ["\n".join(map(_filled, lines)), _thresholds(bundle.manifest)]
    if comparison is not None and comparison.rows:
        columns = [column for column in COLUMNS if column.title in SHOWN]
        table = [["", *(column.title for column in columns)]]
        table += [[one_line(row.name), *(column.cell(row) for column in columns)] for row in comparison.rows]
        parts += [aligned(table), _filled(comparison.verdict_in_words()[0], "")]
    return "\n\n".join(part for part in parts if part)


def _filled(line: str, indent: str = " " * 12) -> str:
    return textwrap.fill(line, line_width(), subsequent_indent=indent, break_on_hyphens=False)


def _facts(manifest: Manifest) -> Iterator[str]:
    network, data, teacher = manifest.network, manifest.data, manifest.teacher
    yield f"made by     overproof {one_line(manifest.overproof)}, bundle format {manifest.format}"
    students = "two students, of which the second is " if manifest.first is not None else ""
    yield f"student     {students}{_said(network, 'preset')}, {one_line(manifest.precision)}{_parameters(network)}"
    names = [one_line(name) + (" (benign)" if name in manifest.benign else "") for name in manifest.classes]
    more = f" and {len(names) - MOST_CLASSES} more" if len(names) > MOST_CLASSES else ""
    yield f"classes     {len(names)}: {', '.join(names[:MOST_CLASSES])}{more}"
    if teacher:
        yield f"teacher     {_said(teacher, 'name')} ({_said(teacher, 'kind')}){_parameters(teacher)}"
    rows = data.get("rows")
    if isinstance(rows, Mapping):
        counts = ", ".join(f"{count:,} {one_line(str(name))}" for name, count in rows.items() if isinstance(count, int))
        yield f"events      {counts}{'; SIMULATED, none of them real' if data.get('simulated') else ''}"
    kinds = data.get("kinds")
    if isinstance(kinds, Mapping):
        yield f"kinds       {', '.join(one_line(str(kind)) for kind in kinds)}: all others are out of distribution"
    labellers = data.get("labelled_by")
    if isinstance(labellers, list | tuple) and labellers:
        yield f"labels      by {one_line(', '.join(map(str, labellers)))}: how often they are right is not known"


def _said(entries: Mapping[str, Any], name: str) -> str:
    return one_line(str(entries.get(name, "unknown")))


def _parameters(entries: Mapping[str, Any]) -> str:
    found = entries.get("parameters")
    return f", {found:,} parameters" if isinstance(found, int) else ""


def _thresholds(manifest: Manifest) -> str:
    """Write from which attack probability on an event is flagged, by the share of benign events that are as well."""
    measured = {rate: at for rate, at in manifest.thresholds.items() if at is not None}
    if not measured:
        return ""
    ordered = sorted(measured.items(), key=lambda item: float(item[0]))
    head = ["false positives", *(f"{100 * float(rate):g} %" for rate, _ in ordered)]
    return aligned([head, ["attack from", *(f"{at:.4f}" for _, at in ordered)]])
