"""The page as markup: escaped, complete, and unbroken by whatever the JSON holds."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overproof.checks.report import CheckReport, page, render, to_markdown, to_sarif
from overproof.checks.report.check_report import ADDED
from overproof.checks.stats import Interval
from overproof.errors import InputError
from overproof.progress import one_line
from overproof.report.markup import Html, safe
from overproof.report.svg import element
from overproof.report.words import interval, percent, short, size

from .figures import EVIL

VOID = {"meta"}
OURS = set(
    "html head title style body a svg defs circle path rect g use line polyline text desc header main nav section div "
    "p h1 h2 h3 strong b bdi span code pre ol ul li table caption thead tbody tr th td details summary figure "
    "figcaption dl dt dd meta ins del mark".split()
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


def test_text_is_escaped_wherever_it_is_put(everything: CheckReport) -> None:
    html = page(everything)
    found = seen(html)
    assert {tag for tag, _ in found.elements} <= OURS
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert {a["href"][0] for tag, a in found.elements if a.get("href")} == {"#"}
    assert EVIL in "".join(found.text)
    assert EVIL not in html
    assert "\x1b" not in html and "\u202e" not in html


def test_links_lead_somewhere_and_names_are_the_pages_own(everything: CheckReport) -> None:
    found = seen(page(everything))
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in found.elements if a.get("href")} <= set(ids)
    assert not [name for name in ids if name is None or not name.replace("-", "").isalnum()]


def test_the_policy_allows_the_style_and_nothing_else(everything: CheckReport) -> None:
    html = page(everything)
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(a["content"] for t, a in seen(html).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style and "@import" not in style
    assert not [tag for tag, a in seen(html).elements if "style" in a]


def test_every_table_and_picture_says_what_it_is(everything: CheckReport) -> None:
    found = seen(page(everything)).elements
    kinds = [tag for tag, _ in found]
    assert kinds.count("table") == kinds.count("caption") > 20
    assert all("scope" in a for tag, a in found if tag == "th")
    pictures = [a for tag, a in found if tag == "svg" and a.get("role") == "img"]
    assert len(pictures) == kinds.count("desc") > 50
    assert all(a.get("aria-hidden") == "true" for tag, a in found if tag == "svg" and a.get("role") != "img")
    boxes = [a for _, a in found if a.get("tabindex") == "0"]
    assert boxes and all(a.get("aria-label") and a.get("role") == "group" for a in boxes)


def test_it_opens_with_the_verdict_and_all_eight_checks(everything: CheckReport) -> None:
    html = page(everything)
    text = "".join(seen(html).text)
    places = [text.index(words) for words in ("deploy with escalation", "Deploy it only", "A sample of", "From full")]
    assert places == sorted(places)
    parts = [
        '<div class="verdict escalate"',
        'class="contents"',
        'id="closed"',
        'id="comparison"',
        'id="families"',
        'id="uses"',
    ]
    parts += [f'id="check-{i}"' for i in range(1, 9)]
    assert [html.index(part) for part in parts] == sorted(html.index(part) for part in parts)
    assert all(f'href="#check-{i}"' in html for i in range(1, 9))
    assert "needs 29,956" in text
    assert "19 shown of 71" in text
    assert "1,891/1,900" in text and "xpathi" in text and "0/2" in text


def test_models_stand_at_the_same_false_positive_rate(everything: CheckReport, nothing: CheckReport) -> None:
    html = page(everything)
    drawn = html[html.index('id="equal-rates"') : html.index('id="families"')]
    text = " ".join("".join(seen(f"<div><section {drawn[: -len('<section ')]}</div>").text).split())
    titles = [
        text.index(words) for words in ("At the same", "ROC curves", "DET curves", "missed at 0.1 %", "Recall at")
    ]
    assert titles == sorted(titles)
    assert "full misses 0.20 % where it flags 0.11 %" in text, "the pictures are told in words"
    assert drawn.count('class="curve ') == 6 and drawn.count("<desc>") == 2
    bare = page(nothing)
    part = bare[bare.index('id="equal-rates"') : bare.index('id="families"')]
    assert "<svg" not in part.replace('<svg class="mark', "") and "unmeasured: no full was given (full)" in part


def test_what_was_not_measured_says_why(nothing: CheckReport) -> None:
    text = " ".join("".join(seen(page(nothing)).text).split())
    assert text.count("unmeasured: no full was given") >= 8
    assert text.count("unmeasured: the training events are not at hand") >= 2
    assert "full: absent: no full was given" in text
    assert "None" not in text.replace("None.", "") and "null" not in text


def test_a_field_unmeasured_alone_is_told_in_its_place(stored: dict[str, Any]) -> None:
    names = {
        "own-data": ("split", "drift", "scores", "alerts"),
        "calibration": ("threshold_drift",),
        "rare": ("hard_benign",),
        "boundary": ("quantization", "edits", "neighbours"),
        "held-out": ("attacks", "benign", "novel"),
        "escalation": ("curves", "budgets", "threshold"),
        "explanation": ("alerts",),
        "redteam": ("exclusive", "past_cascade", "flood"),
    }
    stored["verdict"] |= {"decision": "do not deploy", "threshold": None}
    stored["proof"]["policy"]["confidence"] = stored["checks"][7]["data"]["attacks"]["threshold"] = None
    for check in stored["checks"]:
        holder = check["data"]["attacks"] if check["key"] == "redteam" else check["data"]
        holder |= {name: {"unmeasured": f"why {name} {EVIL}"} for name in names[check["key"]]}
    text = " ".join("".join(seen(page(CheckReport.from_json(stored))).text).split())
    for name in (name for group in names.values() for name in group):
        assert f"unmeasured: why {name} {EVIL}" in text


def test_what_the_checks_return_is_drawn_in_every_format(measured: CheckReport, nothing: CheckReport) -> None:
    for report in (measured, nothing):
        found = seen(page(report))
        assert report.verdict.sentence in "".join(found.text)
        assert render(report) and to_markdown(report) and to_sarif(report)
        assert CheckReport.from_json(report.to_json()) == report


def hostile(value: Any, name: str = "") -> Any:
    """The same value with a hostile name in the place of every text that comes from outside."""
    if name in ("key", "status", "decision", "answer", "kind", "schema", "because"):
        return value
    if isinstance(value, str):
        return f"{EVIL}{value}"
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: hostile(getattr(value, f.name), f.name) for f in fields(value)})
    if isinstance(value, dict):
        return {f"{EVIL}{key}" if name == "skipped" else key: hostile(entry) for key, entry in value.items()}
    return tuple(hostile(entry) for entry in value) if isinstance(value, tuple) else value


def test_hostile_text_in_every_field_stays_text(everything: CheckReport, measured: CheckReport) -> None:
    for report in (everything, measured):
        evil = hostile(report)
        found = seen(page(evil))
        assert {tag for tag, _ in found.elements} <= OURS
        assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
        assert EVIL not in page(evil)
        assert {a["href"][0] for tag, a in found.elements if a.get("href")} == {"#"}
        assert render(evil) and to_markdown(evil) and to_sarif(evil)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands; of a long list its first two."""
    entries = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))[:2]
        if isinstance(value, list)
        else []
    )
    for key, entry in entries:
        yield (*above, key)
        yield from places(entry, (*above, key))


