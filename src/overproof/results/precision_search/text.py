"""Write the parts of a search for a precision as plain text: tables that a terminal shows as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from overproof.progress import one_line
from overproof.report.layout import aligned
from overproof.results.divergence import Divergence
from overproof.results.formatting import count_of
from overproof.results.precision_search.steps import UNMEASURED, Decision, Sensitivity, Step


def sensitivity_table(
    rows: Sequence[Sensitivity], all_quantized: Divergence | None, kept: Collection[str], *, trained: bool
) -> str:
    """Write a line for each layer: alone and left out, with the family that lost most.

    Parameters
    ----------
    all_quantized
        Every layer quantized, to be compared with; left out if None.
    kept
        Names of the layers that stay in float.
    trained
        Whether the weights were trained after this was measured.
    """
    if not rows:
        return ""
    cells = [["layer", "op", "weights", "alone: KL", "flips", "lost most", "left out: KL", "flips", "lost most", ""]]
    for row in rows:
        line = [one_line(row.name), one_line(row.op), f"{row.weights:,}", *_three(row.alone), *_three(row.left_out)]
        cells.append([*line, "in float" if row.name in kept else ""])
    if all_quantized is not None:
        weights = sum(row.weights for row in rows)
        cells.append(["all of them", "", f"{weights:,}", *_three(all_quantized), "", "", "", ""])
    events, when = rows[-1].alone.events, ", before training" if trained else ""
    return "\n\n".join(
        [
            "Each layer alone (the others in float) and left out (the others quantized), against float, on "
            f"{events:,} events{when}:",
            aligned(cells, left=(0, 1, 5, 8, 9)),
            "KL: mean KL(float || quantized) of an event, in nats. flips: labels that change. lost most: attacks no "
            "longer above\nthe threshold, of the family that loses the largest share.",
        ]
    )


def search(path: Sequence[Step], chosen: int) -> str:
    """Write the search, where there was one."""
    if not path[chosen].observed:
        return ""
    return f"The search, + is one layer more that stays in float:\n\n{path_table(path, chosen)}"


def path_table(path: Sequence[Step], chosen: int) -> str:
    """Write a line for each step with the layer that was put back, and what was observed above its limit."""
    rows = [["", "KL", "flips", "above its limit"]]
    before: frozenset[str] = frozenset()
    for place, step in enumerate(path):
        added = sorted(set(step.kept) - before)
        before = frozenset(step.kept)
        what = ", ".join(f"+ {one_line(name)}" for name in added) or "every layer quantized"
        flips = count_of(step.found.flips, step.found.events)
        written = " (written)" if place == chosen else ""
        rows.append([what + written, f"{step.found.kl:.2e}", flips, _exceeded(step)])
    return aligned(rows, left=(0, 3))


def costs(measured: Iterable[tuple[str, Divergence]]) -> str:
    """Write what was written beside other ways to do it."""
    rows = [["", "KL", "max |Δlogit|", "flips", "lost most"]]
    for name, found in measured:
        flips = count_of(found.flips, found.events)
        rows.append([name, f"{found.kl:.2e}", f"{found.max_difference:.2g}", flips, lost_most(found)])
    return f"What it cost:\n\n{aligned(rows, left=(0, 4))}"


def recall(found: Divergence, where: str) -> str:
    """Write the families whose recall changed; `where` says on which events."""
    where = f"at threshold {found.threshold:.3g}{where}"
    if not found.families:
        return "Recall by family: unmeasured, no event is labelled as an attack, or no class is benign."
    rows = [[f"recall {where}", "before", "after", "lost", "gained"]]
    for name, detected in sorted(found.families.items(), key=lambda item: (-item[1].recall_lost, item[0])):
        gained = detected.after - detected.before + detected.lost
        if detected.lost or gained:
            counts = (count_of(detected.before, detected.events), count_of(detected.after, detected.events))
            rows.append([one_line(name), *counts, f"{detected.lost:,}", f"{gained:,}"])
    same = len(found.families) - len(rows) + 1
    if len(rows) == 1:
        return f"Recall {where}: the same in each of {same} families."
    return f"{aligned(rows)}\nthe same in the other families ({same})"


def guards(decision: Decision | None) -> str:
    """Write whether every guard holds, on which events that was decided, and a line for each."""
    if decision is None:
        return "Guards: none were asked for."
    where = f"decided on {decision.described}"
    if decision.passed:
        head = f"Guards: every one holds, {where}."
    else:
        missing = {finding.status for finding in decision.not_held}
        why = "too little to show that all hold" if missing == {UNMEASURED} else "this is the best that was found"
        head = f"Guards: NOT every one holds, {where}; {why}."
    return "\n".join([head, *(f"  {one_line(str(finding))}" for finding in decision.findings)])


def lost_most(found: Divergence) -> str:
    """Write the family that lost the largest share of its recall, and how many of its attacks."""
    if found.worst is None:
        return "-"
    name, detected = found.worst
    return f"{one_line(name)} {detected.lost:,} of {detected.events:,}"


def _three(found: Divergence) -> list[str]:
    return [f"{found.kl:.2e}", f"{found.flips:,}", lost_most(found)]


def _exceeded(step: Step) -> str:
    if not step.observed:
        return "no guards"
    return "; ".join(one_line(str(figure)) for figure in step.exceeded) or "none"
