"""Find tags, attributes and pieces of script in a script injection, however broken it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

SPACE = " \t\n\r\f"
URLS = frozenset({"href", "src", "action", "formaction", "xlink:href", "data"})
BREAK = r"(?:[\t\n\r]|&Tab;|&NewLine;|&#(?:0*(?:9|10|13)|[xX]0*[9aAdD]);)*"
SCHEME = re.compile(r"[\x00-\x20]*" + BREAK + BREAK.join("javascript") + BREAK + ":", re.IGNORECASE | re.ASCII)
READ = re.compile("attributes|outerhtml|innerhtml|innertext|textcontent|childnodes|dataset|parentnode|getattribute")
"""Scripts that read what the page holds, and so would see an edit of it."""

_POLYGLOT = re.compile(r"/\*[^*]*[\"'`<]")
_NAME = re.compile(r"[^ \t\n\r\f/>]*")
_ATTRIBUTE = re.compile(
    r"[ \t\n\r\f/]*(?P<name>[^ \t\n\r\f/>=][^ \t\n\r\f/>=]*)"
    r"(?:(?P<equals>[ \t\n\r\f]*=[ \t\n\r\f]*)(?P<value>\"[^\"]*\"|'[^']*'|[^ \t\n\r\f>\"'][^ \t\n\r\f>]*))?"
)
_EQUALS = re.compile(r"[ \t\n\r\f]*=")
_END = re.compile(r"[ \t\n\r\f/]*>")
_RAW = frozenset("script style textarea title xmp iframe noembed noframes noscript".split())
_HANDLER = re.compile("[ \t\n\r\f/\"']on[a-z]+[ \t\n\r\f]*=", re.IGNORECASE | re.ASCII)
_BEFORE_TAG = re.compile("[=(;]")
_OPERATOR = re.compile(r"(?!.*</script)(?:[^\"]*\"|[^']*')\s*[-+*&|^%,;.)?].*\(", re.DOTALL | re.IGNORECASE)
_STRING_FIRST = re.compile(r"[^<>\"'(]*?\\?[\"'](?=[\s;)}\]+\-*/,|&^])")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: where its name and its value lie, without quotes; `closed`: whatever follows cannot join it."""

    start: int
    name_end: int
    value: tuple[int, int] | None
    quote: str
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; a text that breaks out of an attribute is one whose name came before it."""

    start: int
    name_end: int
    attributes: tuple[Attribute, ...]
    end: int
    closed: bool
    ending: bool


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of script, what may not be inserted there, whether it starts and ends with whole statements."""

    start: int
    end: int
    where: str
    forbidden: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What a text holds: `kind` is tags, attribute, string, url, code or none; `open`: text behind would be markup."""

    kind: str
    tags: tuple[Tag, ...] = ()
    codes: tuple[Code, ...] = ()
    open: bool = False

    def within(self, text: str) -> str:
        """Tell the quotes that may be neither put in nor taken away: they end an attribute that the text is put into.

        A quote that comes only after the first tag may end one by chance, and what follows it then acts.
        """
        return self._ending(text, r"<[a-zA-Z]|[ \t\n\r\f/\"']on[a-zA-Z]+")

    def between(self, text: str) -> str:
        """Tell the quotes that may not even be put in by pairs, round the value of an attribute."""
        return self._ending(text, "<[a-zA-Z]")

    def _ending(self, text: str, acts: str) -> str:
        first = self.tags[0].start if self.tags else len(text)
        # without quotes round it, a text that starts with one is a value up to the next
        places = {quote: text.find(quote, text.startswith(quote)) for quote in "\"'"}
        return "".join(q for q, place in places.items() if place >= first and re.compile(acts).search(text, place))


@lru_cache(maxsize=4096)
def scan(text: str) -> Scan:
    """Read a text as the page does that it breaks out of."""
    if "<" in text and _POLYGLOT.search(text):
        return Scan("none")  # it is read in several ways at once, and an edit would have to fit them all
    found = _scan(text)
    if READ.search(text.lower()):
        return replace(found, codes=())
    kept = found.within(text)
    return replace(found, codes=tuple(replace(code, forbidden=code.forbidden + kept) for code in found.codes))


def _scan(text: str) -> Scan:
    scheme = SCHEME.match(text)
    if scheme:
        codes = () if "<" in text or "&" in text else (Code(scheme.end(), len(text), "url", '"\t\n\r\f<#%&'),)
        return Scan("url", (), codes)
    handler = _HANDLER.search(text)
    if handler and "<" not in text:
        if re.search("[(;>]", text[: handler.start()]):
            return Scan("none")
        start = max(text.find('"'), text.find("'")) + 1 if _quotes_first(text) else 0
        tag = _tag(text, start, start, ending=False)
        return Scan("attribute", (tag,), tuple(_handlers(text, tag)))
    first = re.search("<[a-zA-Z!/?]", text)
    if first and (_OPERATOR.match(text, first.start()) or "<base" in text.lower()):
        return Scan("none")  # a script by chance, where it is put into a string; or addresses that hang on another
    if first and not _BEFORE_TAG.search(text, 0, first.start()):
        return _markup(text, first.start())
    if first or "(" not in text:
        return Scan("none")
    string = _STRING_FIRST.match(text)
    if string:
        return Scan("string", (), (Code(string.end(), len(text), "string", "\n\r\f<"),))
    return Scan("code", (), (Code(0, len(text), "code", "\n\r\f<"),))


def _quotes_first(text: str) -> bool:
    """Whether the quote that the text breaks out of comes before its first attribute, and is the only one there."""
    return sum(text.split("=", 1)[0].count(quote) for quote in "\"'") == 1 and bool(re.match(r"[^\"'=]*[\"']", text))


def _markup(text: str, place: int) -> Scan:
    tags: list[Tag] = []
    codes: list[Code] = []
    while 0 <= place < len(text):
        if text.startswith("<!--", place):
            end = place + 5 if text.startswith("<!-->", place) else text.find("-->", place + 4) + 3
            if end < place + 4:
                return Scan("tags", tuple(tags), tuple(codes))
        elif re.match("</?[a-zA-Z]", text[place : place + 3]):
            start = place + 1 + (text[place + 1] == "/")
            found = _NAME.match(text, start)
            tag = _tag(text, place, found.end() if found else start, ending=text[place + 1] == "/")
            tags.append(tag)
            codes += [] if tag.ending else _handlers(text, tag)
            if not tag.closed:
                return Scan("tags", tuple(tags), tuple(codes))
            end = tag.end if tag.ending else _raw(text, tag, codes)
        else:
            end = text.find(">", place) + 1
        if end <= place:
            return Scan("tags", tuple(tags), tuple(codes))
        next_place = re.compile("<[a-zA-Z!/?]").search(text, end)
        place = next_place.start() if next_place else -1
    return Scan("tags", tuple(tags), tuple(codes), open=True)


def _raw(text: str, tag: Tag, codes: list[Code]) -> int:
    """Find where what an element holds ends that no tags are read in; -1 where the text ends within."""
    name = text[tag.start + 1 : tag.name_end].lower()
    if name == "plaintext":
        return -1
    if name not in _RAW:
        return tag.end
    closing = re.compile(f"</{name}(?=[ \t\n\r\f/>])", re.IGNORECASE | re.ASCII).search(text, tag.end)
    end = closing.start() if closing else len(text)
    kinds = " ".join(text[a.start : a.end].lower() for a in tag.attributes)
    if tag.end == end or _HANDLER.search(text, tag.end, end):  # that would be an attribute, where this is put into one
        return end if closing else -1
    if name == "script" and "src" not in kinds and ("type" not in kinds or re.search("javascript|module", kinds)):
        codes.append(Code(tag.end, end, "script", "<&"))
    return end if closing else -1


def _tag(text: str, start: int, name_end: int, *, ending: bool) -> Tag:
    attributes: list[Attribute] = []
    place = name_end
    while place < len(text):
        end = _END.match(text, place)
        if end:
            return Tag(start, name_end, tuple(attributes), end.end(), True, ending)
        found = _ATTRIBUTE.match(text, place)
        after = text[found.end() : found.end() + 1] if found else ""
        if (
            not found
            or set(found["name"]) & set("<\"'")
            or after == "="
            or re.match(r"[ \t\n\r\f]+=", text[found.end() :])
        ):
            break  # a value without its other quote or none, or markup that is no markup here
        value = found.span("value") if found["value"] else None
        quote = text[value[0]] if value and text[value[0]] in "\"'" else ""
        inner = (value[0] + 1, value[1] - 1) if value and quote else value
        closed = bool(quote or after) and "<" not in text[found.start() : found.end()]
        attributes.append(Attribute(found.start("name"), found.end("name"), inner, quote, found.end(), closed))
        place = found.end()
    return Tag(start, name_end, tuple(attributes), len(text), False, ending)


def _handlers(text: str, tag: Tag) -> list[Code]:
    """Find the scripts in a tag's attributes; none that holds character references, as they are spelled otherwise."""
    codes = []
    for attribute in tag.attributes:
        name = text[attribute.start : attribute.name_end].lower()
        start, end = attribute.value or (0, 0)
        if "&" in text[start:end] or not attribute.closed:
            continue
        forbidden = attribute.quote + "&" if attribute.quote else SPACE + "\"'`>&"
        if name.startswith("on"):
            codes.append(Code(start, end, "handler", forbidden))
        scheme = SCHEME.match(text, start, end) if name in URLS else None
        if scheme and "%" not in text[start:end]:
            codes.append(Code(scheme.end(), end, "url", forbidden + '"\t\n\r\f<#%'))
    return [code for code in codes if code.start < code.end]
