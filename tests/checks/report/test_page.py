"""The page as markup: escaped, complete, and unbroken by whatever the JSON holds."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest

from overproof.checks.report import page, render, to_markdown, to_sarif
from overproof.report.markup import Html, el, safe
from overproof.report.reading import Span
from overproof.report.words import interval, percent, short, size

from .figures import EVIL

VOID = {"meta"}
OURS = set(
    "html head title style body a svg defs circle path rect g use line polyline text desc header main section div p h1 "
    "h2 h3 strong b bdi span code pre ol ul li table caption thead tbody tr th td details summary figure figcaption dl "
    "dt dd meta".split()
)


class Seen(HTMLParser):
    """Every element with its attributes; fails where they are not nested as they should be."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_text_is_escaped_wherever_it_is_put(everything: dict[str, Any]) -> None:
    html = page(everything)
    found = seen(html)
    assert {tag for tag, _ in found.elements} <= OURS
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert {a["href"][0] for tag, a in found.elements if a.get("href")} == {"#"}
    assert EVIL in "".join(found.text)
    assert EVIL not in html
    assert "\x1b" not in html and "\u202e" not in html


def test_links_lead_somewhere_and_names_are_the_pages_own(everything: dict[str, Any]) -> None:
    found = seen(page(everything))
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in found.elements if a.get("href")} <= set(ids)
    assert not [name for name in ids if name is None or not name.replace("-", "").isalnum()]


def test_the_policy_allows_the_style_and_nothing_else(everything: dict[str, Any]) -> None:
    html = page(everything)
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(a["content"] for t, a in seen(html).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style and "@import" not in style
    assert not [tag for tag, a in seen(html).elements if "style" in a]


def test_every_table_and_picture_says_what_it_is(everything: dict[str, Any]) -> None:
    found = seen(page(everything)).elements
    kinds = [tag for tag, _ in found]
    assert kinds.count("table") == kinds.count("caption") > 20
    assert all("scope" in a for tag, a in found if tag == "th")
    pictures = [a for tag, a in found if tag == "svg" and a.get("role") == "img"]
    assert len(pictures) == kinds.count("desc") > 50
    assert all(a.get("aria-hidden") == "true" for tag, a in found if tag == "svg" and a.get("role") != "img")
    boxes = [a for _, a in found if a.get("tabindex") == "0"]
    assert boxes and all(a.get("aria-label") and a.get("role") == "region" for a in boxes)


def test_it_opens_with_the_verdict_and_all_six_checks(everything: dict[str, Any]) -> None:
    html = page(everything)
    text = "".join(seen(html).text)
    places = [text.index(words) for words in ("deploy with escalation", "Deploy it only", "A sample of", "From full")]
    assert places == sorted(places)
    assert html.index('<div class="verdict escalate">') < html.index('id="strip"') < html.index('id="checks"')
    assert html.index('id="checks"') < html.index('id="uses"') < html.index('id="check-1"')
    assert [f'href="#check-{i}"' in html and f'id="check-{i}"' in html for i in range(1, 7)] == [True] * 6
    assert "needs 29,956" in text
    assert "19 shown of 71" in text
    assert "1,891/1,900" in text and "xpathi" in text and "0/2" in text


def test_what_was_not_measured_says_why(nothing: dict[str, Any]) -> None:
    text = "".join(seen(page(nothing)).text)
    whole = " ".join(text.split())
    assert whole.count("unmeasured: no labelled events") >= 13
    assert "absent: no full model was given" in whole
    assert "None" not in whole.replace("None.", "") and "null" not in whole


def test_a_field_unmeasured_alone_is_told_in_its_place(everything: dict[str, Any]) -> None:
    for check in everything["checks"]:
        check["data"] = {name: {"unmeasured": f"why {name} {EVIL}"} for name in check["data"]}
    text = " ".join("".join(seen(page(everything)).text).split())
    for name in ("split", "drift", "scores", "tpr", "alerts", "threshold_drift", "hard_benign", "edits", "neighbours"):
        assert f"unmeasured: why {name} {EVIL}" in text
    for name in ("attacks", "benign", "novel", "held_out", "cost", "curves", "budgets", "threshold", "exemplars"):
        assert f"unmeasured: why {name} {EVIL}" in text


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands; of a long list its first four."""
    entries = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))[:4]
        if isinstance(value, list)
        else []
    )
    for key, entry in entries:
        yield (*above, key)
        yield from places(entry, (*above, key))


@pytest.mark.parametrize("new", [None, {"unmeasured": EVIL}, EVIL, [], {}, float("nan"), -3, True, [[1]]], ids=repr)
def test_no_field_can_break_it(everything: dict[str, Any], new: Any) -> None:
    random, found = Random(0), list(places(everything))
    for place in random.sample(found, len(found) // 12):
        holder: Any = everything
        try:
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = new
        except (TypeError, KeyError, IndexError):
            continue  # what it stood in was replaced before
    seen(page(everything))
    assert render(everything) and to_markdown(everything) and to_sarif(everything)


def test_nothing_at_all_is_a_page_too() -> None:
    for data in ({}, {"checks": [{}, None], "verdict": 3, "strip": []}):
        seen(page(data))
        assert render(data) and to_markdown(data) and to_sarif(data)


def test_only_markup_is_not_escaped() -> None:
    assert el("p", "<b>", el("i", "&"), class_="a\"'<") == '<p class="a&#34;&#39;&lt;">&lt;b&gt;<i>&amp;</i></p>'
    assert el("p", aria_label=Html('"><b>')) == '<p aria-label="&#34;&gt;&lt;b&gt;"></p>'
    assert safe(Html("<i>") + "<i>") == "<i>&lt;i&gt;"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0.00 %"),
        (0.5, "50.00 %"),
        (-0.0021, "\N{MINUS SIGN}0.21 %"),
        (0.0001, "0.01 %"),
        (0.000405, "0.04 %"),
        (0.00001234, "0.0012 %"),
        (-1e-9, "0.00 %"),
        (0.99999, "100.00 %"),
    ],
)
def test_shares(value: float, told: str) -> None:
    assert percent(value) == told


def test_intervals_sizes_and_names() -> None:
    assert interval(Span(0.012, 0.008, 0.019)) == "1.20 % [0.80, 1.90]"
    assert interval({"value": 0.5, "low": None, "high": 1}) == "50.00 %"
    assert interval({"unmeasured": "x"}) == interval(None) == "not measured"
    assert [size(n) for n in (9, 1_045_603, 401_712_640, 2.5e12)] == ["9 B", "1.05 MB", "402 MB", "2,500 GB"]
    assert short("a\nb" + "c" * 100) == "a\\nb" + "c" * 75 + "…"
