"""The page at /: what was pasted is shown as text, with its verdict, who decided, and what carried it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ...browser import Browser

pytestmark = pytest.mark.slow

PASTED = "<img src=x onerror=\"document.title='run'\"> select * from users"
TOKEN = "a-token-of-some-length"
COMMAND = [sys.executable, "-m", "overproof"]


@contextmanager
def serving(*words: str, token: str | None = None) -> Iterator[str]:
    """Run a service of its own, and tell its address."""
    told = {} if token is None else {"env": {"OVERPROOF_TOKEN": token, "PYTHONPATH": ":".join(sys.path)}}
    command = [*COMMAND, "serve", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **told) as running:
        assert running.stderr is not None
        yield running.stderr.readline().split()[0]
        running.terminate()
        running.communicate(timeout=60)
        assert running.returncode == 0


@pytest.fixture(scope="module")
def url(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with some known events, and a full model in reserve."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "known.txt").write_text("select * from users\n<script>\nid=1\n")
    build = [*COMMAND, "index", str(small_bundle), str(folder / "known.txt"), "--out", str(folder / "known")]
    subprocess.run(build, check=True, capture_output=True)
    with serving(str(small_bundle), "--index", str(folder / "known"), "--full", str(small_bundle)) as address:
        yield address


@pytest.fixture
def page(url: str, browser: Browser) -> Browser:
    """The page, with the bundle's card."""
    visit(browser, url)
    until(browser, "!document.getElementById('card').hidden")
    return browser


def visit(browser: Browser, url: str, width: int = 1280, *, dark: bool = False) -> None:
    browser.size(width)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.call("Emulation.setEmulatedMedia", features=[scheme])
    browser.call("Page.navigate", url="about:blank")
    browser.events.clear()
    browser.call("Page.navigate", url=url)
    until(browser, "document.readyState === 'complete' && !!document.querySelector('main')")


def until(browser: Browser, expression: str) -> None:
    for _ in range(500):
        if browser.run(expression) is True:
            return
        time.sleep(0.02)
    raise AssertionError(f"never: {expression}")


def judge(browser: Browser, text: str, *, lines: bool = False, shown: str = "windows") -> None:
    """Write into the field, say what it holds, and ask."""
    browser.run(f"document.getElementById('event').value = {json.dumps(text)}")
    browser.run(f"document.getElementById('{'lines' if lines else 'whole'}').click()")
    browser.run("document.getElementById('ask').requestSubmit()")
    until(browser, f"!document.getElementById('{shown}').hidden")


