"""Edit XML documents with entities: the same external entities are declared and referenced."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.places import LONGEST, Make, at_one, phrase
from overproof.redteam.mutate.words import WORDS

NAME = r"[A-Za-z_][\w.-]*"
QUOTED = r"""(?:"[^"]*"|'[^']*')"""
ATTRIBUTES = rf"""(?:\s+[A-Za-z_][\w.:-]*\s*=\s*{QUOTED})*"""
COMMENT = r"<!--.*?-->"
CDATA = r"<!\[CDATA\[.*?\]\]>"
INSTRUCTION = r"<\?.*?\?>"
START = rf"<[A-Za-z_][\w.:-]*{ATTRIBUTES}\s*/?>"
END = r"</[A-Za-z_][\w.:-]*\s*>"
DECLARATION = rf"<!(?:ENTITY|ELEMENT|ATTLIST)\s(?:{QUOTED}|[^<>'\"])*>"
DOCTYPE = rf"<!DOCTYPE(?:{QUOTED}|[^<>'\"\[])*[\[>]"
OPAQUE = f"{COMMENT}|{CDATA}|{INSTRUCTION}"
# One piece of a document; what none of these alternatives begins with is text.
PIECE = re.compile(
    rf"(?P<opaque>{OPAQUE})|(?P<doctype>{DOCTYPE})|(?P<declaration>{DECLARATION})|(?P<close>\]\s*>)|(?P<start>{START})"
    rf"|(?P<end>{END})|(?P<text>[^<\]]+)|(?P<other>.)",
    re.DOTALL,
)
# Names that mean nothing to who reads the document.
MEANINGLESS = {"foo", "xxe", "root", "test", "doc", "bar", "data", "XXE", "x", "r", "a"}


def _markup(text: str) -> bool:
    return "<" in text and len(text) <= LONGEST


def _pieces(text: str) -> list[tuple[str, str]] | None:
    """Split a document into pieces, in order; None where some of its markup is not well formed."""
    if not _markup(text):
        return None
    pieces = [(found.lastgroup or "other", found[0]) for found in PIECE.finditer(text)]
    return None if any(kind == "other" and written == "<" for kind, written in pieces) else pieces


def _between(make: str) -> Mutator:
    """Put something that every parser skips behind a piece of markup."""

    def edit(text: str, random: Random) -> str | None:
        pieces = _pieces(text)
        if pieces is None:
            return None
        places, inside = [], False
        for place, (kind, written) in enumerate(pieces):
            inside = (inside or (kind == "doctype" and written.endswith("["))) and kind != "close"
            if make == "declaration":
                fits = inside and kind in ("doctype", "declaration")
            else:
                fits = kind in ("doctype", "declaration", "close", "start", "end") or written.startswith("<?xml ")
            if fits:
                places.append(place + 1)
        made = _skipped(make, text, random)
        if not places or made is None:
            return None
        place = random.choice(places)
        return "".join(written for _, written in [*pieces[:place], ("", made), *pieces[place:]])

    return edit


def _skipped(make: str, text: str, random: Random) -> str | None:
    if make == "comment":
        return f"<!-- {phrase(random)} -->"
    word = random.choice(WORDS)
    if make == "instruction":
        return f"<?{word} {phrase(random)}?>"
    if word in text:
        return None
    if random.random() < 0.3:
        return f"<!ELEMENT {word} ANY>"
    quote = random.choice("'\"")
    return f"<!ENTITY {word} {quote}{phrase(random)}{quote}>"


def _in_markup(pattern: str, make: Make) -> Mutator:
    """Edit one match of a pattern within one tag or declaration."""
    one = at_one(pattern, make)

    def edit(text: str, random: Random) -> str | None:
        pieces = _pieces(text)
        if pieces is None:
            return None
        kinds = ("doctype", "declaration", "start", "end")
        places = [place for place, (kind, _) in enumerate(pieces) if kind in kinds]
        random.shuffle(places)
        for place in places[:4]:
            made = one(pieces[place][1], random)
            if made is not None:
                return "".join(written for _, written in [*pieces[:place], ("", made), *pieces[place + 1 :]])
        return None

    return edit


def _space(found: re.Match[str], random: Random) -> str:
    return found[0] + "".join(random.choice(" \t\n") for _ in range(random.randint(1, 3)))


def _other_quotes(found: re.Match[str], random: Random) -> str | None:
    other = {"'": '"', '"': "'"}[found[0][0]]
    return None if other in found[0] else f"{other}{found[0][1:-1]}{other}"


