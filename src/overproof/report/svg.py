"""Draw SVG: the primitives and axes of every picture, in a page or in a file of its own.

Three kinds: rows, measured in percent of their width so that they fill a table's cell; plots of a fixed shape, which
the page's style sheet colours; and documents, which stand alone, without script, font or address, light or dark as the
reader's screen. Whatever is written in them is escaped, and described for those who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from overproof.files import atomic_write
from overproof.progress import one_line
from overproof.report.estimate import Estimate
from overproof.report.markup import Html, many, slug
from overproof.report.templating import environment

Place = float | str
Point = tuple[float, float]
ELEMENT = environment("overproof.report").get_template("svg.html").module.element  # type: ignore[attr-defined]

STYLE = """
svg { --paper: #fff; --ink: #1c1e21; --faint: #6a7078; --rule: #d5d9de; --loud: #c2410c;
  background: var(--paper); font: 13px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --paper: #16181c; --ink: #e8eaed; --faint: #9aa1ab; --rule: #3a3f47;
  --loud: #fb923c } }
text { fill: var(--ink) } .title { font-size: 17px; font-weight: 600 } .head { font-weight: 600 }
.faint { fill: var(--faint); font-size: 12px } .loud { fill: var(--loud) } .rule { stroke: var(--rule) }
"""


def element(name: str, *children: str, **attributes: str | float | None) -> Html:
    """Draw an element; `class_` is written class, other underscores become hyphens, and None leaves one out."""
    given = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    return Html(ELEMENT(name, given, many(children)))


def svg(title: str, description: str, parts: Iterable[Html], *, height: float, width: float | None = None) -> Html:
    """Put a picture together for a page; `title` is what it is, and `description` what it shows.

    Without a width it is a row as wide as its place.
    """
    box = None if width is None else f"0 0 {width:g} {height:g}"
    wide = "100%" if width is None else width
    words = element("title", one_line(title)), element("desc", one_line(description))
    kind = "row" if width is None else "plot"
    return element("svg", *words, *parts, role="img", class_=kind, viewBox=box, width=wide, height=height)


def document(title: str, description: str, css: str, size: tuple[float, float], parts: Iterable[Html]) -> str:
    """Put a picture together that stands alone in a file.

    Parameters
    ----------
    title, description
        What it is, and what it shows in words, for those who do not see it.
    css
        Style sheet besides that of every picture.
    size
        Width and height in pixels.
    """
    width, height = size
    head = [
        element("title", one_line(title), id="title"),
        element("desc", one_line(description), id="desc"),
        element("style", Html(f"{STYLE}{css}")),
    ]
    body = Html("\n".join(["", *head, *parts, ""]))
    picture = element(
        "svg",
        body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_labelledby="title desc",
    )
    return f"{picture}\n"


def write(picture: str, path: Path) -> None:
    """Write a picture into a file, which is written aside and renamed."""
    atomic_write(path, picture)


def group(style: str, parts: Iterable[Html]) -> Html:
    """Group parts that belong together."""
    return element("g", *parts, class_=style)


def line(x0: Place, y0: Place, x1: Place, y1: Place, style: str) -> Html:
    """Draw a straight line."""
    return element("line", x1=x0, y1=y0, x2=x1, y2=y1, class_=style)


def rect(x: Place, y: Place, width: Place, height: Place, style: str) -> Html:
    """Draw a box from its upper left corner."""
    return element("rect", x=x, y=y, width=width, height=height, class_=style)


def bar(x: float, base: float, width: float, height: float, style: str) -> Html:
    """Draw a bar that stands on `base`."""
    return rect(x, base - height, width, height, style)


def path(points: Iterable[Point], style: str) -> Html:
    """Draw a line through points."""
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=style)


def dots(places: Iterable[Point], outline: str, style: str) -> Html:
    """Draw one small shape at many places as one path; `outline` is its path from the place on."""
    return element("path", d="".join(f"M{x:.1f} {y:.1f}{outline}" for x, y in places), class_=style)


def symbol(shape: str, x: Place, y: Place, style: str) -> Html:
    """Draw one of the page's shapes, by its name there."""
    return element("use", href=f"#{shape}", x=x, y=y, class_=style)


def circle(x: Place, y: Place, radius: float, style: str) -> Html:
    """Draw a disk around a point."""
    return element("circle", cx=x, cy=y, r=radius, class_=style)


def text(x: Place, y: Place, *words: str, anchor: str = "start", style: str | None = None) -> Html:
    """Write one line of text; what is not markup already, such as `loud`, is escaped."""
    spans = (part if isinstance(part, Html) else one_line(part) for part in words)
    return element("text", *spans, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=style)


def loud(words: str) -> Html:
    """Set a part of a line of text in the colour that warns."""
    return element("tspan", one_line(words), class_="loud")


def upright(x: float, y: float, words: str, *, anchor: str = "start", style: str | None = None) -> Html:
    """Write one line of text that runs upwards."""
    turn = f"rotate(-90 {x:.1f} {y:.1f})"
    return element("text", one_line(words), x=x, y=y, transform=turn, class_=style, text_anchor=anchor)


def mark(x: Place, y: Place, model: str, *, hollow: bool = False) -> Html:
    """Draw the mark of a model, in its shape and its colour."""
    kind = slug(model)
    return element("use", href=f"#m-{kind}", x=x, y=y, class_=f"mark {kind}{' hollow' if hollow else ''}")


@dataclass(frozen=True)
class Rule:
    """A horizontal axis in percent of the picture's width.

    Attributes
    ----------
    low, high
        Values at its ends; what lies beyond is drawn at the end.
    left, right
        Where the ends are.
    warp
        Stretches the axis: from a share of it to another.
    """

    low: float
    high: float
    left: float = 2.0
    right: float = 98.0
    warp: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """Return where a value lies, in percent."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.left + (self.right - self.left) * self.warp(min(max(share, 0.0), 1.0))

    def x(self, value: float) -> str:
        """Return where a value lies, as an attribute."""
        return f"{self.at(value):.2f}%"

    def whisker(self, found: Estimate, y: float, model: str, *, hollow: bool = False) -> list[Html]:
        """Draw a figure with its interval."""
        thin = " thin" if hollow else ""
        interval = line(self.x(found.low), y, self.x(found.high), y, f"whisker {slug(model)}{thin}")
        return [interval, mark(self.x(found.value), y, model, hollow=hollow)]

    def grid(self, values: Iterable[float], height: float) -> list[Html]:
        """Draw faint lines at some values."""
        return [line(self.x(value), 0, self.x(value), height, "grid") for value in values]

    def heads(self, values: Sequence[float], words: Callable[[float], str]) -> Html:
        """Write the values over a column of rows; who listens hears the figures themselves."""
        last = "end" if values and self.at(values[-1]) > 94 else "start"  # so that it stays within its place
        anchors = ["start", *["middle"] * (len(values) - 2), last][: len(values)]  # of one there is no second
        labels = [text(self.x(v), 11, words(v), anchor=anchor) for v, anchor in zip(values, anchors, strict=True)]
        return element("svg", *labels, class_="row", width="100%", height=14, aria_hidden="true")


@dataclass(frozen=True)
class Axis:
    """One axis of a plot, from pixel to pixel; logarithmic or not."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where a value lies; what lies beyond the ends is drawn there."""
        low, high, value = (math.log10(max(v, 1e-12)) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values that lie on it."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        return steps(self.low, self.high, most)


def steps(low: float, high: float, most: int = 5) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten that divide a range into at most so many steps."""
    if not high > low:
        return []
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * k for k in (1, 2, 5, 10) if (high - low) / (power * k) <= most)
    return [round(k * step, 12) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def frame(x: Axis, y: Axis, across: tuple[str, Callable[[float], str]], up: tuple[str, Callable[[float], str]]) -> Html:
    """Draw grid, values and titles of a plot's axes.

    Each of `across` and `up` is the axis' title and how a value is written.
    """
    parts = []
    for value in x.ticks():
        parts += [line(x.at(value), y.start, x.at(value), y.end, "grid")]
        parts.append(text(x.at(value), y.start + 14, across[1](value), anchor="middle"))
    for value in y.ticks():
        parts += [line(x.start, y.at(value), x.end, y.at(value), "grid")]
        parts.append(text(x.start - 5, y.at(value) + 4, up[1](value), anchor="end"))
    parts.append(text((x.start + x.end) / 2, y.start + 30, across[0], anchor="middle", style="axis"))
    parts.append(text(0, y.end - 10, up[0], style="axis"))
    return element("g", *parts)
