"""Edit fragments of JavaScript that break out of the code of a NoSQL query."""

from __future__ import annotations

import json
import re
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.places import LONGEST, gap, phrase

Token = tuple[str, str]  # its kind, and how it is written
SYNTAX = re.compile(
    r"""(?P<space>\s+)|(?P<comment>/\*.*?\*/|//[^\n\r]*)|(?P<string>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
    |(?P<open>['"].*)|(?P<regex>/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)|(?P<number>\d+(?:\.\d+)?\b)
    |(?P<name>(?:[\w$]|\\u[0-9a-fA-F]{4})+)|(?P<sign>[=!]==?|&&|\|\||[-+<>]=|\+\+|--|=>|.)""",
    re.DOTALL | re.VERBOSE,
)
BEFORE_REGEX = set("(,=:[!&|?{};") | {"&&", "||", "==", "===", "!=", "!==", "return"}


def is_json(text: str) -> bool:
    """Say whether a text is strict JSON with an operator; there neither comments nor other quotes are legal."""
    if text.lstrip()[:1] not in ("{", "[") or ("$" not in text and "\\u0024" not in text):
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def is_brackets(text: str) -> bool:
    return re.match(r"(?:\[|%5[bB])(?:\$|%24)", text) is not None


def _tokens(text: str) -> list[Token]:
    """Split JavaScript; a fragment that breaks out of a string begins with that string's rest."""
    tokens: list[Token] = []
    place = 0
    first = re.search(r"['\"]", text)
    if first and (
        len(re.findall(rf"(?<!\\){first[0]}", text)) % 2
        or re.match(r"\s*(?:[;,&|)}\]+]|/\*|==|//)", text[first.end() : first.end() + 40])
    ):
        place = first.end()
        tokens.append(("open", text[:place]))
    last = ""
    while place < len(text):
        found = SYNTAX.match(text, place)
        assert found is not None and found.lastgroup is not None  # the last alternative is any letter
        kind, written = found.lastgroup, found[0]
        if kind == "regex" and last not in BEFORE_REGEX:
            kind, written = "sign", "/"
        tokens.append((kind, written))
        if kind not in ("space", "comment"):
            last = written if kind in ("sign", "name") else kind
        place += len(written)
    return tokens


def _javascript(text: str) -> list[Token]:
    """Return the tokens of a fragment of JavaScript; none of what is not one."""
    if len(text) > LONGEST or "`" in text or is_brackets(text) or is_json(text):
        return []
    if not re.search(r"\$|\|\||&&|[=;{]", text):
        return []
    return _tokens(text)


def _boundaries(tokens: list[Token]) -> list[int]:
    """Return before which tokens something may be put: not before the string's rest, nor behind a line comment."""
    places = []
    for place in range(1, len(tokens) + 1):
        kind, written = tokens[place - 1]
        if (kind == "comment" and written.startswith("//")) or (place == len(tokens) and kind == "open" and place > 1):
            break
        places.append(place)
    return places


def _inserted(what: str) -> Mutator:
    def edit(text: str, random: Random) -> str | None:
        tokens = _javascript(text)
        places = _boundaries(tokens)
        if not places:
            return None
        made = gap(random) if what == "space" else f" /* {phrase(random)} */ "
        place = random.choice(places)
        return _written([*tokens[:place], ("", made), *tokens[place:]])

    return edit


def _written(tokens: list[Token]) -> str:
    return "".join(written for _, written in tokens)


def _line_comment(text: str, random: Random) -> str | None:
    tokens = _javascript(text)
    if not tokens or tokens[-1][0] != "comment" or not tokens[-1][1].startswith("//"):
        return None
    return f"{text} {phrase(random)}"


def _statement(text: str, random: Random) -> str | None:
    """Add a statement that only names words, behind a semicolon outside of every bracket."""
    tokens = _javascript(text)
    places, depth = [], 0
    for place, (_, written) in enumerate(tokens):
        depth += (written in ("(", "[", "{")) - (written in (")", "]", "}"))
        if written == ";" and depth == 0:
            places.append(place + 1)
    if not places:
        return None
    place = random.choice(places)
    quote = random.choice("'\"")
    return _written([*tokens[:place], ("", f"{quote}{phrase(random)}{quote};"), *tokens[place:]])


