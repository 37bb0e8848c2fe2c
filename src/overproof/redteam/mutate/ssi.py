"""Edit server-side includes as Apache's mod_include reads them."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.places import LONGEST, at_one, gap, phrase
from overproof.redteam.mutate.words import WORDS

VALUE = "|".join(rf"""{quote}(?:\\{quote}|[^{quote}\\]|\\(?!{quote}))*{quote}""" for quote in "\"'`")
ARGUMENT = rf"[a-zA-Z]+\s*=\s*(?:{VALUE})"
# A whole directive whose arguments are all quoted: only there is it clear where what ends.
DIRECTIVE = rf"<!--#(?P<name>[a-zA-Z]+)(?P<arguments>(?:\s+{ARGUMENT})*)\s*-->"
WHOLE = re.compile(DIRECTIVE)
TAGS = ["p", "div", "span", "b", "li", "h2", "em"]


def _whole(text: str) -> bool:
    return len(text) <= LONGEST and WHOLE.search(text) is not None


def _mixed(word: str, random: Random) -> str:
    return "".join(random.choice([letter.lower(), letter.upper()]) for letter in word)


def _name_case(found: re.Match[str], random: Random) -> str:
    return f"<!--#{_mixed(found['name'], random)}{found[0][5 + len(found['name']) :]}"


def _in_arguments(found: re.Match[str], edit: str, random: Random) -> str | None:
    """Edit one argument of a directive: the white space before it, its name or its quotes."""
    arguments = list(re.finditer(rf"(\s+)([a-zA-Z]+)(\s*)=(\s*)({VALUE})", found["arguments"]))
    if not arguments:
        return None
    chosen = random.choice(arguments)
    before, name, left, right, value = chosen.groups()
    if edit == "space":
        places = [before, left, right]
        place = random.randrange(3)
        places[place] += gap(random)
        before, left, right = places
    elif edit == "case":
        name = _mixed(name, random)
    else:
        inside = value[1:-1]
        # A backslash at the end of a value would escape the quote behind it; within, only one before a quote counts.
        quotes = [quote for quote in "\"'`" if quote not in value]
        if not quotes or "\\" + value[0] in inside or inside.endswith("\\"):
            return None
        quote = random.choice(quotes)
        value = quote + inside + quote
    made = f"{before}{name}{left}={right}{value}"
    start = found.start("arguments") - found.start()
    return found[0][: start + chosen.start()] + made + found[0][start + chosen.end() :]


def _around(text: str, padding: str, random: Random) -> str:
    """Put text before or behind: it is sent as it stands, beside what the directive does."""
    return random.choice([f"{padding} {text}", f"{text} {padding}"])


def _words(text: str, random: Random) -> str | None:
    return _around(text, phrase(random), random) if _whole(text) else None


def _element(text: str, random: Random) -> str | None:
    tag = random.choice(TAGS)
    return _around(text, f"<{tag}>{phrase(random)}</{tag}>", random) if _whole(text) else None


def _comment(text: str, random: Random) -> str | None:
    return _around(text, f"<!-- {phrase(random)} -->", random) if _whole(text) else None


def _variable(text: str, random: Random) -> str | None:
    name = random.choice(WORDS)
    if not _whole(text) or name in text or "printenv" in text.lower():
        return None
    return _around(text, f'<!--#set var="{name}" value="{phrase(random)}" -->', random)


MUTATORS: Mutators = {
    "words around": _words,
    "element with words around": _element,
    "comment around": _comment,
    "variable that nobody reads": _variable,
    "directive in another case": at_one(DIRECTIVE, _name_case),
    "argument in another case": at_one(DIRECTIVE, lambda found, random: _in_arguments(found, "case", random)),
    "white space in a directive": at_one(DIRECTIVE, lambda found, random: _in_arguments(found, "space", random)),
    "white space at a directive's end": at_one(DIRECTIVE, lambda found, random: f"{found[0][:-3]}{gap(random)}-->"),
    "other quotes": at_one(DIRECTIVE, lambda found, random: _in_arguments(found, "quotes", random)),
}
