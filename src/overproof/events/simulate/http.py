"""Write HTTP requests: ordinary traffic, and ordinary traffic that looks like an attack.

The template of a request is `HTTP METHOD target host=… ua="…" body=…`; the attacks that fill the
same template stand in `webattacks.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from overproof.events.simulate import words
from overproof.events.simulate.words import Actor

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5)",
    "curl/8.5.0",
    "python-requests/2.32",
    "okhttp/4.12",
)
# What a parameter is for decides what may stand in it: prose may quote an attack, a key may not hold one.
PROSE_FIELDS = ("comment", "message", "question", "review", "content", "feedback")
KEY_FIELDS = ("category", "account", "customer", "warehouse", "supplier", "location")

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """The parts of a request that its writer chooses; headers that any request may have are drawn."""

    target: str
    method: str = "GET"
    body: str = ""
    agent: str = ""


def get(rng: Random, who: Actor, target: str) -> str:
    """Write a GET request as text."""
    return send(rng, who, Request(target))


def send(rng: Random, who: Actor, request: Request) -> str:
    """Write a request as text; its headers are there as often as sensors record them."""
    parts = [f"HTTP {request.method} {request.target}"]
    if rng.random() < 0.8:
        parts.append(f"host={who.site}")
    if request.agent or rng.random() < 0.25:
        parts.append(f'ua="{request.agent or rng.choice(AGENTS)}"')
    if rng.random() < 0.1:
        parts.append(f"cookie=sid={words.letters(rng, '0123456789abcdef', 8, 16)}")
    elif rng.random() < 0.1:
        parts.append(f"referer=https://{who.site}{path(rng)}")
    if request.body:
        parts.append(f"body={request.body}")
    return " ".join(parts)


def submit(rng: Random, who: Actor, path: str, fields: Fields) -> str:
    """Send fields the way pages send them: query string, form body or JSON."""
    way = rng.randrange(3)
    if way == 2:
        return send(rng, who, Request(path, method="POST", body=json.dumps(dict(fields), ensure_ascii=False)))
    pairs = "&".join(f"{key}={words.encoded(rng, value)}" for key, value in fields)
    if way == 1:
        return send(rng, who, Request(path, method="POST", body=pairs))
    return get(rng, who, f"{path}?{pairs}")


def path(rng: Random, endings: Sequence[str] = ("", "", "", ".php", ".html")) -> str:
    """Draw a page's path."""
    parts = [rng.choice(words.SECTIONS), words.name(rng), rng.choice(words.NOUNS)][: rng.randint(1, 3)]
    return "/" + "/".join(parts) + rng.choice(endings)


def mixed_fields(rng: Random, fragment: str, *, into_key: bool) -> Fields:
    """Fill a prose field, which quotes something, and a key field; what is quoted or the key carries the fragment.

    The same words stand in both cases: only what holds the fragment tells them apart.
    """
    prose = rng.choice(words.PROSE).split()
    key, noun = rng.choice(words.NOUNS), rng.choice(words.NOUNS)
    cut = rng.randint(1, len(prose))
    quoted = f"`{noun}`" if into_key else f"`{noun}{fragment}`"
    fields = [
        (rng.choice(PROSE_FIELDS), " ".join([*prose[:cut], quoted, *prose[cut:]])),
        (rng.choice(KEY_FIELDS), key + fragment if into_key else key),
    ]
    rng.shuffle(fields)
    return fields


def page(rng: Random, who: Actor) -> str:
    """Write a request for a page, an asset or a plain query: GET /index.html."""
    roll = rng.random()
    if roll < 0.15:
        return get(rng, who, rng.choice(("/index.html", "/", "/favicon.ico", "/robots.txt", "/login", "/search")))
    if roll < 0.55:
        return get(rng, who, path(rng, ("", "/", ".html", ".jpg", ".css", ".js", ".woff2")))
    query = rng.choice(
        (
            f"q={words.encoded(rng, words.thing(rng))}",
            f"id={rng.randrange(10**5)}&sort={rng.choice(('price', 'name', 'date'))}",
            f"lang={rng.choice(('en', 'de', 'fr', 'pt'))}&page={rng.randrange(40)}",
            f"utm_source={words.name(rng)}&ref={words.letters(rng, '0123456789abcdef', 8, 16)}",
        )
    )
    return get(rng, who, f"{path(rng)}?{query}")


