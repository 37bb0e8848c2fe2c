"""Edit tags and attributes without changing what a browser makes of them."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.mutate.html_scan import READ, SPACE, URLS, Attribute, Scan, Tag, scan
from overproof.redteam.mutate.javascript import phrase
from overproof.redteam.mutate.words import WORDS

_NAMED = {":": "&colon;", "(": "&lpar;", ")": "&rpar;", "'": "&apos;", "=": "&equals;", ".": "&period;"}


def _put(text: str, random: Random, choices: list[tuple[int, int, str]]) -> str | None:
    if not choices:
        return None
    start, end, new = random.choice(choices)
    return text[:start] + new + text[end:]


def _flip(word: str, random: Random) -> str:
    """Draw a case for each letter, not for what has more than one small or capital form."""
    return "".join(random.choice((c.lower(), c.upper())) if c.isascii() else c for c in word)


def tag_case(text: str, random: Random) -> str | None:
    """Write a tag's name in another case."""
    found = scan(text)
    if found.kind != "tags" or READ.search(text.lower()):
        return None
    names = [(tag.start + 1 + tag.ending, tag.name_end) for tag in found.tags]
    return _put(text, random, [(start, end, _flip(text[start:end], random)) for start, end in names])


def attribute_case(text: str, random: Random) -> str | None:
    """Write an attribute's name in another case."""
    names = [(a.start, a.name_end) for tag in scan(text).tags for a in tag.attributes if a.closed]
    return _put(text, random, [(start, end, _flip(text[start:end], random)) for start, end in names])


def _gaps(text: str, tag: Tag) -> list[tuple[int, int, bool]]:
    """Find what lies between a tag's attributes, and whether a slash may come first there."""
    ends = [(tag.name_end, True), *((a.end, a.quote != "") for a in tag.attributes)]
    gaps = zip(ends, tag.attributes, strict=False)
    return [(end, attribute.start, slash) for (end, slash), attribute in gaps if end < attribute.start]


def tag_space(text: str, random: Random) -> str | None:
    """Put other white space between attributes, and slashes where they are the same."""
    choices = []
    for tag in scan(text).tags:
        for start, end, slash in _gaps(text, tag):
            kinds = [" ", "\t", "\n", "\f", "  ", "\n\n", " \t", " /", " / ", "\t//"]
            # A slash alone does not end a value without quotes, which the text may be put into.
            if slash and (">" in text[:start] or not set(text[start:end]) & set(SPACE)):
                kinds += ["/", "//", "/ ", "/\n"]
            choices += [(start, end, kind) for kind in kinds]
    return _put(text, random, choices)


def equals_space(text: str, random: Random) -> str | None:
    """Put white space round the sign between an attribute and its value."""
    choices = []
    for tag in scan(text).tags:
        for a in tag.attributes:
            if a.value and a.closed:
                places = (a.name_end, a.value[0] - len(a.quote))
                choices += [(place, place, kind) for place in places for kind in (" ", "\t", "\n", "\f")]
    return _put(text, random, choices)


def quotes(text: str, random: Random) -> str | None:
    """Put quotes round a value, others, or none."""
    choices = []
    found = scan(text)
    kept = found.within(text)
    for tag in found.tags:
        for a in tag.attributes:
            if not a.value or not a.closed or not tag.closed or (a.quote and a.quote in kept):
                continue
            start, end = a.value
            value, size = text[start:end], len(a.quote)
            forms = [f"{q}{value}{q}" for q in "\"'" if q != a.quote and q not in value + kept]
            if a.quote and re.fullmatch(r"[^ \t\n\r\f\"'<>=`]+", value) and text[a.end] in SPACE + ">":
                forms.append(value)
            choices += [(start - size, end + size, form) for form in forms]
    return _put(text, random, choices)


def inert_attribute(text: str, random: Random) -> str | None:
    """Give a tag an attribute of words that nothing reads."""
    low = text.lower()
    if READ.search(low):
        return None
    choices = []
    found = scan(text)
    for tag in found.tags:
        places = [] if tag.ending or tag.start == tag.name_end else [tag.name_end]
        places += [] if tag.ending else [a.end for a in tag.attributes if a.closed]
        choices += [place for place in places if place < len(text)]
    name = random.choice(["title", "class", "lang", "data-" + random.choice(WORDS), "aria-label", "slot"])
    if name in low or not choices:
        return None
    place = random.choice(choices)
    quoted = [quote for quote in "\"'" if quote not in found.between(text)]
    quotes = [*quoted, ""] if text[place] in SPACE + ">" else quoted
    if not quotes:
        return None
    quote = random.choice(quotes)
    words = phrase(random) if quote else random.choice(WORDS)
    gap = "" if text[place] in SPACE + "/>" else " "
    return f"{text[:place]}{random.choice(' 	')}{name}={quote}{words}{quote}{gap}{text[place:]}"


