"""The page at /: what was pasted is shown as text, with its verdict and who decided."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...browser import Browser

PASTED = "<img src=x onerror=\"document.title='run'\"> select * from users"


@pytest.fixture
def url(small_bundle: Path, tmp_path: Path) -> Iterator[str]:
    """A service of its own, with some known events."""
    (tmp_path / "known.txt").write_text("select * from users\n<script>\nid=1\n")
    command = [sys.executable, "-m", "overproof"]
    build = [*command, "index", str(small_bundle), str(tmp_path / "known.txt"), "--out", str(tmp_path / "known")]
    subprocess.run(build, check=True, capture_output=True)
    serve = [*command, "serve", str(small_bundle), "--index", str(tmp_path / "known"), "--port", "0"]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        told = running.stderr.readline()
        yield told.split()[0]
        running.terminate()
        running.communicate(timeout=60)
        assert running.returncode == 0


@pytest.mark.slow
def test_an_event_is_judged_on_the_page_and_never_run(url: str, browser: Browser) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    for width in (1280, 400):
        browser.size(width)
        browser.events.clear()
        browser.call("Page.navigate", url=url)
        _until(browser, "document.readyState === 'complete' && !!document.getElementById('ask')")
        ask = f"document.getElementById('event').value = {json.dumps(PASTED)};"
        browser.call("Runtime.evaluate", expression=f"{ask} document.getElementById('ask').requestSubmit()")
        _until(browser, "!document.getElementById('near').hidden")
        shown = _value(browser, "document.querySelector('main').innerText")
        assert "select * from users" in shown
        assert _value(browser, "document.title") == "overproof: judge an event"
        assert _value(browser, "document.querySelectorAll('main img').length") == 0
        assert _value(browser, "document.getElementById('why').textContent").startswith(
            ("decided, by ", "abstained, by ")
        )
        assert _value(browser, "document.documentElement.scrollWidth <= innerWidth")
        assert not [e for e in browser.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]


def _value(browser: Browser, expression: str) -> object:
    return browser.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


def _until(browser: Browser, expression: str) -> None:
    for _ in range(500):
        if _value(browser, expression) is True:
            return
        time.sleep(0.02)
    raise AssertionError(f"never: {expression}")
