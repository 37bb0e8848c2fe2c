"""Values that programs stumble over, and JSON documents with some of theirs replaced by such."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

STRINGS = (
    *("", " ", "\t", "\r", "\n", "\r\n", "\0", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800"),
    *('"', "'", '""', "\\", "\\x00", "\\u0000", '\\"', "%", "%00", "%zz", "-", "--", "(empty)", "null", "NaN"),
    *("0", "-0", "-1", "1e400", "-1e400", "1e-400", "9" * 40, "0x" + "f" * 20, "1_000", "١٢", "1.5.2", "٣", "1e5"),
    *("2026-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:60Z", "253402300800", "-62135596801", "01/Jan/2026"),
    *("::1", "0.0.0.0", "999.1.1.1", "fe80::1%eth0", "65536", "-1:80", "[::1]:443", "//", "?", "#", "http://", "../x"),
    *("{", "}", "[", "]", "{}", "[]", "<", "&#x0;", "a" * 300, "é" * 100, "=", "a=b", "|", "a|b", ";", ","),
    *("CEF:0", "#fields", "#Fields:"),
    *("kind", "text", "source", "origin", "time", "overflow", "group", "label", "@timestamp"),
)  # fmt: skip
NUMBERS = (
    *(0, -0.0, 1, -1, 2, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63),
    *(2**64, -(2**63), 10**30),
    *(0.5, 1.5, 1e-320, 1e308, -1e308, 0.1, 1e16, 10**400),
)  # fmt: skip
RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e999",
    "01",
    "1.",
    "'a'",
    "undefined",
    '"\\ud800"',
    '"\\u0000"',
    "1" * 5000,
)


def string(random: Random) -> str:
    """A string that is hard to read, or several of them."""
    return "".join(random.choices(STRINGS, k=random.choice((1, 1, 1, 2, 3)))) * random.choice((1, 1, 1, 1, 2, 30))


def value(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = random.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return random.choice((None, True, False))
    if kind <= 2:
        return random.choice(NUMBERS)
    if kind <= 4:
        return string(random)
    if kind == 5:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 6:
        return {string(random): value(random, depth + 1) for _ in range(random.randrange(4))}
    return nested(random.choice((3, 90, 101, 200)), random.choice(("list", "dict")))


def nested(levels: int, kind: str) -> Any:
    """A value inside many others."""
    found: Any = 1
    for _ in range(levels):
        found = [found] if kind == "list" else {"a": found}
    return found


def changed(document: Any, random: Random) -> Any:
    """A document with one thing in it changed: replaced, removed, added, renamed, moved or repeated."""
    document = deepcopy(document)
    holders = [inner for inner in _inside(document) if inner]
    if not holders or random.random() < 0.03:
        return value(random)
    holder = random.choice(holders)
    key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    how = random.randrange(9)
    if how <= 2:
        holder[key] = value(random)
    elif how == 3:
        holder[key] = near(holder[key], random)
    elif how == 4:
        del holder[key]
    elif how == 5:
        other = random.choice(holders)
        holder[key] = deepcopy(random.choice(list(other.values()) if isinstance(other, dict) else other))
    elif how == 6:
        holder[key] = [holder[key]] * random.choice((1, 2, 30))
    elif isinstance(holder, dict):
        name = (
            string(random)
            if how == 7
            else random.choice([name for one in holders if isinstance(one, dict) for name in one])
        )
        holder[name] = holder.pop(key)
    else:
        holder.insert(key, value(random))
    return document


def near(found: Any, random: Random) -> Any:
    """A value of the same kind, but another."""
    if isinstance(found, bool):
        return not found
    if isinstance(found, int):
        return random.choice(
            (found + 1, found - 1, -found, found * 2, found << 40, float(found) if abs(found) < 1e300 else 0)
        )
    if isinstance(found, float):
        return random.choice((found + 1, -found, found * 1e300, found / 2, round(found) if abs(found) < 1e300 else 0))
    if isinstance(found, str):
        at = random.randint(0, len(found))
        return found[:at] + string(random) + found[random.randint(at, len(found)) :]
    return value(random)


def _inside(document: Any) -> list[Any]:
    """All lists and objects of a document."""
    found, level = [], [document]
    while level:
        level = [one for one in level if isinstance(one, dict | list)]
        found += level
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return found


def written(document: Any, random: Random) -> bytes:
    """A document as JSON text; sometimes with what JSON has no form for, though parsers take it."""
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    how = random.random()
    if how < 0.06:
        places = [at for at, letter in enumerate(text) if letter in ":,["]
        if places:
            at = random.choice(places) + 1
            end = next((i for i in range(at, len(text)) if text[i] in ",]}"), len(text))
            text = text[:at] + random.choice(RAW) + text[end:]
    elif how < 0.1 and isinstance(document, dict) and document:
        name = random.choice(list(document))
        text = f"{text[:-1]}, {json.dumps(name)}: {json.dumps(value(random))}}}"  # a name twice
    return text.encode("utf-8", "surrogatepass")
