"""Harmless edits: the event says the same to the server, and is spelled otherwise.

An edit takes a text and proposes other texts; it judges nothing. The check asks whether they change a verdict, and a
student can be taught that they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import quote

Edit = Callable[[str], Iterator[str]]

_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
CASE, ENCODING, SPACES, PADDING = "case", "percent-encoding", "white space", "padding past the window"


def case(text: str) -> Iterator[str]:
    """ASCII letters in upper case, and in lower case: keywords of SQL and HTML are the same in both.

    Other letters stay, since some have no other case that leads back. File names and commands of Unix are not the same:
    there such an edit may disarm an attack, so the measure is what the full model makes of it, not the verdict before.
    """
    yield text.translate(_UPPER)
    yield text.translate(_LOWER)


def percent_encoding(text: str) -> Iterator[str]:
    """Percent-encode what is not a letter or digit: one decoding, which a server does anyway, gives the text back."""
    yield quote(text, safe="", errors="surrogatepass")


def white_space(text: str) -> Iterator[str]:
    """Every space doubled; a space at the end."""
    yield text.replace(" ", "  ")
    yield f"{text} "


EDITS: Mapping[str, Edit] = {CASE: case, ENCODING: percent_encoding, SPACES: white_space}


def padded(text: str, window_characters: int, filler: str) -> Iterator[str]:
    """Benign filler before the text, and behind it, until both together pass the window.

    Parameters
    ----------
    window_characters
        More characters than a window holds.
    filler
        A benign event, repeated as often as needed.
    """
    if not filler:
        return
    missing = max(1, window_characters - len(text))
    filling = (filler * (missing // len(filler) + 1))[:missing]
    yield f"{filling} {text}"
    yield f"{text} {filling}"
