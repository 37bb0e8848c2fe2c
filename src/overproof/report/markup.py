"""HTML that cannot be broken into: what is not `Html` already is text, and is escaped where it is put in.

Names and events come from bundles and attackers. No function here takes a plain string for markup.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from overproof.bundle.model_names import MODELS
from overproof.progress import printable
from overproof.report.reading import why_not
from overproof.report.words import NOT_MEASURED, short

SLUGS = dict(zip(MODELS, ("full", "distilled", "int8", "control", "baseline"), strict=True))


class Html(str):
    """Markup that is safe as it stands."""


def safe(text: str) -> Html:
    """Text as markup, or markup as it is."""
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def many(parts: Iterable[str]) -> Html:
    """One after the other."""
    return Html("".join(map(safe, parts)))


def el(name: str, *children: str, **attributes: str | float | None) -> Html:
    """An element; `class_` is written class, other underscores become hyphens, and None leaves an attribute out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{told}>{many(children)}</{name}>")


def _attribute(value: str | float) -> str:
    """Even markup is only text in here."""
    return html.escape(printable(value)) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def name(text: object, longest: int = 80) -> Html:
    """A name from outside: shortened, and its writing direction kept to itself."""
    return el("bdi", short(text, longest))


def paragraph(text: str, class_: str | None = None) -> Html:
    """A paragraph."""
    return el("p", text, class_=class_)


def unmeasured(why: str) -> Html:
    """That something was not measured, and why."""
    return el("p", icon("unmeasured"), el("strong", "unmeasured:"), f" {why}", class_="unmeasured")


def part(title: str, value: object, draw: Callable[[Any], Html]) -> Html:
    """A part of a section: its heading, and what is drawn, or why there is nothing to draw."""
    why = why_not(value)
    return el("div", el("h3", title), draw(value) if why is None else unmeasured(why), class_="part")


def table(
    caption: str,
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (0,),
    kind: str = "",
) -> Html:
    """A table in a box that scrolls by itself; columns of `left` to the left, the others to the right.

    `kind` "records" makes each row a block of its own where the page is narrow; there a title stands before each of
    its cells, unless it is markup: then it is left out, or, being an axis, stays at the top.
    """
    if not body:
        return paragraph("Nothing to show.", "quiet")
    sides = ["left" if i in left else "right" for i in range(len(head))]
    top = many(
        el("th", cell, scope="col", class_=f"{side} axis" if "<svg" in cell and isinstance(cell, Html) else side)
        for cell, side in zip(head, sides, strict=True)
    )
    filled = el(
        "table",
        el("caption", el("span", caption)),
        el("thead", el("tr", top)),
        el("tbody", *(_row(head, row, sides) for row in body)),
        class_=kind or None,
    )
    return el("div", filled, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(head: Sequence[str], row: Sequence[str], sides: Sequence[str]) -> Html:
    first, *rest = row
    cells = [el("th", first, scope="row", class_=sides[0])]
    for title, cell, side in zip(head[1:], rest, sides[1:], strict=True):
        quiet = " quiet" if cell == NOT_MEASURED else ""
        label = None if isinstance(title, Html) else title
        cells.append(el("td", cell, class_=side + quiet, data_head=label))
    return el("tr", *cells)


def details(summary: str, *children: str) -> Html:
    """What is folded away until it is asked for; in print it is open."""
    return el("details", el("summary", summary), *children)


def figure(picture: str, caption: str = "") -> Html:
    """A picture with what it shows below."""
    return el("figure", picture, el("figcaption", caption) if caption else "")


def pictures(items: Iterable[str]) -> Html:
    """Pictures side by side, as many as fit."""
    return el("div", *items, class_="pictures")


def icon(status: str) -> Html:
    """The sign of a status; the word stands beside it."""
    use = el("use", href=f"#i-{status}")
    return el("svg", use, class_=f"icon {status}", viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")


def tag(status: str, text: str = "") -> Html:
    """A status as sign and word."""
    return el("span", icon(status), text or status, class_=f"tag {status}")


def slug(model: str) -> str:
    """The class of a model in the style sheet."""
    return SLUGS.get(model, "other")


def model(title: str) -> Html:
    """A model's name behind its mark."""
    mark = el("svg", el("use", href=f"#m-{slug(title)}", x=7, y=7), class_=f"mark {slug(title)}", **_SQUARE)
    return el("span", mark, name(title), class_="model")


_SQUARE: dict[str, str | float | None] = {"width": 14, "height": 14, "viewBox": "0 0 14 14", "aria_hidden": "true"}


def listed(titles: Iterable[object]) -> Html:
    """Names in a line."""
    return many(el("span", name(title), class_="item") for title in titles)


def legend(models: Iterable[str]) -> Html:
    """Which mark is which model."""
    return el("p", *(el("span", model(title), " ") for title in models), class_="legend")