def _replaced(kind: str, make: str) -> Mutator:
    """Write one token another way."""

    def edit(text: str, random: Random) -> str | None:
        tokens = _javascript(text)
        places = [place for place, token in enumerate(tokens) if token[0] == kind and not _key(tokens, place)]
        random.shuffle(places)
        for place in places:
            made = MAKERS[make](tokens, place, random)
            if made is not None:
                before = place - 1 if make == "member" else place
                return _written([*tokens[:before], ("", made), *tokens[place + 1 :]])
        return None

    return edit


def _key(tokens: list[Token], place: int) -> bool:
    """Say whether a token names a property: nothing but a quoted string may be written otherwise there."""
    later = next((written for kind, written in tokens[place + 1 :] if kind not in ("space", "comment")), "")
    return later == ":" and tokens[place][0] != "string"


def _number(tokens: list[Token], place: int, random: Random) -> str | None:
    written = tokens[place][1]
    if not re.fullmatch(r"0|[1-9]\d{0,8}", written) or (place + 1 < len(tokens) and tokens[place + 1][1] == "."):
        return None
    return random.choice([hex(int(written)), f"{written}.0", f"{written}e0", oct(int(written))])


def _truth(tokens: list[Token], place: int, random: Random) -> str | None:
    if tokens[place][1] not in ("true", "false") or (place and tokens[place - 1][1] == "."):
        return None
    return random.choice(["!0", "!!1"] if tokens[place][1] == "true" else ["!1", "!!0"])


def _member(tokens: list[Token], place: int, random: Random) -> str | None:
    """Write `.name` as `['name']`."""
    if place < 2 or tokens[place - 1][1] != "." or not re.fullmatch(r"[a-zA-Z]\w*", tokens[place][1]):
        return None
    quote = random.choice("'\"")
    return f"[{quote}{tokens[place][1]}{quote}]"


def _escaped_name(tokens: list[Token], place: int, random: Random) -> str | None:
    if place < 2 or tokens[place - 1][1] != "." or not re.fullmatch(r"[a-zA-Z]\w*", tokens[place][1]):
        return None
    return one_letter(tokens[place][1], random, "u")


def _escaped_string(tokens: list[Token], place: int, random: Random) -> str | None:
    written = tokens[place][1]
    made = None if "\\" in written else one_letter(written, random, random.choice("ux"))
    return made


def one_letter(written: str, random: Random, kind: str) -> str | None:
    places = [place for place, letter in enumerate(written) if letter.isascii() and (letter.isalnum() or letter == "$")]
    if not places:
        return None
    place = random.choice(places)
    code = f"\\u{ord(written[place]):04x}" if kind == "u" else f"\\x{ord(written[place]):02x}"
    return written[:place] + code + written[place + 1 :]


def _quotes(tokens: list[Token], place: int, random: Random) -> str | None:
    written = tokens[place][1]
    other = {"'": '"', '"': "'"}[written[0]]
    return None if "\\" in written or other in written else f"{other}{written[1:-1]}{other}"


def _inside_where(tokens: list[Token], place: int, random: Random) -> str | None:
    """Add a comment to the code that a `$where` holds as a string."""
    before = [written for kind, written in tokens[:place] if kind not in ("space", "comment")]
    written = tokens[place][1]
    if before[-2:-1] not in (["$where"], ["'$where'"], ['"$where"']) or "\\" in written or "//" in written:
        return None
    made = f"/* {phrase(random)} */"
    return random.choice([f"{written[0]}{made} {written[1:]}", f"{written[:-1]} {made}{written[-1]}"])


MAKERS = {
    "number": _number,
    "truth": _truth,
    "member": _member,
    "name": _escaped_name,
    "letter": _escaped_string,
    "quotes": _quotes,
    "where": _inside_where,
}

MUTATORS: Mutators = {
    "white space": _inserted("space"),
    "comment with words": _inserted("comment"),
    "words in a line comment": _line_comment,
    "statement of words": _statement,
    "number written otherwise": _replaced("number", "number"),
    "true written otherwise": _replaced("name", "truth"),
    "member by its name": _replaced("name", "member"),
    "escaped letter of a member": _replaced("name", "name"),
    "escaped letter of a string": _replaced("string", "letter"),
    "other quotes": _replaced("string", "quotes"),
    "comment inside $where": _replaced("string", "where"),
}
