"""Edit template injections: what stands around an expression is text, and an expression has many spellings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.places import LONGEST, gap, phrase
from overproof.redteam.mutate.words import WORDS

STRING = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
# An expression, by what opens it; strings within may hold what would close it.
BLOCKS = {"{{": "}}", "{%": "%}", "${": "}", "#{": "}", "<%": "%>", "<#": ">"}
OPENED = re.compile(r"\{\{|\{%|\{#|\$\{|#\{|<%|<#|@\(|\{\$|\{php\}")
TOKEN = re.compile(rf"(?P<string>{STRING})|(?P<space>\s+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>.)", re.DOTALL)
# Objects that Jinja's templates begin an attack with.
JINJA = re.compile(r"__\w+__|\b(?:request|config|self|joiner|cycler|lipsum|namespace|url_for|get_flashed_messages)\b")

Block = tuple[int, int, str]  # where the inside of an expression begins and ends, and what opened it


def blocks(text: str) -> list[Block]:
    """Find the expressions that end; none where one does not."""
    if len(text) > LONGEST:
        return []
    found: list[Block] = []
    place = 0
    while opened := OPENED.search(text, place):
        closing = BLOCKS.get(opened[0])
        if closing is None:
            ends = {"{#": "#}", "{php}": "{/php}", "@(": ")", "{$": "}"}
            end = text.find(ends[opened[0]], opened.end())
        else:
            end = _closed(text, opened.end(), closing)
        if end < 0:
            return []
        found.append((opened.end(), end, opened[0]))
        place = end + len(closing or "}")
    return found


def _closed(text: str, place: int, closing: str) -> int:
    depth = 0
    while place < len(text):
        token = TOKEN.match(text, place)
        assert token is not None  # the last alternative is any letter
        if depth <= 0 and text.startswith(closing, place):
            return place
        depth += (token[0] in ("{", "(", "[")) - (token[0] in ("}", ")", "]"))
        place = token.end()
    return -1


def _around(make: Callable[[Random], str], fits: Callable[[str, list[Block]], bool]) -> Mutator:
    """Put something before or behind everything."""

    def edit(text: str, random: Random) -> str | None:
        found = blocks(text)
        if not found or not fits(text, found):
            return None
        made = make(random)
        return random.choice([f"{made} {text}", f"{text} {made}"])

    return edit


def _braces(text: str, found: list[Block]) -> bool:
    """Say whether Jinja, Twig or Nunjucks may read a text."""
    inside = [re.sub(STRING, "", text[start:end]) for start, end, opened in found if opened in ("{{", "{%")]
    return bool(inside) and not any("\\" in code for code in inside)


def _comment(random: Random) -> str:
    return f"{{# {phrase(random)} #}}"


def _variable(random: Random) -> str:
    quote = random.choice("'\"")
    return f"{{% set garden_{random.choice(WORDS)} = {quote}{phrase(random)}{quote} %}}"


def _dead(random: Random) -> str:
    return f"{{% if false %}}{phrase(random)}{{% endif %}}"


def _printed(random: Random) -> str:
    quote = random.choice("'\"")
    return f"{{{{ {quote}{phrase(random)}{quote} }}}}"


def in_expressions(openings: tuple[str, ...], edit: Callable[[str, Random], str | None]) -> Mutator:
    """Edit the inside of one expression."""

    def one(text: str, random: Random) -> str | None:
        found = [block for block in blocks(text) if block[2] in openings]
        random.shuffle(found)
        for start, end, _ in found[:4]:
            made = edit(text[start:end], random)
            if made is not None:
                return text[:start] + made + text[end:]
        return None

    return one


def _edge(inside: str, random: Random) -> str | None:
    """Add white space behind the opening or before the closing."""
    if inside[:1] in "-=+%#" or not inside.strip() or inside.endswith("-"):
        return None
    return random.choice([gap(random) + inside, inside + gap(random)])


def _end(inside: str, random: Random) -> str | None:
    return inside + gap(random) if inside.strip() and not inside.endswith(("-", "\\")) else None


def _trim(inside: str, random: Random) -> str | None:
    """Cut white space of the text around."""
    if inside[:1] in "-+" or inside[-1:] in "-+" or not inside.strip():
        return None
    return random.choice([f"-{inside}", f"{inside} -", f"-{inside} -"])


def _space(inside: str, random: Random) -> str | None:
    """Add white space between two tokens of which one is a bracket, a dot or a comma."""
    tokens = list(TOKEN.finditer(inside))
    places = [two.start() for one, two in itertools.pairwise(tokens) if _apart(one[0], two[0])]
    if not places or "\\" in re.sub(STRING, "", inside):
        return None
    place = random.choice(places)
    return inside[:place] + gap(random) + inside[place:]


def _apart(one: str, two: str) -> bool:
    return one in ("(", "[", ",") or two in (")", "]", ",")


def _jinja(inside: str) -> bool:
    return JINJA.search(inside) is not None and "\\" not in re.sub(STRING, "", inside)


def _attribute(inside: str, random: Random) -> str | None:
    """Write `.name` as `['name']`: Jinja reads either as an attribute or an item."""
    if not _jinja(inside) or "\\" in inside:
        return None
    pattern = rf"{STRING}|(?<=[\w)\]'\"])\s*\.\s*(?P<name>[A-Za-z_]\w*)"
    places = [found for found in re.finditer(pattern, inside) if found["name"]]
    if not places:
        return None
    found = random.choice(places)
    quote = random.choice("'\"")
    return f"{inside[: found.start()]}[{quote}{found['name']}{quote}]{inside[found.end() :]}"


def _dotted(inside: str, random: Random) -> str | None:
    """Write `['name']` as `.name`, behind what it is an item of."""
    pattern = rf"(?<=[\w)\]])\[\s*(?P<quote>['\"])(?P<name>[A-Za-z_]\w*)(?P=quote)\s*\]|{STRING}"
    places = [found for found in re.finditer(pattern, inside) if found["name"]]
    if not places or not _jinja(inside):
        return None
    found = random.choice(places)
    return f"{inside[: found.start()]}.{found['name']}{inside[found.end() :]}"


def _filtered(inside: str, random: Random) -> str | None:
    """Write the first attribute of a chain as a filter: `(request|attr('__class__'))`."""
    pattern = r"\s*(?P<object>[a-z_]\w*|''|\"\"|\[\]|\(\))\s*\.\s*(?P<name>__\w+__)"
    found = re.match(pattern, inside)
    if found is None or "\\" in inside:
        return None
    quote = random.choice("'\"")
    return f" ({found['object']}|attr({quote}{found['name']}{quote})){inside[found.end() :]}"


def _of_string(edit: Callable[[str, str, Random], str | None]) -> Callable[[str, Random], str | None]:
    """Edit one string of letters of an expression that Jinja reads."""

    def one(inside: str, random: Random) -> str | None:
        strings = [found for found in re.finditer(STRING, inside) if len(found[0]) > 3 and "\\" not in found[0]]
        if not strings or not _jinja(inside):
            return None
        found = random.choice(strings)
        made = edit(found[0][0], found[0][1:-1], random)
        return None if made is None else inside[: found.start()] + made + inside[found.end() :]

    return one


def in_two(quote: str, letters: str, random: Random) -> str:
    """Split a string: Jinja joins strings that follow each other."""
    cut = random.randrange(1, len(letters))
    other = random.choice([quote, {"'": '"', '"': "'"}[quote]])
    if other in letters:
        other = quote
    return f"{quote}{letters[:cut]}{quote}{random.choice(['', ' '])}{other}{letters[cut:]}{other}"


def letter_code(quote: str, letters: str, random: Random) -> str | None:
    places = [place for place, letter in enumerate(letters) if letter.isascii() and (letter.isalnum() or letter == "_")]
    if not places:
        return None
    place = random.choice(places)
    code = random.choice([f"\\x{ord(letters[place]):02x}", f"\\u{ord(letters[place]):04x}"])
    return f"{quote}{letters[:place]}{code}{letters[place + 1 :]}{quote}"


def _number(inside: str, random: Random) -> str | None:
    """Write a number as a sum, or with the length of words."""
    pattern = rf"{STRING}|(?<![\w.])(?P<at>0|[1-9]\d{{0,5}})(?![\w.])"
    places = [found for found in re.finditer(pattern, inside) if found["at"]]
    if not places or "\\" in re.sub(STRING, "", inside):
        return None
    found = random.choice(places)
    words, part = phrase(random), random.randint(1, 40)
    rest = int(found[0]) - len(words)
    length = f"('{words}'|length {'+-'[rest < 0]} {abs(rest)})"
    made = random.choice([f"({found[0]}+{part}-{part})", f"({int(found[0]) + part}-{part})", length])
    return inside[: found.start()] + made + inside[found.end() :]


def _listed(inside: str, random: Random) -> str | None:
    """Write an expression as an item of a list that holds words besides."""
    if inside[:1] in "-+" or inside[-1:] in "-+" or "\\" in re.sub(STRING, "", inside) or not inside.strip():
        return None
    quote = random.choice("'\"")
    return f" [{quote}{phrase(random)}{quote}, ({inside.strip()})][1] "


MUTATORS: Mutators = {
    "words around": _around(phrase, lambda text, found: True),
    "comment around": _around(_comment, _braces),
    "variable that nobody reads": _around(_variable, _braces),
    "branch that is never taken": _around(_dead, _braces),
    "printed words around": _around(_printed, _braces),
    "white space at an edge": in_expressions(("{{", "{%", "${", "#{"), _edge),
    "white space at an end": in_expressions(("<%",), _end),
    "white space between tokens": in_expressions(("{{", "{%", "${"), _space),
    "cut white space around": in_expressions(("{{", "{%"), _trim),
    "attribute as an item": in_expressions(("{{", "{%"), _attribute),
    "item as an attribute": in_expressions(("{{", "{%"), _dotted),
    "attribute by a filter": in_expressions(("{{",), _filtered),
    "string in two": in_expressions(("{{", "{%"), _of_string(in_two)),
    "escaped letter": in_expressions(("{{", "{%"), _of_string(letter_code)),
    "number as a sum": in_expressions(("{{",), _number),
    "item of a list of words": in_expressions(("{{",), _listed),
}
