"""Edit javascript: URLs in the ways that a browser's URL parser takes no notice of."""

from __future__ import annotations

from random import Random

from overproof.redteam.mutate.html_scan import SCHEME, URLS, scan

_BREAKS = ("\t", "\n", "\r\n")
_REFERENCES = ("&Tab;", "&NewLine;", "&#9;", "&#10;", "&#x0A;", "&#x09;", "&#0013;")


def _schemes(text: str) -> list[tuple[int, int, str]]:
    """Where the schemes lie, and whether bare, in quotes or without."""
    bare = SCHEME.match(text)
    if bare:
        return [] if "<" in text else [(0, bare.end(), "bare")]
    found = []
    for tag in scan(text).tags:
        for a in tag.attributes:
            if a.value and a.closed and text[a.start : a.name_end].lower() in URLS:
                scheme = SCHEME.match(text, *a.value)
                if scheme:
                    found.append((a.value[0], scheme.end(), a.quote))
    return found


def scheme_case(text: str, random: Random) -> str | None:
    """Write the scheme in another case."""
    found = _schemes(text)
    if not found:
        return None
    start, end, _ = random.choice(found)
    scheme = text[start:end]
    if "&" in scheme:
        return None
    return text[:start] + "".join(random.choice((c.lower(), c.upper())) for c in scheme) + text[end:]


def scheme_break(text: str, random: Random) -> str | None:
    """Put a tab or a line break into the scheme, as it is or as a character reference."""
    found = _schemes(text)
    if not found:
        return None
    start, end, quote = random.choice(found)
    places = [place for place in range(start + 1, end) if text[place].isalpha() and "&" not in text[start:place]]
    kinds = _BREAKS if quote == "bare" else _REFERENCES if not quote else (*_BREAKS, *_REFERENCES)
    if not places:
        return None
    place = random.choice(places)
    return text[:place] + random.choice(kinds) + text[place:]


def scheme_lead(text: str, random: Random) -> str | None:
    """Put spaces or control characters before the scheme."""
    found = _schemes(text)
    if not found:
        return None
    start, _, quote = random.choice(found)
    kinds = [" ", "\x01", "\x0b", "\x1f", "\t", "\x08"]
    if quote != "bare":
        kinds = ["&#1;", "&#x20;", "&#14;", "&Tab;", *([] if not quote else kinds)]
    new = "".join(random.choice(kinds) for _ in range(random.randint(1, 3)))
    return text[:start] + new + text[start:]
