"""The report as Markdown for a pull request: the verdict, the six checks, what is closed, and who lost what.

Families and sentences carry text from outside. Names stand in code spans; in sentences every character that Markdown
could read is escaped, and what a forge would turn into a mention or a link is broken up by an empty comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from overproof.checks.report.comparison import MEASURES, SHORT, notes, strip_rows, who_wins
from overproof.progress import one_line
from overproof.report import words
from overproof.report.reading import at, by_model, checks, entries, gates, names, number, rows, status, string

SIGNS = {"passed": "✅", "failed": "❌", "unmeasured": "❔"}
DECISIONS = {"deploy alone": "✅", "deploy with escalation": "⚠️", "do not deploy": "❌"}
BREAK = "<!-- -->"


def prose(text: object) -> str:
    """A sentence that may hold anything, as nothing but text."""
    line = re.sub(r"[\\`*_\[\]<>|~#&$]", r"\\\g<0>", one_line(string(text)))
    line = line.replace("@", f"@{BREAK}").replace("://", f":{BREAK}//")
    line = re.sub(r"www\.", lambda found: f"{found[0][:3]}{BREAK}.", line, flags=re.IGNORECASE)
    return re.sub(r"^(\d*)([.)-](?= )|[-+=])", r"\1\\\2", line)


def code(text: object) -> str:
    """A name in a code span that it cannot end, in a table's cell or outside of one."""
    line = words.short(text).replace("|", "\\|") or " "
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if "`" in (line[0], line[-1]) else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def to_markdown(data: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    parts = [
        _verdict(data),
        _table(["Check", "Status", "Gates", "Finding"], [_check(check) for check in checks(data)]),
        _closed(data),
        _strip(data),
        _lost(data),
        _fold("All gates", _gates(data)),
        _fold("What it may be used for", _uses(data)),
        _fold("What was checked", _about(data)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(data: Mapping[str, Any]) -> str:
    decision = string(at(data, "verdict", "decision"))
    sentence = prose(at(data, "verdict", "sentence")) or "There is no verdict in this file."
    lines = [f"## {DECISIONS.get(decision, '❔')} overproof check: {prose(decision) or 'no verdict'}", "", sentence]
    lines += [f"\n> **Note.** {prose(note)}" for note in names(data.get("notes"))]
    return "\n".join(lines)


def _check(check: Mapping[str, Any]) -> list[str]:
    found = status(check)
    return [prose(check.get("title")), f"{SIGNS[found]} {found}", words.gates(check), prose(check.get("message"))]


def _closed(data: Mapping[str, Any]) -> str:
    shut = [result for result in gates(data) if result.get("closed")]
    if not shut:
        return "No gate is closed."
    lines = [f"- {SIGNS[status(f)]} {code(f.get('key'))}: {prose(f.get('message'))}" for f in shut]
    return "\n".join(["### Closed gates", "", *lines])


def _strip(data: Mapping[str, Any]) -> str:
    found = strip_rows(data)
    body = [[prose(row.get("name")), *(measure.message(row) for measure in SHORT)] for row in found]
    if not body:
        return ""
    lines = [f"- {prose(line)}" for line in who_wins(data)[:1]]
    return "\n\n".join(["### From full to INT8", _table(["Model", *(m.title for m in SHORT)], body), *lines])


def _lost(data: Mapping[str, Any]) -> str:
    """The families of which the full model alone gets more events right than the student alone."""
    found = [row for check in checks(data) if check.get("key") == "rare" for row in rows(at(check, "data", "families"))]
    lost = [row for row in found if (number(row.get("b")) or 0) > (number(row.get("c")) or 0)]
    if not found:
        return ""
    if not lost:
        return "No family lost more events than it gained."
    models = list(by_model({m: 1 for row in lost for m in by_model(row.get("models"))}))
    body = [
        [
            code(row.get("name")),
            *(_share(at(row, "models", m)) for m in models),
            words.pairs(row),
            words.interval(row.get("loss")),
        ]
        for row in lost
    ]
    head = ["Family", *map(prose, models), "Lost : gained", "Net loss (95 %)"]
    return "\n\n".join(["### Families that lost events", _table(head, body)])


def _share(entry: object) -> str:
    return words.ratio(entry) if isinstance(entry, Mapping) else words.NOT_MEASURED


def _gates(data: Mapping[str, Any]) -> str:
    head = ["Gate", "Status", "Figure (95 %)", "Limit", "Events"]
    return _table(head, [_gate(result) for result in gates(data)])


def _gate(result: Mapping[str, Any]) -> list[str]:
    ended = f"{SIGNS[status(result)]} {words.state(result)}"
    return [code(result.get("key")), ended, words.of_finding(result), words.limit(result), words.support(result)]


def _uses(data: Mapping[str, Any]) -> str:
    found = rows(at(data, "verdict", "uses"))
    body = [[prose(use.get(key)) for key in ("use", "kind", "answer", "message")] for use in found]
    return _table(["Use", "In general", "This bundle", "Why"], body) if body else ""


def _about(data: Mapping[str, Any]) -> str:
    events, bundle = entries(data.get("events")), entries(data.get("bundle"))
    kinds = ("rows", "attacks", "benign", "unlabelled")
    counts = [f"{words.figure(events.get(kind), words.count)} {kind}" for kind in kinds]
    lines = [
        f"bundle {code(bundle.get('name'))}, {code(bundle.get('precision'))}, sha256 {code(bundle.get('sha256'))}",
        f"events: {', '.join(counts)}, from {', '.join(map(code, names(events.get('files')))) or 'no file'}",
        *(f"skipped {words.figure(n, words.count)}: {code(why)}" for why, n in entries(events.get("skipped")).items()),
        *(f"{prose(model)} is absent: {prose(why)}" for model, why in entries(data.get("absent")).items()),
        f"overproof {prose(data.get('overproof'))}, seed {prose(data.get('seed'))}",
        *(prose(line) for line in notes(strip_rows(data))),
    ]
    body = [[m.title, *(m.message(row) for row in strip_rows(data))] for m in MEASURES]
    head = ["", *(prose(row.get("name")) for row in strip_rows(data))]
    return "\n\n".join([_table(head, body), "\n".join(f"- {line}" for line in lines)])


def _fold(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body])
