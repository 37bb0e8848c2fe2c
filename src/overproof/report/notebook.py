"""Hand results on to notebooks and pandas: a page in a frame of its own, text as it is, rows as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from markupsafe import Markup, escape

from overproof.errors import MissingExtra
from overproof.report.markup import Html, preformatted

HEIGHT = 640  # pixels of a page in a notebook, which scrolls by itself


def framed(page: str, title: str) -> Html:
    """Put a whole page into a frame: its styles and its policy are its own, and it runs no script."""
    return Markup('<iframe sandbox="" title="{}" srcdoc="{}" style="width:100%;height:{}px;border:0"></iframe>').format(
        title, escape(str(page)), HEIGHT
    )


def as_text(text: str) -> Html:
    """Draw text for a terminal as it is."""
    return preformatted(text.rstrip())


def to_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a pandas frame.

    Raises
    ------
    MissingExtra
        Without pandas, which overproof does not bring.
    """
    return pandas().DataFrame(list(rows))


def pandas() -> Any:
    """Return the package; MissingExtra without it."""
    try:
        return import_module("pandas")
    except ModuleNotFoundError:
        raise MissingExtra("a pandas frame needs the package pandas: pip install pandas") from None
