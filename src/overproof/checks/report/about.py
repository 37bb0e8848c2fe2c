"""What was checked, with what, on what: the head and the foot of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import words
from overproof.report.markup import Html, el, listed, many, name
from overproof.report.reading import at, entries, names, number, string


def head(data: Mapping[str, Any]) -> Html:
    """One line: which bundle, which events."""
    events = entries(data.get("events"))
    counts = [f"{words.figure(events.get(k), words.count)} {k}" for k in ("attacks", "benign", "unlabelled")]
    return el(
        "p",
        el("strong", name(at(data, "bundle", "name"))),
        f" ({words.short(at(data, 'bundle', 'precision'))}) on ",
        f"{words.figure(events.get('rows'), words.count)} events: ",
        ", ".join(counts),
        class_="about",
    )


def foot(data: Mapping[str, Any]) -> Html:
    """Everything it takes to repeat this."""
    told = [*_bundle(data), *_events(data), *_run(data)]
    listed = many(el("div", el("dt", title), el("dd", entry)) for title, entry in told)
    return el("section", el("h2", "What was checked"), el("dl", listed, class_="facts"), id="about")


def _bundle(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    bundle, full = entries(data.get("bundle")), data.get("full")
    card = [f"{key} {_plain(value)}" for key, value in entries(full).items() if value is not None]
    return [
        ("Bundle", name(bundle.get("name"), 200)),
        ("SHA-256 of the model", el("code", words.short(bundle.get("sha256")))),
        ("Precision, size", f"{words.short(bundle.get('precision'))}, {words.figure(bundle.get('bytes'), words.size)}"),
        ("Classes", _names(bundle.get("classes"))),
        ("Benign classes", _names(bundle.get("benign"))),
        ("Full model", ", ".join(card) or "none"),
    ]


def _events(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    events = entries(data.get("events"))
    counts = [
        f"{words.figure(events.get(key), words.count)} {key}"
        for key in ("rows", "labelled", "attacks", "benign", "unlabelled")
    ]
    skipped = [
        f"{words.figure(n, words.count)}: {words.short(why, 200)}" for why, n in entries(events.get("skipped")).items()
    ]
    return [
        ("Events", ", ".join(counts)),
        ("Files", _names(events.get("files"))),
        ("SHA-256 of the events", el("code", words.short(events.get("sha256")))),
        ("Skipped", "; ".join(skipped) or "none"),
    ]


def _run(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    margin = number(at(data, "margin", "value"))
    fixed = "fixed when the bundle was made" if at(data, "margin", "fixed_before") else "not fixed in the bundle"
    message = string(at(data, "margin", "message"))
    file = words.short(at(data, "gates", "file"), 200)
    closed = names(at(data, "gates", "closed"))
    absent = [f"{title}: {string(why)}" for title, why in entries(data.get("absent")).items()]
    return [
        ("Margin", f"{words.figure(margin)}, {fixed}. {message}"),
        ("Gates", file or "the defaults"),
        ("Closed gates", many(el("span", el("code", words.short(key)), class_="item") for key in closed) or "none"),
        ("Models not there", "; ".join(absent) or "none"),
        ("overproof, seed", f"{words.short(data.get('overproof'))}, seed {words.short(data.get('seed'))}"),
        ("Format", words.short(data.get("schema"))),
    ]


def _names(value: object) -> Html:
    return listed(names(value)) or Html("none")


def _plain(value: object) -> str:
    found = number(value)
    return words.short(value) if found is None else f"{found:,.10g}"
