"""Edit NoSQL injections: JSON operators and bracket parameters; fragments of JavaScript are next door."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate import nosql_code
from overproof.redteam.mutate.nosql_code import is_brackets, is_json, one_letter
from overproof.redteam.mutate.places import LONGEST, gap, phrase
from overproof.redteam.mutate.words import WORDS

JSON_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\],:]|[^\s"{}\[\],:]+')


def _json_edit(what: str) -> Mutator:
    def edit(text: str, random: Random) -> str | None:
        if len(text) > LONGEST or not is_json(text):
            return None
        tokens = list(JSON_TOKEN.finditer(text))
        if what == "space":
            place = random.choice([found.end() for found in tokens])
            return text[:place] + random.choice([gap(random), "\n"]) + text[place:]
        if what == "key":
            # Of two equal keys a parser keeps the last.
            keys = [at for at, follows in pairwise(tokens) if follows[0] == ":"]
            found = random.choice(keys) if keys else None
            return found and f'{text[: found.start()]}{found[0]}: "{phrase(random)}", {text[found.start() :]}'
        strings = [found for found in tokens if found[0][0] == '"' and re.search(r"[\w$]", found[0])]
        found = random.choice(strings) if strings else None
        made = one_letter(found[0], random, "u") if found and "\\" not in found[0] else None
        return made and found and text[: found.start()] + made + text[found.end() :]

    return edit


def _percent(text: str, random: Random) -> str | None:
    """Escape a letter of a bracket parameter: what the text holds before its `=` is part of a query yet."""
    if len(text) > LONGEST or not is_brackets(text):
        return None
    places = [found for found in re.finditer(r"%[0-9a-fA-F]{2}|(?P<at>[\w$\[\]])", text) if found["at"]]
    places = [found for found in places if found["at"].isascii()]
    if not places:
        return None
    found = random.choice(places)
    code = f"%{ord(found[0]):02x}"
    return text[: found.start()] + random.choice([code, code.upper()]) + text[found.end() :]


def _parameter(text: str, random: Random) -> str | None:
    """Add another parameter behind a bracket parameter: it is none of its operators."""
    if len(text) > LONGEST or not is_brackets(text) or "=" not in text:
        return None
    return f"{text}&{random.choice(WORDS)}={phrase(random).replace(' ', '+')}"


MUTATORS: Mutators = {
    "white space in JSON": _json_edit("space"),
    "earlier key of the same name": _json_edit("key"),
    "unicode escape in JSON": _json_edit("letter"),
    "percent escape in a bracket parameter": _percent,
    "another parameter": _parameter,
    **nosql_code.MUTATORS,
}
