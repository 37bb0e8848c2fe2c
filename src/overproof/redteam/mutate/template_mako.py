"""Edit Mako's expressions, which are Python: those that begin at the template itself, `${self.module...}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.places import phrase
from overproof.redteam.mutate.template import STRING, blocks, in_expressions, in_two, letter_code


def _python(inside: str) -> bool:
    code = re.sub(STRING, "", inside)
    return re.search(r"(?<![\w.])self\s*[.,]", code) is not None and "\\" not in code


def _listed(inside: str, random: Random) -> str | None:
    """Write an expression as an item of a list that holds words besides."""
    quote = random.choice("'\"")
    words = f"{quote}{phrase(random)}{quote}"
    if not _python(inside):
        return None
    return random.choice([f"[{words}, ({inside.strip()})][1]", f"[({inside.strip()}), {words}][0]"])


def _named(inside: str, random: Random) -> str | None:
    """Write an attribute by its name: `getattr(self.module, 'cache')`."""
    found = re.search(r"(?<![\w.'\"])self(?:\.[A-Za-z_]\w*)+", inside)
    if found is None or not _python(inside):
        return None
    names = found[0].split(".")
    cut = random.randrange(1, len(names))
    rest = "".join(f".{name}" for name in names[cut + 1 :])
    quote = random.choice("'\"")
    made = f"getattr({'.'.join(names[:cut])}, {quote}{names[cut]}{quote}){rest}"
    return inside[: found.start()] + made + inside[found.end() :]


def _of_string(edit: Callable[[str, str, Random], str | None]) -> Callable[[str, Random], str | None]:
    def one(inside: str, random: Random) -> str | None:
        strings = [found for found in re.finditer(STRING, inside) if len(found[0]) > 3 and "\\" not in found[0]]
        if not strings or not _python(inside):
            return None
        found = random.choice(strings)
        made = edit(found[0][0], found[0][1:-1], random)
        return None if made is None else inside[: found.start()] + made + inside[found.end() :]

    return one


def _documented(text: str, random: Random) -> str | None:
    found = blocks(text)
    if not any(opened == "${" and _python(text[start:end]) for start, end, opened in found):
        return None
    comment = f"<%doc>{phrase(random)}</%doc>"
    return random.choice([f"{comment} {text}", f"{text} {comment}"])


MUTATORS: Mutators = {
    "item of a list of words (Mako)": in_expressions(("${",), _listed),
    "attribute by its name (Mako)": in_expressions(("${",), _named),
    "string in two (Mako)": in_expressions(("${",), _of_string(in_two)),
    "escaped letter (Mako)": in_expressions(("${",), _of_string(letter_code)),
    "comment around (Mako)": _documented,
}