def asked_for(browser: Browser, path: str) -> list[Any]:
    """Return the bodies that the page sent to an endpoint."""
    found = [e["params"]["request"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    return [json.loads(one["postData"]) for one in found if one["url"].endswith(path) and "postData" in one]


def columns(browser: Browser, name: str) -> list[str]:
    """Return what the table of verdicts says in a column."""
    cells = f"document.querySelectorAll('#result-rows td[data-name^={json.dumps(name)}]')"
    return browser.run(f"[...{cells}].map(cell => cell.textContent)")


def clean(browser: Browser) -> bool:
    """Tell whether nothing was logged or thrown."""
    return not [e for e in browser.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]


@pytest.mark.parametrize("width", [1280, 768, 400])
def test_an_event_is_judged_on_the_page_and_never_run(url: str, browser: Browser, width: int) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    visit(browser, url, width)
    judge(browser, PASTED, shown="near")
    shown = browser.run("document.querySelector('main').innerText")
    assert "select * from users" in shown
    assert browser.run("document.title") == "overproof: judge an event"
    assert browser.run("document.querySelectorAll('main img').length") == 0
    assert browser.text("why").startswith(("decided, by ", "deferred, by "))
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert clean(browser)


def test_several_lines_are_one_event_in_all(page: Browser) -> None:
    judge(page, "POST /login HTTP/1.1\nHost: shop\n\nuser=1' or 1=1")
    assert asked_for(page, "/judge") == [
        {"text": "POST /login HTTP/1.1\nHost: shop\n\nuser=1' or 1=1", "explain": True, "count": 5}
    ]
    assert page.text("text").replace("[", "").replace("]", "") == "POST /login HTTP/1.1\nHost: shop\n\nuser=1' or 1=1"
    assert page.run("document.getElementById('results').hidden") is True


def test_one_event_a_line_is_a_table_and_each_row_is_shown_in_full(page: Browser) -> None:
    judge(page, "select * from users\n\n<script>alert(1)</script>\n  \nid=1", lines=True, shown="results")
    events = [("line:1", "select * from users"), ("line:3", "<script>alert(1)</script>"), ("line:5", "id=1")]
    assert asked_for(page, "/judge") == [
        {"events": [{"text": text, "origin": origin} for origin, text in events], "explain": True, "count": 5}
    ]
    assert columns(page, "Event") == ["line 1", "line 3", "line 5"]
    texts = [text.replace("[", "").replace("]", "") for text in columns(page, "Text")]
    assert texts == [text for _, text in events]
    assert all(score.endswith("%") for score in columns(page, "Attack score"))
    assert all(said.startswith(("yes: ", "no: ")) for said in columns(page, "Unlike training"))
    for who, said in zip(columns(page, "Decided by"), columns(page, "Full model"), strict=True):
        assert (said == "was not asked") == who.startswith("student")
    assert page.text("message").startswith("3 events: ")
    page.focus("event")
    page.run("document.querySelectorAll('#result-rows button')[1].focus()")
    page.press(" ")
    until(page, "!document.getElementById('near').hidden")
    assert page.run("document.activeElement.id") == "verdict-name"
    assert page.text("verdict-name") == "Verdict on line 3"
    assert page.text("text").replace("[", "").replace("]", "") == events[1][1]
    assert asked_for(page, "/similar") == [{"text": events[1][1], "count": 5}]
    page.click("back")
    assert page.run("document.activeElement.getAttribute('aria-label')") == "Details of line 3"
    assert page.run("document.activeElement.getAttribute('aria-current')") == "true"
    assert clean(page)


def test_spans_are_marked_where_python_counts_them(page: Browser, url: str) -> None:
    text = "\U0001f600\U0001f600 select * from users \u202e where <script>"
    judge(page, text)
    request = urllib.request.Request(
        f"{url}/judge", json.dumps({"text": text, "explain": True}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        spans = json.load(answer)["spans"]
    assert spans, "the untrained student flags this text; if it no longer does, take another"
    marks = page.run("[...document.querySelectorAll('#text mark')].map(mark => mark.textContent)")
    expected = [f"[{span['text']}]".replace("\u202e", "\\u{202e}") for span in sorted(spans, key=lambda s: s["start"])]
    assert marks == expected
    assert "\u202e" not in page.text("text") and "\\u{202e}" in page.text("text")
    assert page.run("document.querySelectorAll('#spans li').length") == len(spans)
    assert page.run("getComputedStyle(document.querySelector('#text mark')).borderBottomStyle") in ("solid", "dotted")


def test_nothing_is_explained_where_it_is_not_asked_for(page: Browser) -> None:
    page.click("explain")
    judge(page, "select * from users where <script>")
    assert asked_for(page, "/judge")[0]["explain"] is False
    assert page.run("document.querySelectorAll('mark').length") == 0
    assert page.text("unexplained") == ""


def test_examples_are_clicked_and_the_card_tells_the_bundle(page: Browser, small_bundle: Path) -> None:
    names = page.run("[...document.querySelectorAll('#examples button')].map(one => one.textContent)")
    assert names == ["Benign", "Attack", "Odd one", "Three events", "Whole request"]
    for place, name in enumerate(names):
        page.run(f"document.querySelectorAll('#examples button')[{place}].focus()")
        page.press(" ")
        assert page.run("document.getElementById('lines').checked") == (name == "Three events")
        assert page.run("document.activeElement.id") == "event"
        judge(page, page.run("document.getElementById('event').value"), lines=name == "Three events", shown="verdict"
              if name != "Three events" else "results")  # fmt: skip
    told = page.run("document.getElementById('card').innerText")
    manifest = json.loads((small_bundle / "manifest.json").read_text())
    for part in (
        manifest["precision"],
        "not checked on your own events",
        "in use",
        "3 classes",
        "within a distance of",
    ):
        assert part in told
    assert page.text("about") and page.text("about") in told
    assert page.run("document.querySelectorAll('#threshold-rows tr').length") == len(manifest["thresholds"])


def test_a_token_is_asked_for_and_the_card_comes_with_it(small_bundle: Path, browser: Browser) -> None:
    with serving(str(small_bundle), token=TOKEN) as address:
        visit(browser, address)
        until(browser, "!document.getElementById('token-row').hidden")
        assert browser.run("document.getElementById('card').hidden")
        browser.run(f"document.getElementById('token').value = {json.dumps(TOKEN)}")
        judge(browser, "id=1")
        assert not browser.run("document.getElementById('card').hidden")
        assert asked_for(browser, "/similar") == []  # there are no known events


@pytest.mark.parametrize("close", [None, True, False], ids=["unmeasured", "close", "far"])
def test_where_nothing_is_close_that_is_said(page: Browser, close: bool | None) -> None:
    near = {"similarity": 0.5, "label": "xss", "family": None, "origin": "a:1", "count": 1, "text": "<b>"}
    found = {"families": {"xss": 1}, "neighbours": [near], "close": close, "spelling": 0.25, "threshold": 0.9}
    page.run(f"import('/page_verdict.js').then(shown => shown.showNear({json.dumps(found)})); 0")
    until(page, "!document.getElementById('near').hidden")
    assert page.text("near-families").startswith(
        "Nothing is close: no known event is spelled like it (0.250, less than 0.900)"
    ) == (close is False)
    assert page.run("document.querySelector('#near-rows td[data-name=Event]').textContent") == "<b>"


def test_a_mistake_is_said_and_hides_old_answers(page: Browser) -> None:
    judge(page, "id=1")
    page.run("document.getElementById('event').value = 'a'.repeat(100001)")
    page.run("document.getElementById('ask').requestSubmit()")
    until(page, "document.getElementById('message').textContent.includes('expected no more than 100,000')")
    assert page.run("document.getElementById('verdict').hidden && document.getElementById('windows').hidden")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 400])
@pytest.mark.parametrize("path", ["/", "/docs"], ids=["judge", "docs"])
def test_axe_finds_nothing_that_shuts_people_out(url: str, browser: Browser, path: str, width: int, dark: bool) -> None:
    visit(browser, url + path, width, dark=dark)
    if path == "/":
        until(browser, "!document.getElementById('card').hidden")
        judge(browser, "select * from users\n<script>alert(1)</script>\nid=1\u202e", lines=True, shown="results")
        browser.run("document.querySelectorAll('#result-rows button')[1].click()")
        until(browser, "!document.getElementById('near').hidden")
        browser.run("document.querySelector('details').open = true")
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.violations() == []