def form(rng: Random, who: Actor) -> str:
    """Write a form or an API call with ordinary values."""
    fields = [
        ("name", f"{rng.choice(words.PEOPLE)} {words.name(rng)}"),
        ("email", f"{who.user}@{who.site}"),
        ("amount", f"{rng.randrange(1, 900)}.{rng.randrange(100):02d}"),
        (rng.choice(PROSE_FIELDS), rng.choice(words.PROSE)),
        (rng.choice(KEY_FIELDS), words.name(rng)),
    ]
    rng.shuffle(fields)
    return submit(rng, who, path(rng), fields[: rng.randint(2, 4)])


def odd_names(rng: Random, who: Actor) -> str:
    """Write a form whose plain words hold quotes and keywords: O'Brien, "select a size" (hard benign)."""
    last = rng.choice(("O'", "O'", "D'")) + words.name(rng).title()
    noun = rng.choice(words.NOUNS)
    value = rng.choice(
        (
            last,
            f"{rng.choice(words.PEOPLE)} {last}",
            f"{last} & {last} {noun}",
            f"select a size from the {noun} table",
            f"{noun} union drop in {words.name(rng)}",
            f"5' 11\" {noun}",
            f"rock'n'roll {noun} -- {rng.choice(words.ADJECTIVES)} edition",
            f"{noun} & {rng.choice(words.NOUNS)}; {words.name(rng)} (2 < 3)",
            f"where order by {noun} or {rng.choice(words.NOUNS)} = half price",
        )
    )
    fields = [(rng.choice((*KEY_FIELDS, "q", "name", "title")), value)]
    if rng.random() < 0.5:
        fields.append(("page", str(rng.randrange(1, 90))))
    return submit(rng, who, path(rng), fields)


def tutorial_page(rng: Random, who: Actor) -> str:
    """Write a request for a lesson about SQL, scripts or templates (hard benign)."""
    topic = rng.choice(
        (
            "sql-union-select-explained",
            "how-to-drop-table-if-exists",
            "script-tag-basics",
            "cat-etc-passwd-file-format",
            "select-from-where",
            "what-is-a-reverse-shell",
            "jinja-template-{{-name-}}",
            "powershell-encodedcommand-howto",
        )
    )
    lesson = rng.choice(("tutorial", "lesson", "course", "learn", "howto"))
    target = f"/{lesson}/{words.name(rng)}/{topic}" + rng.choice(("", ".html", f"?page={rng.randrange(9)}"))
    return get(rng, who, target)


def inline_image(rng: Random, who: Actor) -> str:
    """Write an upload with its picture in base64 (hard benign)."""
    kind, magic = rng.choice((("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), ("gif", b"GIF89a"), ("jpeg", b"\xff\xd8\xff")))
    blob = base64.b64encode(magic + rng.randbytes(rng.randint(30, 120))).decode()
    fields = [("title", words.thing(rng)), ("image", f"data:image/{kind};base64,{blob}")]
    return send(rng, who, Request(path(rng), method="POST", body=json.dumps(dict(fields))))


def allowed_scan(rng: Random, who: Actor) -> str:
    """Write a probe of the own vulnerability scanner at its announced work, from inside (hard benign)."""
    target = rng.choice(PROBED) + rng.choice(("", f"?{words.name(rng)}=1", f"/{words.name(rng)}"))
    tool = rng.choice(("nikto/2.5", "audit-scan/2.1", "nuclei/3.2", "health-check/1.0"))
    return f'HTTP GET {target} host={who.inner} src={who.lan} ua="{tool} allow-list {words.name(rng)}"'


PROBED = (
    "/.git/config",
    "/.env",
    "/wp-login.php",
    "/phpmyadmin/index.php",
    "/server-status",
    "/backup.zip",
    "/actuator/env",
    "/cgi-bin/test.cgi",
    "/admin/config.php",
    "/.aws/credentials",
    "/old/db.sql",
    "/console",
)
