"""Read XML token by token, well formed or not: what every parser goes by that does not stop at an error.

Equal are two texts with the same tokens in the same order, names and values letter by letter, but for white space and
quotes in a token of markup. What nobody reads may be there besides: comments, instructions, declarations and attributes
of ordinary words. From the first place on where no token can be told, every letter counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Token = tuple[str, ...]  # its kind, and what of it counts

_SPACE = "[ \t\r\n]"
_NAME = r"[A-Za-z_][\w.:-]*"
_QUOTED = "\"[^\"]*\"|'[^']*'"
_IS = f"{_SPACE}*={_SPACE}*"
_HEADER = re.compile(
    rf"<\?xml{_SPACE}+version{_IS}(?P<version>{_QUOTED})(?:{_SPACE}+encoding{_IS}(?P<encoding>{_QUOTED}))?"
    rf"(?:{_SPACE}+standalone{_IS}(?P<alone>{_QUOTED}))?{_SPACE}*\?>"
)
_ENCLOSED = (("comment", "<!--", "-->"), ("section", "<![CDATA[", "]]>"), ("instruction", "<?", "?>"))
_DOCTYPE = re.compile(rf"<!DOCTYPE{_SPACE}(?P<written>(?:{_QUOTED}|[^<>\[\]\"'])*)(?P<end>[\[>])")
_DECLARED = re.compile(rf"<!(?P<written>(?:ENTITY|ELEMENT|ATTLIST|NOTATION){_SPACE}(?:{_QUOTED}|[^<>\"'])*)>")
_ATTRIBUTE = re.compile(rf"{_SPACE}+([^\s\"'<>/=]+)(?:{_IS}({_QUOTED}|[^\s\"'<>]+))?")
_START = re.compile(rf"<(?P<name>{_NAME})(?P<attributes>(?:{_ATTRIBUTE.pattern})*){_SPACE}*(?P<end>/?>)")
_END = re.compile(rf"</({_NAME}){_SPACE}*>")
_CLOSE = re.compile(rf"\]{_SPACE}*>")
_REFERENCE = re.compile("&#(?:([0-9]{1,7})|[xX]([0-9a-fA-F]{1,6}));")

_WORDS = "[a-z]{2,20}(?: [a-z]{2,20})*"
_IDLE_DECLARATION = re.compile(f'ENTITY ([a-z]{{2,20}}) "{_WORDS}"|ELEMENT ([a-z]{{2,20}}) ANY')
_IDLE_ATTRIBUTE = re.compile(f'([a-z]{{2,20}})="{_WORDS}"')
_ASCII = frozenset({"", "utf-8", "us-ascii", "iso-8859-1"})  # encodings in which plain ASCII is the same
_RAW = frozenset("iframe noembed noframes noscript plaintext script style textarea title xmp".split())
_RAW_NAME = re.compile("|".join(sorted(_RAW)), re.I)
# What HTML, XSLT and data islands read of an element; besides, all that begin with `on`.
_READ = frozenset(
    """accept accesskey action align allow alt archive async autofocus autoplay background base behavior bgcolor border
    charset checked cite class classid code codebase color cols colspan content controls coords datafld dataformatas
    datasrc data datetime default defer dir disabled download draggable dynsrc enctype encoding event exclude extension
    face folder for form formaction formmethod formtarget frameborder hash headers height hidden high href hreflang
    hspace icon id implementation import inert integrity is ismap itemid itemprop itemref itemscope itemtype kind label
    lang language list loading longdesc loop low lowsrc manifest match max maxlength media method min mode multiple
    muted name namespace nohref nonce noshade novalidate nowrap open optimum part pattern ping placeholder popover
    poster preload priority profile prompt readonly rel required rev reversed role rows rowspan rules sandbox scheme
    scope scrolling select selected shadowrootmode shape size sizes slot span spellcheck src srcdoc srclang srcset
    standalone start step style summary tabindex target test text title translate type use usemap value valign version
    vspace width wrap xmlns""".split()
)


def are_alike(original: str, edited: str) -> bool:
    """Say whether both are the same tokens, markup among them, but for what nobody reads."""
    wanted, found = list(_tokens(original)), list(_tokens(edited))
    if not original.startswith("<?xml") and all(kind in ("header", "text", "rest") for kind, *_ in wanted):
        return False
    kept = {*wanted}
    placed = zip(found, _raw(found), strict=True)
    found = [token for token, is_raw in placed if token in kept or is_raw or not _is_idle(token, original)]
    return len(wanted) == len(found) and all(map(_is_same, wanted, found))


def header(text: str) -> Token:
    """Return version, encoding and whether a document stands alone, as they count: what is not declared has a default.

    A declaration that is not one counts as it is written, under another name too, and so does an empty value.
    """
    found = _HEADER.match(text)
    if found is None and re.match(rf"<\?(?:xml{_SPACE}|[^>]*\bversion{_SPACE}*=)", text):
        return ("header", text.partition("?>")[0])
    parts = found.groupdict() if found else {}
    version, encoding, alone = (
        default if (given := parts.get(name)) is None else given[1:-1].strip() or given
        for name, default in (("version", "1.0"), ("encoding", ""), ("alone", "no"))
    )
    same = _ASCII if text.isascii() else {"", "utf-8"}
    return ("header", version, "" if encoding.lower() in same else encoding, alone)


# ── reading ──────────────────────────────────────────────────────────────────


def _tokens(text: str) -> Iterator[Token]:
    place, inside = 0, ""
    # Raw text has no references: there, a letter that is written as one is another text.
    is_raw = _RAW_NAME.search(text) is not None
    if text[:1] == "<":
        declared = _HEADER.match(text)
        place = declared.end() if declared else 0
        yield header(text)
    while place < len(text):
        found = _token(text, place, inside)
        if found is None:
            yield ("rest", text[place:])
            return
        place, inside, token = found
        yield ("text", _REFERENCE.sub(_letter, token[1])) if token[0] == "text" and not (inside or is_raw) else token


def _token(text: str, place: int, inside: str) -> tuple[int, str, Token] | None:
    """Read one token: where it ends, whether a document type's declarations stand there, and the token.

    `inside` is `[` among the declarations, `?` where they may have ended or not, and empty elsewhere.
    """
    if text[place] != "<":
        return _letters(text, place, inside)
    for kind, begin, end in _ENCLOSED:
        if text.startswith(begin, place):
            at = text.find(end, place + len(begin))
            return None if at < 0 else (at + len(end), inside, (kind, text[place + len(begin) : at]))
    if found := _DOCTYPE.match(text, place):
        return found.end(), found["end"].strip(">"), ("doctype", _plain(found["written"]), found["end"])
    if found := _DECLARED.match(text, place):
        written = _plain(found["written"])
        inside = "?" if re.search(r"[\[\]]", re.sub(_QUOTED, "", written)) else inside
        return found.end(), inside, ("declared" if inside == "[" else "declaration", written)
    if found := _START.match(text, place):
        attributes = (
            f"{name}={_plain(value)}" if value else name for name, value in _ATTRIBUTE.findall(found["attributes"])
        )
        return found.end(), inside, ("start", found["name"], found["end"], *attributes)
    if found := _END.match(text, place):
        return found.end(), inside, ("end", found[1])
    return None


def _letters(text: str, place: int, inside: str) -> tuple[int, str, Token]:
    if inside == "[" and (close := _CLOSE.match(text, place)):
        return close.end(), "", ("close",)
    stop = re.compile(r"[<\]]" if inside == "[" else "<").search(text, place + 1)
    end = stop.start() if stop else len(text)
    return end, inside, ("text", text[place:end])


def _letter(found: re.Match[str]) -> str:
    letter = chr(min(int(found[1]) if found[1] else int(found[2], 16), 0x10FFFF))
    return letter if letter.isascii() and letter.isalnum() else found[0]


def _plain(written: str) -> str:
    """Write white space outside quotes as one blank, and quotes as double ones where that is possible."""
    pieces = re.split(f"({_QUOTED})", written)
    for place, piece in enumerate(pieces):
        if not place % 2:
            pieces[place] = re.sub(f"{_SPACE}+", " ", piece)
        elif '"' not in piece[1:-1]:
            pieces[place] = f'"{piece[1:-1]}"'
    return "".join(pieces).rstrip(" ")


# ── comparing ────────────────────────────────────────────────────────────────


def _raw(tokens: Sequence[Token]) -> list[bool]:
    """Say of each token whether it stands in an element whose content is no markup, such as a script."""
    tags = [(kind, rest[0].lower()) for kind, *rest in tokens if kind in ("start", "end") and rest[0].lower() in _RAW]
    is_raw, found = bool(tags) and tags[0][0] == "end", []
    for kind, *rest in tokens:
        found.append(is_raw)
        if kind in ("start", "end") and rest[0].lower() in _RAW:
            is_raw = kind == "start"
    return found


def _is_idle(token: Token, original: str) -> bool:
    """Say whether a token says nothing to anybody."""
    kind, written = token[0], token[1] if len(token) == 2 else ""
    if kind == "declared":
        found = _IDLE_DECLARATION.fullmatch(written)
        return found is not None and (found[1] or found[2]) not in original
    if kind == "instruction":
        return re.fullmatch(f"(?!xml|php){_WORDS}", written) is not None
    return kind == "comment" and re.fullmatch(_WORDS, written.strip(" ")) is not None


def _is_same(one: Token, other: Token) -> bool:
    """Compare tokens; an element may have attributes besides that nobody reads."""
    if one[0] != "start":
        return one == other
    names = {attribute.partition("=")[0].lower() for attribute in one[3:]}
    kept = [attribute for attribute in other[3:] if attribute in one[3:] or not _is_added(attribute, names)]
    return one == (*other[:3], *kept)


def _is_added(attribute: str, names: set[str]) -> bool:
    found = _IDLE_ATTRIBUTE.fullmatch(attribute)
    return found is not None and found[1] not in names | _READ and not found[1].startswith("on")
