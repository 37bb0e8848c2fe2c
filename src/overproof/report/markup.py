"""Draw the building blocks of a page: HTML that cannot be broken into.

Names and events come from bundles and attackers. No function here takes a plain string for markup: what is not `Html`
already is text, and is escaped where it is put in (`templating.py`). The markup itself is in templates/kit.html.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup, escape

from overproof.bundle.model_names import MODELS
from overproof.report.not_measured import NotMeasured
from overproof.report.templating import environment, shown
from overproof.report.words import NOT_MEASURED, short

Html = Markup  # what is safe as it stands
T = TypeVar("T")

SLUGS = dict(zip(MODELS, ("full", "distilled", "int8", "control", "baseline"), strict=True))
KIT = environment("overproof.report").get_template("kit.html").module


def _block(block: str, *values: object) -> Html:
    return Html(getattr(KIT, block)(*values))


def safe(text: str) -> Html:
    """Return text as markup, or markup as it is."""
    return escape(shown(text))


def many(parts: Iterable[str]) -> Html:
    """Put parts one after the other."""
    return Html("").join(map(safe, parts))


def head(title: str, policy: Html, style: Html) -> Html:
    """Draw the head of a page."""
    return _block("page_head", title, policy, style)


def name(text: str, longest: int = 80) -> Html:
    """Draw a name from outside: shortened, and its writing direction kept to itself."""
    return _block("name", short(text, longest))


def span(*parts: str, kind: str | None = None) -> Html:
    """Put parts into one line, in the style of a class."""
    return _block("span", many(parts), kind)


def strong(text: str, kind: str | None = None) -> Html:
    """Stress a text."""
    return _block("strong", text, kind)


def code(text: str, longest: int = 80) -> Html:
    """Draw a key or a name of a field, shortened."""
    return _block("code", short(text, longest))


def prose(text: str) -> Html:
    """Write a sentence; what stands between backticks in it is typed, and is drawn as code."""
    parts = [text] if isinstance(text, Html) else text.split("`")
    if len(parts) % 2 == 0:  # one of them has no partner: it is part of the text
        return safe(text)
    return many(_block("code", part) if i % 2 else part for i, part in enumerate(parts))


def paragraph(text: str, class_: str | None = None) -> Html:
    """Draw a paragraph."""
    return _block("paragraph", text, class_)


def box(*parts: str, kind: str | None = None) -> Html:
    """Put parts one below the other into a box, in the style of a class."""
    return _block("box", many(parts), kind)


def beside(*parts: str) -> Html:
    """Put parts beside each other where the page is wide enough."""
    return box(*parts, kind="beside")


def unmeasured(why: str) -> Html:
    """Say that something was not measured, and why."""
    return _block("unmeasured", prose(why))


def part(title: str, value: T | NotMeasured | None, draw: Callable[[T], Html]) -> Html:
    """Draw a part of a section: its heading, and what was measured, or why nothing was."""
    if value is None:
        return _block("part", title, unmeasured(NOT_MEASURED))
    return _block("part", title, unmeasured(value.unmeasured) if isinstance(value, NotMeasured) else draw(value))


@dataclass(frozen=True)
class _Cell:
    """A cell of a table: its text, its class, and the title that stands before it on a narrow page."""

    text: str
    css: str
    head: str | None = None


def table(
    caption: str,
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (0,),
    kind: str = "",
) -> Html:
    """Draw a table in a box that scrolls by itself; columns of `left` to the left, the others to the right.

    `kind` "records" makes each row a block of its own where the page is narrow; there a title stands before each of
    its cells, unless it is markup: then it is left out, or, being an axis, stays at the top.
    """
    if not body:
        return paragraph("Nothing to show.", "quiet")
    sides = ["left" if i in left else "right" for i in range(len(head))]
    top = [_Cell(cell, f"{side} axis" if _is_axis(cell) else side) for cell, side in zip(head, sides, strict=True)]
    return _block("table", caption, kind, top, [_row(head, row, sides) for row in body])


def _is_axis(cell: str) -> bool:
    return isinstance(cell, Html) and "<svg" in cell


def _row(head: Sequence[str], row: Sequence[str], sides: Sequence[str]) -> list[_Cell]:
    cells = [_Cell(row[0], sides[0])]
    for title, cell, side in zip(head[1:], row[1:], sides[1:], strict=True):
        quiet = " quiet" if cell == NOT_MEASURED else ""
        cells.append(_Cell(cell, side + quiet, None if isinstance(title, Html) else title))
    return cells


def marked(text: str) -> Html:
    """Mark a piece of text."""
    return _block("marked", text)


def details(summary: str, *children: str) -> Html:
    """Fold something away until it is asked for; in print it is open."""
    return _block("details", summary, many(children))


def deleted(text: str) -> Html:
    """Draw a piece of text that is no longer there."""
    return _block("deleted", text)


def inserted(text: str) -> Html:
    """Draw a piece of text that was not there before."""
    return _block("inserted", text)


def figure(picture: str, caption: str = "") -> Html:
    """Draw a picture with what it shows below."""
    return _block("figure", picture, caption)


def pictures(items: Iterable[str]) -> Html:
    """Put pictures side by side, as many as fit."""
    return box(*items, kind="pictures")


def icon(status: str) -> Html:
    """Draw the sign of a status; the word stands beside it."""
    return _block("icon", status)


def tag(status: str, text: str = "") -> Html:
    """Draw a status as sign and word."""
    return _block("tag", status, text or status)


def slug(model: str) -> str:
    """Return the class of a model in the style sheet."""
    return SLUGS.get(model, "other")


def model(title: str) -> Html:
    """Draw a model's name behind its mark."""
    return _block("model", slug(title), short(title))


def listed(titles: Iterable[str]) -> Html:
    """Put names in a line."""
    return _block("listed", [short(title) for title in titles])


def legend(models: Iterable[str]) -> Html:
    """Show which mark is which model."""
    return _block("legend", [model(title) for title in models])


def preformatted(text: str, note: str = "", region: str = "") -> Html:
    """Draw a text as it is, in a box that wraps it.

    Parameters
    ----------
    note
        Stands behind it.
    region
        A name for the box, which then scrolls by itself; without one it is as high as its text.
    """
    return _block("pre", text, note, region)