def holder_of(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        data = data[key]
    return data


def refused(data: Any) -> str:
    """The one line that refuses a file."""
    with pytest.raises(InputError) as error:
        CheckReport.from_json(data, "out/check.json")
    message = str(error.value)
    assert message.startswith("out/check.json: ") and message == one_line(message) and len(message) < 700
    return message


@pytest.mark.parametrize("new", [{"x": EVIL}, EVIL, [EVIL], {}, float("nan"), -3.5, True, [[1]]], ids=repr)
def test_an_entry_of_another_kind_is_refused_or_does_no_harm(stored: dict[str, Any], new: Any) -> None:
    found = list(places(stored))
    for place in Random(0).sample(found, len(found) // 40):
        holder = holder_of(stored, place)
        old, holder[place[-1]] = holder[place[-1]], new
        try:
            report = CheckReport.from_json(stored)
        except InputError as error:
            assert str(error).startswith("check.json: ") and str(error) == one_line(str(error))
        else:
            seen(page(report))
            assert render(report) and to_markdown(report) and to_sarif(report)
        holder[place[-1]] = old


NAMED = {
    "absent",
    "skipped",
    "models",
    "families",
    "verdicts",
    "attack",
    "augrc",
    "margins",
    "with",
    "without",
    "train",
}
# objects whose keys are names from outside
NAMED |= {"false_positives", "events", "files", "entries", "against", "curves"}


def test_a_missing_and_an_unknown_entry_are_refused(stored: dict[str, Any]) -> None:
    found = [p for p in places(stored) if isinstance(p[-1], str) and not NAMED & set(p[:-1]) and p[0] not in ADDED]
    inside = [p for p in places(stored) if isinstance(p[-1], str) and p[0] in ADDED and len(p) > 1]
    found += [p for p in inside if "models" not in p[:-1]]
    for place in Random(1).sample(found, 60):
        holder = holder_of(stored, place)
        old = holder.pop(place[-1])
        assert ".".join(map(str, place[:1])) in refused(stored)
        holder[place[-1]] = old
        holder["surprise"] = 1
        refused(stored)
        del holder["surprise"]
    assert CheckReport.from_json(stored)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), "overproof.check/1", "schema: 'overproof.check/1', expected overproof.check/6: run `overproof"),
        (("schema",), 3, "schema: expected overproof.check/6, as `overproof check` writes it"),
        (("bundle", "bytes"), "9", "bundle.bytes: Input should be a valid integer"),
        (("bundle", "bytes"), float("inf"), "bundle.bytes: "),
        (("bundle", "bytes"), -1, "bundle.bytes: -1, expected a count"),
        (("comparison", "rows", 1, "metrics", "missed", "k"), -1, "comparison.rows.1.metrics.missed.k: -1, expected a"),
        (("events", "attacks"), 3, "events: the counts of attacks, benign, labelled and unlabelled events do not add"),
        (
            ("verdict", "decision"),
            "deploy alone",
            "verdict.decision: 'deploy alone' contradicts the gates, which come to",
        ),
        (("verdict", "decision"), "maybe", "verdict.decision: Input should be 'deploy alone'"),
        (("verdict", "threshold"), None, "verdict.threshold: contradicts the decision 'deploy with escalation'"),
        (("verdict", "because"), ["x/y"], "verdict.because: no check has a gate 'x/y'"),
        (("gates", "open"), True, "gates.open: contradicts the rest, expected False"),
        (("gates", "closed"), [], "gates.closed: contradicts the rest, expected ['calibration/threshold-drift'"),
        (("checks", 4, "status"), "passed", "checks.4.status: contradicts the rest, expected 'failed'"),
        (("checks", 4, "gates", 0, "closed"), False, "checks.4.gates.0.closed: contradicts the rest, expected True"),
        (("checks", 1, "key"), "own-data", "checks: expected own-data, calibration, rare, boundary, held-out, escala"),
        (
            ("checks",),
            [],
            "held-out, escalation, explanation, redteam, found none",
        ),
        (("proof", "attack", "queries"), 7, "proof.attack: contradicts checks.redteam.settings"),
        (
            ("checks", 7, "data", "attacks", "threshold"),
            0.5,
            "checks.redteam.attacks.threshold: 0.5, and the",
        ),
        (("checks", 2), None, "something else, boundary, held-out, escalation, explanation, redteam"),
    ],
)
def test_where_it_is_wrong_is_said(stored: dict[str, Any], place: tuple[Any, ...], value: Any, message: str) -> None:
    holder_of(stored, place)[place[-1]] = value
    assert message in refused(stored)


