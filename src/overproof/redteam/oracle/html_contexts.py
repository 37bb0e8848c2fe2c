"""List the places of a page where an application puts a value that came with a request."""

from __future__ import annotations

import html

CONTEXTS: dict[str, tuple[str, str]] = {
    "an element": ("<div>", "</div>"),
    "a double-quoted attribute": ('<input value="', '">'),
    "a single-quoted attribute": ("<input value='", "'>"),
    "an unquoted attribute": ("<input value=", ">"),
    "a double-quoted script string": ('<script>var v = "', '";</script>'),
    "a single-quoted script string": ("<script>var v = '", "';</script>"),
    "a link": ('<a href="', '">link</a>'),
    "an escaped link": ('<a href="', '">link</a>'),
    "a textarea": ("<textarea>", "</textarea>"),
    "a title": ("<title>", "</title>"),
    "a comment": ("<!-- ", " -->"),
    "a style sheet": ("<style>", "</style>"),
}

SCRIPT = "a script"
"""Where a value is put that does nothing anywhere else: a piece of script alone."""

BENIGN = "shoes"


def page(text: str, context: str) -> str:
    """Put a value in its place."""
    before, after = CONTEXTS.get(context, ("<script>", "</script>"))
    return before + (html.escape(text) if context == "an escaped link" else text) + after
