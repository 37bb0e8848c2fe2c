"""Prove that two XML documents declare and reference the same external entities: read by expat, nothing resolved.

Where a document has nothing of an attack, or is not well formed, both must be the same token by token
(`xml_tokens.py`), and the same to expat wherever it reads the original. A document that is quoted as a field of a CSV
file is read without the quotes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from overproof.redteam.base import Proof
from overproof.redteam.oracle.xml_tokens import are_alike, header

LONGEST = 20_000  # characters that are read
MOST = 100_000  # characters that entities may expand to
# Where a fragment is put: a document as it stands, a document without its root, declarations, and content.
CONTEXTS = (("", ""), ("", "<r/>"), ("<!DOCTYPE r [", "]><r/>"), ("<r>", "</r>"))


# Names that examples are made of; another element's name may mean something to who reads it.
PLACEHOLDERS = {"foo", "xxe", "root", "test", "doc", "bar", "data", "XXE", "x", "r", "a"}


class _TooLongError(Exception):
    """Stops a document whose entities expand without end."""


@dataclass
class _Reader:
    """What of a document counts, in its order."""

    seen: list[tuple[str, ...]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    internal: dict[str, str] = field(default_factory=dict)
    attacks: bool = False
    length: int = 0

    def entity(self, name: str, parameter: bool, value: str | None, *ids: str | None) -> None:
        """Keep an entity that is elsewhere; one that is here counts where it is referenced."""
        if value is None:
            _base, system, public, notation = ids
            self._note("entity", "%" if parameter else "&", str(system), str(public), str(notation))
            self.attacks = True
        else:
            self.internal[name] = value
            if parameter:
                self._note("parameter entity", name, value)

    def doctype(self, name: str, _system: str | None, _public: str | None, _internal: bool) -> None:
        """Keep the name of the root element that is declared: a parser that validates refuses another root."""
        self._note("doctype", name)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Keep an element with its attributes; their order does not count."""
        self._note("start", name, *(f"{key}={value}" for key, value in sorted(attributes.items())))
        if name.startswith("xsl:") or name.lower() == "script":
            self.attacks = True

    def end(self, name: str) -> None:
        """Keep an element's end."""
        self._note("end", name)

    def letters(self, text: str) -> None:
        """Keep text, however many pieces it comes in."""
        self.length += len(text)
        if self.length > MOST:
            raise _TooLongError
        self.text.append(text)

    def cdata(self) -> None:
        """Say that a section was read as it stands."""
        self.attacks = True

    def reference(self, _context: str | None, _base: str | None, system: str | None, public: str | None) -> int:
        """Keep where an external entity is referenced, and go on without reading it."""
        self._note("reference", str(system), str(public))
        self.attacks = True
        return 1

    def skipped(self, name: str, parameter: int) -> None:
        """Keep a reference to an entity that is declared elsewhere."""
        self._note("skipped", name, str(parameter))

    def _note(self, *what: str) -> None:
        if self.text:
            self.seen.append(("text", "".join(self.text)))
            self.text.clear()
        self.seen.append(what)


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare what expat reads of each pair."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    if max(len(original), len(edited)) > LONGEST:
        return Proof("unproved", "expat: too long")
    held, held_edited = _unquoted(original), _unquoted(edited)
    if held is None:
        return _compared(original, edited)
    proof = _compared(held, held_edited) if held_edited is not None else None
    if proof is not None and proof.meaning == "proved":
        return Proof("proved", f"a field of a CSV file: {proof.how}")
    return Proof("unproved", "a field of a CSV file, which was not read the same")


def _unquoted(text: str) -> str | None:
    """Return what a field of a CSV file holds; None where the text is not quoted as one."""
    inside = text[1:-1].replace('""', "") if '""' in text[1:-1] else '"'
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inside
    return text[1:-1].replace('""', '"') if is_quoted else None


def _compared(original: str, edited: str) -> Proof:
    for before, behind in CONTEXTS:
        wanted = _read(before, original, behind)
        if wanted is None or not wanted.attacks:
            continue
        found = _read(before, edited, behind)
        if found is None:
            return Proof("changed", "expat: no longer well formed")
        if not _same(wanted.seen, found.seen):
            return Proof("changed", "expat: another tree or other external entities")
        if header(original) != header(edited):
            return Proof("unproved", "expat: another version or encoding is declared")
        return Proof("proved", "expat: the same tree, and the same external entities at the same places")
    is_same_to_expat = all(_is_same_or_unread(before, original, edited, behind) for before, behind in CONTEXTS)
    if is_same_to_expat and are_alike(original, edited):
        return Proof("proved", "expat shows no attack; parsed: the same markup and text, token by token")
    return Proof("unproved", "expat: not well formed, or nothing that an attack needs")


def _is_same_or_unread(before: str, original: str, edited: str, behind: str) -> bool:
    wanted, found = _read(before, original, behind), _read(before, edited, behind)
    return wanted is None or (found is not None and _same(wanted.seen, found.seen))


def _read(before: str, text: str, behind: str) -> _Reader | None:
    # What a text declares is how its bytes were read before it became a text.
    parser = expat.ParserCreate("utf-8")
    reader = _Reader()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.EntityDeclHandler = reader.entity
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.letters
    parser.StartCdataSectionHandler = reader.cdata
    parser.ExternalEntityRefHandler = reader.reference
    parser.SkippedEntityHandler = reader.skipped
    try:
        parser.Parse((before + text + behind).encode("utf-8", "surrogatepass"), True)
    except (expat.ExpatError, _TooLongError):
        return None
    expanded = "".join(piece[1] for piece in reader.seen if piece[0] == "text")
    reader.attacks = reader.attacks or any(value and value in expanded for value in reader.internal.values())
    return reader


def _same(wanted: Sequence[tuple[str, ...]], found: Sequence[tuple[str, ...]]) -> bool:
    """Compare events: elements without a meaning may be renamed one to one, and may have more attributes."""
    if len(wanted) != len(found):
        return False
    names: dict[str, str] = {}
    for one, other in zip(wanted, found, strict=True):
        if one[0] != other[0]:
            return False
        if one[0] in ("doctype", "start", "end"):
            if names.setdefault(one[1], other[1]) != other[1] or not set(one[2:]) <= set(other[2:]):
                return False
            if one[1] != other[1] and one[1] not in PLACEHOLDERS:
                return False
            if len(set(names.values())) != len(names):
                return False
        elif one != other:
            return False
    return True
