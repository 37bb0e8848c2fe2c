"""Write the lesson as one offline page: no network, no outside font, and no script but its own.

What comes from a bundle or an event was perhaps written by an attacker: it is escaped as HTML, or stands in a block
of JSON without <, > and &, and the script puts it in as text. The policy allows the page's own style and script by
their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from overproof.errors import InputError
from overproof.files import atomic_write
from overproof.lesson import printed_values, steps
from overproof.lesson.blocks import Block, Command, CommandList, Drawing, Section, Table
from overproof.lesson.miniature import BENIGN
from overproof.lesson.points import tutorial_points
from overproof.progress import printable

if TYPE_CHECKING:
    from overproof.lesson import Lesson

ASSETS = files("overproof.lesson")
SCRIPTS = ("edits.js", "page.js")  # in one element: the last one starts the page
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def write_page(lesson: Lesson, path: Path) -> None:
    """Write the page beside `path` and rename it into place; InputError if there is no such folder."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}, expected one that exists")
    atomic_write(path, page(lesson))


def page(lesson: Lesson) -> str:
    """Return the page as HTML."""
    layout, style, *scripts = ((ASSETS / name).read_text("utf-8") for name in ("page.html", "page.css", *SCRIPTS))
    script = "".join(scripts)
    contents = "".join(f'<li><a href="#step-{s.key}">{_text(s.title)}</a></li>' for s in lesson.sections)
    return Template(layout).substitute(
        {section.key: _section(section) for section in lesson.sections},
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        contents=contents,
        name=_text(lesson.user_data.name),
        points_of=_text(lesson.user_data.points_of),
        data=embedded(_data(lesson)),
    )


def embedded(value: Any) -> str:
    """Write JSON that can stand in a script element: nothing in it can end the element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(UNSAFE)


def _data(lesson: Lesson) -> dict[str, Any]:
    """Return what the controls start from."""
    points = [(p, False) for p in tutorial_points()] + [(p, True) for p in lesson.user_data.points]
    return {
        "classes": printed_values.CLASSES,
        "packets": [f"{packet.name}: {packet.text}" for packet in printed_values.PACKETS],
        "logits": steps.PACKET_LOGITS.tolist(),
        "student": steps.STUDENT,
        "weights": steps.W.tolist(),
        "points": [
            {"name": printable(p.name), "bytes": p.bytes, "ms": p.ms, "accuracy": p.accuracy, "own": own}
            for p, own in points
        ],
        "miniature": {
            "classes": lesson.small.classes,
            "benign": BENIGN,
            "weights": base64.b64encode(lesson.small.weights.astype("<f4").tobytes()).decode(),
        },
        "edits": [
            {"bits": e.bits, "original": e.original, "edited": e.edited, "steps": e.steps}
            for e in lesson.user_data.grid_edits.shown
        ],
    }


def _section(section: Section) -> str:
    own = "".join(map(_block, section.own))
    return (
        f'<section id="step-{section.key}"><h2>{_text(section.title)}</h2>'
        + "".join(map(_block, section.blocks))
        + (f'<div class="own">{own}</div>' if own else "")
        + "".join(_command(command, f'<a href="#real-{section.key}">For real</a>: ') for command in section.commands)
        + "</section>"
    )


def _block(block: Block) -> str:
    if isinstance(block, Drawing):
        return f'<pre tabindex="0">{_text(block.text)}</pre>'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, CommandList):
        return "".join(
            f'<h3 id="real-{key}"><a href="#step-{key}">{_text(title)}</a></h3>' + "".join(map(_command, commands))
            for key, title, commands in block.steps
        )
    return f"<p>{_text(block)}</p>"


def _command(command: Command, before: str = "") -> str:
    return f'<p class="real">{before}<code>{_text(command.line)}</code> {_text(command.does)}</p>'


def _table(table: Table) -> str:
    head, *rows = table.rows
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-head="{_text(h)}">{_text(cell)}</td>' for h, cell in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    kind = ' class="prose"' if table.prose else ""
    filled = f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{filled}</div>'


def _text(text: str) -> str:
    return html.escape(printable(text))


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
