"""Self-contained SVG: no script, font or address; light or dark as the reader's screen; described for who listens."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from overproof.progress import one_line

STYLE = """
svg { --paper: #fff; --ink: #1c1e21; --faint: #6a7078; --rule: #d5d9de; --loud: #c2410c;
  background: var(--paper); font: 13px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --paper: #16181c; --ink: #e8eaed; --faint: #9aa1ab; --rule: #3a3f47;
  --loud: #fb923c } }
text { fill: var(--ink) } .title { font-size: 17px; font-weight: 600 } .head { font-weight: 600 }
.faint { fill: var(--faint); font-size: 12px } .loud { fill: var(--loud) } .rule { stroke: var(--rule) }
"""


def document(title: str, said: str, style: str, size: tuple[float, float], parts: Sequence[str]) -> str:
    """A picture of that size in pixels.

    Parameters
    ----------
    title, said
        What it is, and what it shows in words, for those who do not see it.
    style
        CSS besides that of every picture.
    """
    width, height = size
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{safe(title)}</title>',
            f'<desc id="desc">{safe(said)}</desc>',
            f"<style>{STYLE}{style}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def write(picture: str, path: Path) -> None:
    """Write a picture into a file, which is written aside and renamed."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(picture, encoding="utf-8")
    aside.rename(path)


def group(name: str, parts: Sequence[str]) -> str:
    """Parts that belong together."""
    return "\n".join([f'<g class="{name}">', *parts, "</g>"])


def bar(x: float, base: float, width: float, height: float, style: str) -> str:
    """A bar that stands on `base`."""
    return f'<rect class="{style}" x="{x:.1f}" y="{base - height:.1f}" width="{width:.2f}" height="{height:.1f}"/>'


def line(x0: float, y0: float, x1: float, y1: float, style: str) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'


def text(x: float, y: float, words: str, style: str = "", *, anchor: str = "start", tail: str = "") -> str:
    """A line of text; `tail` goes on with it in the colour that warns."""
    more = f'<tspan class="loud">{safe(tail)}</tspan>' if tail else ""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{safe(words)}{more}</text>'


def safe(words: str) -> str:
    """Escaped, on one line, and without what steers a terminal."""
    return html.escape(one_line(words))