def test_a_file_is_read_back_or_refused(everything: CheckReport, tmp_path: Path) -> None:
    path = everything.write(tmp_path)[0]
    assert CheckReport.read(path) == everything
    for content in (b"", b"{", b"[]", b"3", b'{"schema": "overproof.check/1"}', b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"check\.json: .*expected .*overproof.check") as error:
            CheckReport.read(path)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"none\.json: No such file"):
        CheckReport.read(tmp_path / "none.json")


def test_only_markup_is_not_escaped() -> None:
    assert (
        element("p", "<b>", element("i", "&"), class_="a\"'<") == '<p class="a&#34;&#39;&lt;">&lt;b&gt;<i>&amp;</i></p>'
    )
    assert element("p", aria_label=Html('"><b>')) == '<p aria-label="&#34;&gt;&lt;b&gt;"></p>'
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
    assert interval(Interval(0.012, 0.008, 0.019)) == "1.20 % [0.80, 1.90]"
    assert interval(None) == "not measured"
    assert [size(n) for n in (9, 1_045_603, 401_712_640, 2.5e12)] == ["9 B", "1.05 MB", "402 MB", "2,500 GB"]
    assert short("a\nb" + "c" * 100) == "a\\nb" + "c" * 75 + "…"


def test_every_class_that_is_styled_is_one_that_pages_have(
    everything: CheckReport, measured: CheckReport, nothing: CheckReport
) -> None:
    style = (files("overproof.report") / "templates" / "page.css").read_text("utf-8")
    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^{}]*\}", "{}", style)))
    deployed = replace(everything, verdict=replace(everything.verdict, decision="deploy with escalation"))
    pages = "".join(page(report) for report in (everything, measured, nothing, deployed))
    used = {name for names in re.findall(r'class="([^"]*)"', pages) for name in names.split()}
    assert styled and styled - used == set()
