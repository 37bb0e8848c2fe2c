"""Change text by its lines and their fields: what is between separators, quotes and brackets."""

from __future__ import annotations

import json
import re
from random import Random

from fuzz.mutate import values

FIELDS = re.compile(rb'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s,;|\t="\[\]]+')
SEPARATORS = (b",", b"\t", b" ", b"|", b";", b"=", b'"', b"\n", b"\r", b"\0", b": ")
ENCODINGS = ("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32")


def changed(content: bytes, random: Random) -> bytes:
    """Change one line, the order of lines, or how all of them are written."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    how = random.randrange(16)
    if how <= 5:
        lines[at] = _field(lines[at], random)
    elif how <= 8:
        lines[at] = _json(lines[at], random)
    elif how == 9:
        lines.insert(random.randrange(len(lines)), lines[at])
    elif how == 10:
        del lines[at]
    elif how == 11:
        random.shuffle(lines)
    elif how == 12:
        lines[at] = lines[at][: random.randint(0, len(lines[at]))]
    elif how == 13:
        other = random.randrange(len(lines))
        lines[at] += random.choice(SEPARATORS) + lines[other]
    elif how == 14:
        separator = random.choice(SEPARATORS)
        lines[at] = lines[at].replace(separator, random.choice(SEPARATORS), random.choice((1, -1)))
    else:
        return _written(content, random)
    return b"\n".join(lines)


def _field(line: bytes, random: Random) -> bytes:
    """Put something else in a field's place."""
    fields = list(FIELDS.finditer(line))
    if not fields:
        return line + values.string(random).encode("utf-8", "surrogatepass")
    field = random.choice(fields)
    text = values.string(random).encode("utf-8", "surrogatepass")
    other = random.choice((text, text, b'"' + text + b'"', random.choice(fields)[0], field[0] + text, b""))
    return line[: field.start()] + other + line[field.end() :]


def _json(line: bytes, random: Random) -> bytes:
    """Change a line's JSON object, if it holds one; else its fields."""
    start = line.find(b"{")
    try:
        document = json.loads(line[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        document = None
    if document is None:
        return _field(line, random)
    return line[:start] + values.written(values.changed(document, random), random).replace(b"\n", b"\\n")


def _written(content: bytes, random: Random) -> bytes:
    """Write all lines otherwise."""
    how = random.randrange(5)
    if how == 0:
        return content.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b"\0", b"\n \n")))
    if how == 1:
        return content.decode("utf-8", "replace").encode(random.choice(ENCODINGS), "replace")
    if how == 2:
        return content.rstrip(b"\n")
    if how == 3:
        return values.string(random).encode("utf-8", "surrogatepass") + b"\n" + content
    return content.replace(random.choice(SEPARATORS), random.choice(SEPARATORS))