def order(text: str, random: Random) -> str | None:
    """Change the places of two attributes that follow each other."""
    choices = []
    found = scan(text)
    kept = set(found.within(text))
    for tag in found.tags:
        names = [text[a.start : a.name_end].lower() for a in tag.attributes]
        if tag.ending or len(set(names)) < len(names):
            continue
        for left, right in zip(tag.attributes, tag.attributes[1:], strict=False):
            apart = set(text[left.end : right.start]) <= set(SPACE) and left.end < right.start
            if apart and right.closed and (tag.closed or text[right.end : right.end + 1] in SPACE):
                gap = text[left.end : right.start]
                new = text[right.start : right.end] + gap + text[left.start : left.end]
                # what follows a value in quotes may join one without
                follows = text[right.end : right.end + 1]
                if follows and follows in SPACE + ">" and not _valueless(left, right) and not kept & set(new):
                    choices.append((left.start, right.end, new))
    return _put(text, random, choices)


def _valueless(*attributes: Attribute) -> bool:
    return any(attribute.value is None for attribute in attributes)


def reference(text: str, random: Random) -> str | None:
    """Write a letter of a handler or URL as a character reference."""
    choices = []
    for tag in scan(text).tags:
        for a in tag.attributes:
            name = text[a.start : a.name_end].lower()
            if a.value and a.closed and (name in URLS or name.startswith("on")):
                start, end = a.value
                for unit in re.finditer(r"&[^;\s]*;?|([A-Za-z0-9():.=])", text[start:end]):
                    if unit[1]:
                        choices.append((start + unit.start(), start + unit.end(), _refer(unit[1], random)))
    return _put(text, random, choices)


def _refer(letter: str, random: Random) -> str:
    value, zeros = ord(letter), "0" * random.choice((0, 0, 1, 4))
    forms = [f"&#{zeros}{value};", f"&#x{zeros}{value:x};", f"&#X{zeros}{value:X};"]
    return random.choice([*forms, *([_NAMED[letter]] if letter in _NAMED else [])])


def _special(found: Scan, text: str) -> bool:
    """Whether markup before or behind would be read otherwise than inside a plain element."""
    names = {text[tag.start + 1 : tag.name_end].lower() for tag in found.tags if not tag.ending}
    inside = {"svg", "math", "select", "frameset", "frame", "body", "html", "head", "template", "table", "object"}
    return bool(names & inside) or bool(READ.search(text.lower()))


def _inert(random: Random) -> str:
    tag, words = random.choice(["b", "i", "em", "span", "u", "small"]), phrase(random)
    inner = phrase(random) if random.random() < 0.5 else ""
    # no quotes: what follows may be put into an attribute that one of them would end
    return random.choice([f"<{tag} title={phrase(random, joint='-')}>{inner}</{tag}>", f"<{tag}>{words}</{tag}>"])


def before_tag(text: str, random: Random) -> str | None:
    """Put a comment or inert markup of words before the first tag."""
    found = scan(text)
    starts = [tag for tag in found.tags if not tag.ending]
    if found.kind != "tags" or not starts or "innerhtml" in text.lower():
        return None
    place = starts[0].start
    shut = "-->" in text[place:]  # by chance, this may end a comment that the text is put into
    comment = f"<!--{random.choice(['', ' '])}{phrase(random)}{random.choice(['', ' '])}-->"
    if _special(found, text):
        return None if shut else text[:place] + comment + text[place:]
    new = _inert(random) if shut or random.random() < 0.5 else comment
    return text[:place] + new + text[place:]


def behind(text: str, random: Random) -> str | None:
    """Put words, a comment or inert markup behind."""
    found = scan(text)
    if found.kind != "tags" or not found.open or READ.search(text.lower()):
        return None
    forms = [f" {phrase(random)}", f"<!-- {phrase(random)} -->"]
    return text + random.choice(forms if _special(found, text) else [*forms, _inert(random)])


def ahead(text: str, random: Random) -> str | None:
    """Put words ahead, as the value that the application expects."""
    found = scan(text)
    quoted = text[:1] in ("'", '"') and found.kind in {"tags", "attribute", "string"}
    if not (quoted or (found.kind == "tags" and text[:1] in ("<", ">", "-"))):
        return None
    low = text.lower()
    if quoted and re.search(f"{text[0]}.*(?:<[a-z]|[ \t\n\r\f/\"']on[a-z]+)", low[1:], re.DOTALL):
        return None  # without quotes round it, the first would open a value that the second ends
    if "frameset" in low or READ.search(low) or (found.kind == "string" and found.codes[0].start != 1):
        return None
    return phrase(random) + random.choice(["", " "]) + text
