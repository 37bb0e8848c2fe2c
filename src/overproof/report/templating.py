"""Fill HTML templates: everything put into one is text and is escaped, unless it is markup already.

Names and events come from bundles and attackers. Besides the escaping, characters that could steer a terminal or turn
the direction of writing are spelled out, and a value that a template asks for and was not given is an error.
"""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from overproof.progress import printable


def environment(package: str) -> Environment:
    """Return the templates in the folder `templates` of a package."""
    folder = files(package) / "templates"
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
    )
    made.filters["plain"] = plain
    return made


def shown(value: object) -> object:
    """Return a value as it stands on the page, before it is escaped.

    Raises
    ------
    TypeError
        For None: what is not there has to be told in words.
    """
    if value is None:
        raise TypeError("a template was given None to show")
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def plain(value: object) -> object:
    """Return even markup as text, which is then escaped: for attributes."""
    return printable(str(value)) if isinstance(value, str) else value
