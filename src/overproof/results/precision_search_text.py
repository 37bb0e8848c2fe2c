"""The report of one quantization as plain text: tables that a terminal shows as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from overproof.progress import one_line
from overproof.report.layout import aligned
from overproof.results.divergence import Divergence
from overproof.results.layer_text import percent

if TYPE_CHECKING:
    from overproof.results.precision_search import Finding, PrecisionSearchReport, Step


def render(report: PrecisionSearchReport) -> str:
    """Size, sensitivity, search, cost, portability, guards: what decides stands last, where a terminal shows it."""
    parts = [_head(report), _sensitivity(report), _search(report), _costs(report), _recall(report)]
    if report.portability is not None:
        parts.append(report.portability.render())
    return "\n\n".join(part for part in [*parts, _guards(report)] if part)


def told(finding: Finding) -> str:
    """A guard in one line: what was measured, its limit, and what follows."""
    if finding.events is None:
        return f"{finding.guard} {finding.measured:.3g} nats, limit {finding.limit:g}: {finding.status}"
    share = f"{_of(round(finding.measured * finding.events), finding.events)}"
    limit = f"limit {100 * finding.limit:.4g}%"
    if finding.needed is None:
        return f"{finding.guard} {share}, {limit}: {finding.status}"
    return f"{finding.guard} {share}, {limit}: {finding.status}: {finding.events:,} samples, needs {finding.needed:,}"


def path(report: PrecisionSearchReport) -> str:
    """The search as a table: a line for each step with the layer that was put back, and the guards that do not hold."""
    rows = [["", "KL", "flips", "guards"]]
    before: frozenset[str] = frozenset()
    for step in report.path:
        added = sorted(set(step.kept) - before)
        before = frozenset(step.kept)
        what = ", ".join(f"+ {one_line(name)}" for name in added) or "every layer quantized"
        chosen = " (written)" if step is report.step else ""
        flips = _of(step.found.flips, step.found.events)
        rows.append([what + chosen, f"{step.found.kl:.2e}", flips, _open_guards(step)])
    return aligned(rows, left=(0, 3))


def lost_most(found: Divergence) -> str:
    """The family that lost the largest share of its recall, and how many of its attacks."""
    if found.worst is None:
        return "-"
    name, caught = found.worst
    return f"{one_line(name)} {caught.before - caught.after:,} of {caught.events:,}"


def _head(report: PrecisionSearchReport) -> str:
    smaller = report.bytes_before / max(1, report.bytes_after)
    kept = report.step.kept
    layers = f"{len(kept)} layers" if len(kept) > 1 else "one layer"
    lines = [
        f"{report.model}: {report.bytes_before:,} -> {report.bytes_after:,} bytes ({smaller:.1f} times smaller)",
        f"{report.precision}, {'trained with the rounding, ' if report.trained else ''}"
        + (f"{layers} kept in float" if kept else "every layer quantized"),
        f"ranges of activations from {report.calibrated:,} events; what follows was measured on {report.held_back:,} "
        "others, held back",
    ]
    return "\n".join(lines)


def _sensitivity(report: PrecisionSearchReport) -> str:
    """One line for each layer: alone and left out, with the family that lost most."""
    if not report.sensitivity:
        return ""
    kept = report.step.kept
    rows = [["layer", "op", "weights", "alone: KL", "flips", "lost most", "left out: KL", "flips", "lost most", ""]]
    for row in report.sensitivity:
        cells = [one_line(row.name), one_line(row.op), f"{row.weights:,}", *_three(row.alone), *_three(row.left_out)]
        rows.append([*cells, "in float" if row.name in kept else ""])
    if report.whole is not None:
        weights = sum(row.weights for row in report.sensitivity)
        rows.append(["all of them", "", f"{weights:,}", *_three(report.whole), "", "", "", ""])
    events, when = row.alone.events, ", before training" if report.trained else ""
    return "\n\n".join(
        [
            "Each layer alone (the others in float) and left out (the others quantized), against float, on "
            f"{events:,} events{when}:",
            aligned(rows, left=(0, 1, 5, 8, 9)),
            "KL: mean KL(float || quantized) of an event, in nats. flips: labels that change. lost most: attacks no "
            "longer above\nthe threshold, of the family that loses the largest share.",
        ]
    )


def _three(found: Divergence) -> list[str]:
    return [f"{found.kl:.2e}", f"{found.flips:,}", lost_most(found)]


def _search(report: PrecisionSearchReport) -> str:
    if not report.step.findings:
        return ""
    return f"The search, + is one layer more that stays in float:\n\n{path(report)}"


def _open_guards(step: Step) -> str:
    if not step.findings:
        return "none"
    told = (str(f) if f.status == "broken" else f"{f.guard}: {f.status}" for f in _not_held(step))
    return "; ".join(map(one_line, told)) or "every one holds"


def _not_held(step: Step) -> list[Finding]:
    return [finding for finding in step.findings if finding.status != "held"]


def _costs(report: PrecisionSearchReport) -> str:
    """What was written beside other ways to do it."""
    rows = [["", "KL", "max |Δlogit|", "flips", "lost most"]]
    for name, found in _measured(report):
        flips = _of(found.flips, found.events)
        rows.append([name, f"{found.kl:.2e}", f"{found.max_difference:.2g}", flips, lost_most(found)])
    return f"What it cost:\n\n{aligned(rows, left=(0, 4))}"


def _measured(report: PrecisionSearchReport) -> Iterator[tuple[str, Divergence]]:
    yield "written", report.step.found
    if report.tested is not None:
        yield "written, on test events", report.tested
    for name, found in report.compared.items():
        yield f"to compare: every layer {one_line(name)}", found


def _recall(report: PrecisionSearchReport) -> str:
    """The families whose recall changed in what was written, on the test events if there are some."""
    found = report.tested or report.step.found
    where = f"at threshold {found.threshold:.3g}{' on test events' if report.tested else ''}"
    if not found.families:
        return "Recall by family: unmeasured, no event is labelled as an attack, or no class is benign."
    rows = [[f"recall {where}", "before", "after", "change"]]
    for name, caught in sorted(found.families.items(), key=lambda item: (-item[1].lost, item[0])):
        if caught.before != caught.after:
            counts = (_of(caught.before, caught.events), _of(caught.after, caught.events))
            rows.append([one_line(name), *counts, f"{caught.after - caught.before:+,}"])
    same = len(found.families) - len(rows) + 1
    if len(rows) == 1:
        return f"Recall {where}: the same in each of {same} families."
    return f"{aligned(rows)}\nthe same in the other families ({same})"


def _guards(report: PrecisionSearchReport) -> str:
    findings = report.step.findings
    lines = [f"  {one_line(str(finding))}" for finding in findings]
    if not findings:
        lines.append("Guards: none were asked for.")
    elif report.passed:
        lines.insert(0, "Guards: every one holds.")
    else:
        missing = {finding.status for finding in _not_held(report.step)}
        why = "too few events to show that all hold" if missing == {"unmeasured"} else "this is the best that was found"
        lines.insert(0, f"Guards: NOT every one holds; {why}.")
    return "\n".join([*lines, f"Written: {report.out}"])


def _of(count: int, events: int) -> str:
    return f"{count:,} of {events:,} ({percent(count / events if events else None)})"