def _attribute(text: str, random: Random) -> str | None:
    """Add an attribute of words to an element: it is neither read nor, without a validating parser, refused."""
    pieces = _pieces(text) or []
    places = [place for place, (kind, _) in enumerate(pieces) if kind == "start"]
    word = random.choice(WORDS)
    if not places or "ATTLIST" in text:
        return None
    place = random.choice(places)
    written = pieces[place][1]
    if word in written or "xsl:" in text:
        return None
    end = re.search(r"\s*/?>$", written)
    assert end is not None  # what ends a start tag
    made = f'{written[: end.start()]} {word}="{phrase(random)}"{end[0]}'
    return "".join(one for _, one in [*pieces[:place], ("", made), *pieces[place + 1 :]])


def _rename_entity(text: str, random: Random) -> str | None:
    """Rename a general entity where it is declared and where it is referenced; parameter entities may build both."""
    if not _markup(text) or re.search(r"<!ENTITY\s+%|<!DOCTYPE\s+\S+\s+(?:SYSTEM|PUBLIC)", text):
        return None
    declared = sorted(set(re.findall(rf"<!ENTITY\s+({NAME})\s", text)))
    word = random.choice(WORDS)
    if not declared or word in text:
        return None
    name = random.choice(declared)
    pattern = rf"{OPAQUE}|(?P<declared><!ENTITY\s+){re.escape(name)}(?=\s)|&{re.escape(name)}(?P<reference>;)"
    return _renamed(text, pattern, lambda found: f"{found['declared']}{word}" if found["declared"] else f"&{word};")


def _rename_element(text: str, random: Random) -> str | None:
    """Rename an element whose name means nothing, where it is declared, begins and ends."""
    if not _markup(text) or "xsl:" in text:
        return None
    names = {found for found in re.findall(rf"<(?:!DOCTYPE\s+|!ELEMENT\s+)?({NAME})(?=[\s>/\[])", text)}
    fitting = sorted(name for name in names if name in MEANINGLESS)
    word = random.choice(WORDS)
    if not fitting or word in text:
        return None
    name = re.escape(random.choice(fitting))
    pattern = rf"{OPAQUE}|{QUOTED}|(?P<declared></?(?:!DOCTYPE\s+|!ELEMENT\s+)?){name}(?P<reference>(?=[\s>/\[]))"
    return _renamed(text, pattern, lambda found: f"{found['declared']}{word}")


def _renamed(text: str, pattern: str, name: object) -> str:
    def one(found: re.Match[str]) -> str:
        changes = found["declared"] is not None or found["reference"] is not None
        return name(found) if changes and callable(name) else found[0]

    return re.sub(pattern, one, text, flags=re.DOTALL)


def _declared(text: str, random: Random) -> str | None:
    """Write the XML declaration otherwise, or add one: plain ASCII is read alike in all of these encodings."""
    if not text.isascii() or not _markup(text):
        return None
    version = random.choice(["'1.0'", '"1.0"'])
    encoding = random.choice(["", ' encoding="UTF-8"', " encoding='utf-8'", ' encoding="US-ASCII"'])
    alone = random.choice(["", ' standalone="no"', " standalone='no'"])
    declaration = f"<?xml version={version}{encoding}{alone}{random.choice(['', ' '])}?>"
    if re.match(r"<\?xml\s", text):
        if re.search(r"standalone\s*=\s*.yes|utf-16", text[: text.find("?>")], re.IGNORECASE):
            return None
        return re.sub(r"<\?xml\s.*?\?>", declaration, text, count=1, flags=re.DOTALL)
    return declaration + text if text.startswith(("<!DOCTYPE", "<!--")) or re.match(START, text) else None


def _reference(text: str, random: Random) -> str | None:
    """Write a letter of an element's text as a character reference."""
    pieces = _pieces(text) or []
    depth, places = 0, []
    for place, (kind, written) in enumerate(pieces):
        depth += (kind == "start" and not written.endswith("/>")) - (kind == "end")
        if kind == "text" and depth > 0 and "script" not in text.lower():
            letters = re.finditer(r"&[^;\s]*;?|(?P<at>[A-Za-z0-9])", written)
            places += [(place, found.start()) for found in letters if found["at"]]
    if not places:
        return None
    place, letter = random.choice(places)
    written = pieces[place][1]
    code = ord(written[letter])
    made = (
        f"{written[:letter]}{random.choice([f'&#{code};', f'&#x{code:x};', f'&#x{code:04X};'])}{written[letter + 1 :]}"
    )
    return "".join(one for _, one in [*pieces[:place], ("", made), *pieces[place + 1 :]])


MUTATORS: Mutators = {
    "comment with words": _between("comment"),
    "instruction with words": _between("instruction"),
    "declaration that nobody uses": _between("declaration"),
    "white space in markup": _in_markup(rf"{QUOTED}|(?P<at>\s)(?=[^>])", _space),
    "white space before a bracket's end": _in_markup(r"(?<!/)(?=/?>$)", _space),
    "other quotes": _in_markup(rf"{QUOTED}", _other_quotes),
    "attribute with words": _attribute,
    "entity renamed": _rename_entity,
    "element renamed": _rename_element,
    "declaration of XML": _declared,
    "character reference": _reference,
}
