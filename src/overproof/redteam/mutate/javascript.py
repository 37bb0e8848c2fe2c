"""Edit pieces of script without changing what they do: what is spelled otherwise, and what does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from random import Random

from overproof.redteam.mutate.html_scan import Code
from overproof.redteam.mutate.words import WORDS

Edit = Callable[[str, Code, Random], str | None]
"""Edits a piece of script; None where it has no place for it."""

Token = tuple[str, int, int]

_ESCAPE = r"\\u[0-9a-fA-F]{4}"
_TOKEN = re.compile(
    r"(?P<space>[ \t\n\r\f\v]+)"
    r"|(?P<line>//[^\n\r]*)|(?P<comment>/\*(?s:.*?)\*/)"
    r"|(?P<string>'(?:[^'\\\n\r]|\\[^\n\r])*'|\"(?:[^\"\\\n\r]|\\[^\n\r])*\")"
    r"|(?P<template>`(?:[^`\\$]|\\.|\$(?!\{))*`)"
    r"|(?P<number>0[xXbBoO][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][0-9]+)?n?)"
    rf"|(?P<word>(?:[A-Za-z_$]|{_ESCAPE})(?:[A-Za-z0-9_$]|{_ESCAPE})*)"
    r"|(?P<mark>=>|\?\.(?![0-9])|\.\.\.|>>>=?|<<=?|>>=?|[=!]==?|[<>]=|\*\*=?|&&=?|\|\|=?|\?\?=?|\+\+|--"
    r"|[-+*/%&|^]=|[{}()\[\];,<>+\-*/%&|^!~?:=.])",
)
_REGEX = re.compile(r"/(?![*/])(?:[^/\\\[\n\r]|\\[^\n\r]|\[(?:[^\]\\\n\r]|\\[^\n\r])*\])+/[a-z]*")
_KEYWORDS = frozenset(
    """
    arguments as async await break case catch class const continue debugger default delete do else enum export extends
    false finally for from function get if implements import in instanceof interface let new null of package private
    protected public return set static super switch this throw true try typeof undefined var void while with yield eval
    """.split()
)
_VALUES = frozenset({"(", ",", "=", "+", "[", ":", "?", "&&", "||", "!", "==", "==="})
_CALLED = frozenset({"alert", "confirm", "prompt", "print"})
_STARTS = frozenset({"(", ",", "=", "+", "-", "*", "[", ":", "?", "&&", "||", "!", "~", ";", "{", "|", "&", "^"})


@lru_cache(maxsize=4096)
def tokens(code: str, where: str) -> tuple[Token, ...]:
    """Split a script into its tokens; nothing where a part of it is not understood."""
    found: list[Token] = []
    place, before = 0, ""
    while place < len(code):
        match = None
        if code[place] == "/" and (before in _STARTS or before in {"", "return", "typeof", "void", "in"}):
            match = _REGEX.match(code, place)
        kind = "regex" if match else ""
        match = match or _TOKEN.match(code, place)
        if match is None or code.startswith(("<!--", "-->"), place):
            # the quote that closes the string which the text broke out of
            return tuple(found) if where == "string" and code[place] in "\"'" else ()
        kind = kind or match.lastgroup or ""
        found.append((kind, place, match.end()))
        place = match.end()
        if kind not in {"space", "line", "comment"}:
            before = match[0]
    return tuple(found)


def _solid(code: str, where: str) -> list[Token]:
    return [token for token in tokens(code, where) if token[0] not in {"space", "line", "comment"}]


def _fits(text: str, region: Code) -> bool:
    return not any(letter in region.forbidden for letter in text)


def _quote(region: Code, random: Random, *, also: str = "") -> str | None:
    quotes = [quote for quote in "'\"" if quote not in region.forbidden and quote not in also]
    return random.choice(quotes) if quotes else None


def phrase(random: Random, *, joint: str = " ") -> str:
    """Draw one to three ordinary words."""
    return joint.join(random.choice(WORDS) for _ in range(random.randint(1, 3)))


def _words(region: Code, random: Random) -> str:
    return phrase(random, joint=" " if " " not in region.forbidden else random.choice("-_"))


def _put(code: str, random: Random, choices: list[tuple[int, int, str]]) -> str | None:
    """Make one of several replacements."""
    if not choices:
        return None
    start, end, new = random.choice(choices)
    return code[:start] + new + code[end:]


def _gaps(code: str, region: Code) -> list[int]:
    """Places between two tokens."""
    found = tokens(code, region.where)
    return [right[1] for left, right in pairwise(found) if left[0] != "line" and right[1] < len(code)]


def comment(code: str, region: Code, random: Random) -> str | None:
    """Put a comment of words between two tokens."""
    places = [place for place in _gaps(code, region) if code[place - 1] not in "/<*"]
    return _put(code, random, [(place, place, f"/*{_words(region, random)}*/") for place in places[:64]])


def space(code: str, region: Code, random: Random) -> str | None:
    """Put white space between two tokens; a line break only where no statement could end."""
    choices = []
    for place in _gaps(code, region):
        kinds = [" ", "\t", "  ", "\v"] + (["\n", "\r\n"] if code[place - 1] in "(,;" else [])
        choices += [(place, place, kind) for kind in kinds if _fits(kind, region)]
    return _put(code, random, choices)


def _statements(code: str, region: Code) -> list[int]:
    """Places where a statement may start."""
    found = _solid(code, region.where)
    if not found or any(code[start:end] == "class" for _, start, end in found):
        return []
    places = [] if region.where == "string" else [0]
    depths = [0]
    for index, (_, start, end) in enumerate(found):
        text = code[start:end]
        after = code[found[index + 1][1] : found[index + 1][2]] if index + 1 < len(found) else ""
        if text in {"(", "["}:
            depths[-1] += 1
        elif text in {")", "]"}:
            depths[-1] -= 1
        elif text == "{":
            depths.append(0)
        elif text == "}" and len(depths) > 1:
            depths.pop()
        elif text == ";" and depths[-1] <= 0 and after not in {"else", "while"}:
            places.append(end)
    return places


def semicolon(code: str, region: Code, random: Random) -> str | None:
    """Put an empty statement before another."""
    return _put(code, random, [(place, place, ";") for place in _statements(code, region)])


def statement(code: str, region: Code, random: Random) -> str | None:
    """Put a statement of words, which does nothing, before another."""
    places = _statements(code, region)
    word, other, words = random.choice(WORDS), random.choice(WORDS), _words(region, random)
    forms = [f"void/{words}/;", f"0&&{word}({other});", f"if(0){word}.{other}();", f"/*{words}*/;", f"void'{words}';"]
    # a URL whose script ends with a string would become a page of that string
    if region.where != "url":
        forms += [f"'{words}';", f'"{words}";', f"`{words}`;", f"['{word}','{other}'];", f"!'{words}';"]
    # `&&` in markup would be read as the start of a character reference
    return _put(code, random, [(place, place, form) for place in places for form in forms if _fits(form, region)])


def _literals(code: str, region: Code) -> list[tuple[int, int, str, str]]:
    """Plain strings: where they lie, what comes before them and after; no keys, directives or markup."""
    found = _solid(code, region.where)
    plain = []
    for index, (kind, start, end) in enumerate(found):
        before = code[found[index - 1][1] : found[index - 1][2]] if index else ""
        after = code[found[index + 1][1] : found[index + 1][2]] if index + 1 < len(found) else ""
        key = after == ":" and before in {"{", ","}
        if kind == "string" and before in _VALUES and not key and "<" not in code[start:end]:
            plain.append((start, end, before, after))
    return plain


def string_escape(code: str, region: Code, random: Random) -> str | None:
    """Spell a letter of a string by its number."""
    choices = []
    for start, end, _, _ in _literals(code, region):
        for unit in re.finditer(r"\\(?:u\{?[0-9a-fA-F]+\}?|x[0-9a-fA-F]{2}|[0-7]+|.)|([A-Za-z0-9])", code[start:end]):
            if unit[1]:
                number = ord(unit[1])
                form = random.choice([f"\\x{number:02x}", f"\\u{number:04x}", f"\\u{{{number:x}}}", f"\\x{number:02X}"])
                choices.append((start + unit.start(), start + unit.end(), form))
    return _put(code, random, choices)


def requote(code: str, region: Code, random: Random) -> str | None:
    """Put other quotes round a string."""
    choices = []
    for start, end, _, _ in _literals(code, region):
        inner = code[start + 1 : end - 1]
        if not re.search(r"[\"'`\\$]", inner) and _fits(code[start], region):
            choices += [(start, end, f"{q}{inner}{q}") for q in "'\"`" if q != code[start] and _fits(q, region)]
    return _put(code, random, choices)


def halves(code: str, region: Code, random: Random) -> str | None:
    """Put a string together from two."""
    choices = []
    for start, end, _, _ in _literals(code, region):
        inner, quote = code[start + 1 : end - 1], code[start]
        if len(inner) > 1 and "\\" not in inner and _fits(quote, region):
            cut = random.randint(1, len(inner) - 1)
            choices.append((start, end, f"({quote}{inner[:cut]}{quote}+{quote}{inner[cut:]}{quote})"))
    return _put(code, random, choices)


def name_escape(code: str, region: Code, random: Random) -> str | None:
    """Spell a letter of a name by its number."""
    choices = []
    for kind, start, end in _solid(code, region.where):
        if kind == "word" and "\\" not in code[start:end] and code[start:end] not in _KEYWORDS:
            place = random.randrange(start, end)
            choices.append((place, place + 1, f"\\u{ord(code[place]):04x}"))
    return _put(code, random, choices)


def number(code: str, region: Code, random: Random) -> str | None:
    """Write a number to another base, or with a point."""
    choices = []
    for kind, start, end in _solid(code, region.where):
        if kind == "number" and re.fullmatch("0|[1-9][0-9]{0,7}", code[start:end]):
            value = int(code[start:end])
            forms = [f"{value:#x}", f"0X{value:X}", f"{value:#o}", f"{value:#b}", f"{value}.0", f"{value}e0"]
            if code[end : end + 1] != ".":
                choices.append((start, end, random.choice(forms)))
    return _put(code, random, choices)


def call(code: str, region: Code, random: Random) -> str | None:
    """Reach a function of the window another way."""
    found = _solid(code, region.where)
    texts = [code[start:end] for _, start, end in found]
    choices = []
    for index, (_, start, end) in enumerate(found):
        name, before = texts[index], texts[index - 1] if index else ""
        if name not in _CALLED or texts[index + 1 : index + 2] != ["("] or _redefined(name, texts):
            continue
        if before in {".", "?.", "function", "new"}:
            continue
        window = random.choice(["window", "self", "top", "globalThis", "frames", "parent"])
        forms = [f"{window}.{name}", f"{name}?.", f"{window}?.{name}"]
        if before in _STARTS or (not before and region.where != "string"):
            forms += [f"({name})", f"[{name}][0]", f"(0,{name})"]
        cut, quote = random.randint(1, len(name) - 1), _quote(region, random)
        if quote:
            forms += [
                f"{window}[{quote}{name}{quote}]",
                f"{window}[{quote}{name[:cut]}{quote}+{quote}{name[cut:]}{quote}]",
            ]
        choices.append((start, end, random.choice(forms)))
    return _put(code, random, choices)


def _redefined(name: str, texts: list[str]) -> bool:
    return "with" in texts or any(
        text == name and (after in {"=", "=>"} or before in {"function", "var", "let", "const"})
        for before, text, after in zip(["", *texts], texts, [*texts[1:], ""], strict=False)
    )


def brackets(code: str, region: Code, random: Random) -> str | None:
    """Write a property as a string in brackets."""
    found = tokens(code, region.where)
    choices = []
    for left, dot, right in zip(found, found[1:], found[2:], strict=False):
        owner, name, quote = code[left[1] : left[2]], code[right[1] : right[2]], _quote(region, random)
        owned = (left[0] == "word" and owner not in _KEYWORDS - {"this"}) or owner in {")", "]"}
        if owned and code[dot[1] : dot[2]] == "." and right[0] == "word" and "\\" not in name and quote:
            choices.append((dot[1], right[2], f"[{quote}{name}{quote}]"))
    return _put(code, random, choices)


def last_comment(code: str, region: Code, random: Random) -> str | None:
    """Put words behind, where the rest is a comment."""
    found = tokens(code, region.where)
    if not found or found[-1][0] != "line" or found[-1][2] != len(code):
        return None
    return code + _words(region, random)
