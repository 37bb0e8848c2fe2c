"""The page in a real browser: its controls are moved, and its numbers are Python's."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.bundle.scores import distillation_gradient, distillation_loss, entropy_bits, softmax
from overproof.lesson import Lesson, printed_values, steps, walk
from overproof.lesson.page import write_page
from overproof.lesson.points import tutorial_points
from overproof.quantization.affine import Scheme

if TYPE_CHECKING:
    from .conftest import Browser, Bundled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lesson(bundled: Bundled) -> Lesson:
    return walk(bundled.path)


@pytest.fixture(scope="module")
def html(lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "lesson.html"
    write_page(lesson, path)
    return path


def several(shown: dict[str, float | None], name: str, count: int) -> list[float | None]:
    """The numbers name-0, name-1, …."""
    return [shown[f"{name}-{k}"] for k in range(count)]


def assert_temperature(browser: Browser, packet: int, t: float, student: list[float]) -> None:
    z, s = steps.PACKET_LOGITS[packet : packet + 1], np.array([student], dtype=np.float64)
    shown = browser.numbers()
    # float32 at the end of both; exp itself may differ by one unit in the last place of a double
    np.testing.assert_allclose(several(shown, "p", 3), softmax(z, t)[0], rtol=1e-7)
    np.testing.assert_allclose(several(shown, "s", 3), softmax(s, t)[0], rtol=1e-7)
    np.testing.assert_allclose(several(shown, "gradient", 3), distillation_gradient(s, z, t)[0], rtol=1e-9, atol=1e-14)
    assert shown["entropy"] == pytest.approx(entropy_bits(softmax(z, t))[0], abs=1e-7)
    assert shown["student-entropy"] == pytest.approx(entropy_bits(softmax(s, t))[0], abs=1e-7)
    assert shown["loss"] == pytest.approx(distillation_loss(s, z, t), rel=1e-9, abs=1e-14)
    assert shown["plain"] == pytest.approx(distillation_loss(s, z, t) / t**2, rel=1e-9, abs=1e-14)


def assert_grid(browser: Browser, on: steps.OnGrid) -> None:
    """Equal, not nearly: the page rounds to float32 where numpy does."""
    count, shown = len(on.scale), browser.numbers()
    assert several(shown, "scale", count) == list(on.scale)
    assert several(shown, "zero", count) == list(on.zero_point)
    assert several(shown, "low", count) == list(on.low)
    assert several(shown, "high", count) == list(on.high)
    assert several(shown, "q", 9) == list(on.quantized)
    assert several(shown, "back", 9) == list(on.reconstructed)
    assert several(shown, "error", 9) == list(on.errors)
    assert several(shown, "relative", 9) == list(on.relative)
    assert shown["bytes"] == on.cost.bytes_after
    assert shown["bytes-before"] == on.cost.bytes_before
    assert shown["max-error"] == on.cost.max_error
    assert shown["saturated"] == on.cost.saturated
    assert shown["lost"] == on.cost.lost
    assert shown["sqnr"] == pytest.approx(on.cost.sqnr_db, rel=1e-12)


def test_the_page_opens_with_the_tutorials_case(browser: Browser, html: Path) -> None:
    browser.open(html)
    assert_temperature(browser, 3, 2.0, list(steps.STUDENT))
    assert [browser.text(f"p-{k}") for k in range(3)] == ["0.1396", "0.4189", "0.4415"]
    assert_grid(browser, steps.on_grid())
    assert browser.text("q-5") == "99"


def test_temperature_and_the_students_logits_are_moved_by_keys(browser: Browser, html: Path) -> None:
    browser.open(html)
    browser.slide("temperature", 35)  # from 0.5 in steps of 0.1
    assert browser.text("temperature-value") == "4.0"
    assert_temperature(browser, 3, 4.0, list(steps.STUDENT))
    browser.slide("student-0", 73)
    browser.slide("student-2", 5)
    assert_temperature(browser, 3, 4.0, [2.3, 0.0, -4.5])
    browser.focus("packet")
    browser.press("ArrowUp", 2)
    assert_temperature(browser, 1, 4.0, [2.3, 0.0, -4.5])


def test_tab_reaches_every_control_and_shows_where_it_is(browser: Browser, html: Path) -> None:
    browser.open(html)
    browser.focus("packet")
    order = [browser.run("document.activeElement.id")]
    while order[-1] != "upward":
        browser.press("Tab")
        order.append(browser.run("document.activeElement.id"))
        assert len(order) < 60
    controls = browser.run("[...document.querySelectorAll('input, select')].map(e => e.id)")
    assert [name for name in order if name in controls] == controls
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    unnamed = "[...document.querySelectorAll('input, select')].filter(e => !e.labels[0]?.textContent.trim()).length"
    assert browser.run(unnamed) == 0


def test_a_slider_is_moved_by_the_mouse(browser: Browser, html: Path) -> None:
    browser.open(html)
    browser.click("bits", across=0.01)
    assert browser.text("bits-value") == "2"
    assert_grid(browser, steps.on_grid(Scheme(bits=2)))
    browser.click("per-row")
    assert_grid(browser, steps.on_grid(Scheme(bits=2), per_row=True))


def test_every_scheme_is_pythons(browser: Browser, html: Path) -> None:
    browser.open(html)
    for symmetric, signed, per_row in itertools.product((False, True), repeat=3):
        browser.focus("scheme")
        browser.press("ArrowDown" if symmetric else "ArrowUp")
        for name, wanted in (("signed", signed), ("per-row", per_row)):
            if browser.run(f"document.getElementById('{name}').checked") != wanted:
                browser.focus(name)
                browser.press(" ")
        for bits, percent in ((8, 99), (5, 83), (4, 37), (3, 61), (2, 20)):
            browser.slide("bits", bits - 2)
            browser.slide("share", percent - 20 if percent < 60 else percent - 100)
            scheme = Scheme(bits=bits, symmetric=symmetric, signed=signed)
            assert_grid(browser, steps.on_grid(scheme, share=percent / 100, per_row=per_row))


def test_the_pages_arithmetic_is_numpys_on_any_matrix(browser: Browser, html: Path) -> None:
    browser.open(html)
    halves = [k / 2 for k in range(-9, 10)]
    assert browser.run(f"{halves}.map(rint)") == np.rint(halves).tolist()
    random = np.random.default_rng(0)
    for k in range(60):
        x = (random.normal(0, 10.0 ** random.integers(-6, 7), (3, 3)) + random.integers(-1, 2)).astype(np.float32)
        scheme = Scheme(int(random.integers(2, 9)), bool(k & 1), bool(k & 2))
        percent, per_row = int(random.integers(20, 101)), bool(k & 4)
        x[1, 0], x[1, 2] = x.min(), x.max()
        x[1, 1] = (random.integers(-3, 3) + 0.5) * steps.on_grid(scheme, share=percent / 100, x=x[1:2]).scale[0]
        words = {"bits": scheme.bits, "symmetric": scheme.symmetric, "signed": scheme.signed}
        given = ", ".join(map(json.dumps, (words, percent / 100, per_row)))
        found = browser.run(
            f"data.weights = {x.tolist()}; var on = onGrid({given});"
            "({scale: on.grids.map(g => g.scale), q: on.values.map(v => v.q), back: on.values.map(v => v.back),"
            "saturated: on.saturated, lost: on.lost})"
        )
        on = steps.on_grid(scheme, share=percent / 100, per_row=per_row, x=x)
        assert (found["scale"], found["q"]) == (list(on.scale), list(on.quantized))
        assert found["back"] == list(on.reconstructed)
        assert (found["saturated"], found["lost"]) == (on.cost.saturated, on.cost.lost)


def test_the_grid_is_drawn_line_by_line(browser: Browser, html: Path) -> None:
    browser.open(html)
    browser.slide("bits", 1)
    lines = "document.querySelectorAll('#picture line:not(.moves)').length"
    assert browser.run(lines) == 1 + 8
    assert browser.run("document.querySelectorAll('#picture circle').length") == 9
    browser.slide("zoom", 31)
    assert browser.run("document.querySelectorAll('#picture circle').length") == 2  # 0.012 and 0.001


def test_the_scatter_shows_what_was_measured(browser: Browser, html: Path, lesson: Lesson) -> None:
    browser.open(html)
    points, shown = (*tutorial_points(), *lesson.user_data.points), browser.numbers()
    for k, point in enumerate(points):
        assert browser.text(f"name-{k}") == point.name
        assert [shown[f"{name}-{k}"] for name in ("bytes", "ms", "accuracy")] == [
            point.bytes,
            point.ms,
            point.accuracy,
        ]

    def places() -> dict[str, list[float]]:
        return browser.run(
            "Object.fromEntries([...document.querySelectorAll('#scatter [id]')].map(e => { const b = e.getBBox();"
            "return [e.id, [b.x + b.width / 2, b.y + b.height / 2, b.width]]; }))"
        )

    measured = [k for k, p in enumerate(points) if p.bytes is not None and p.ms is not None]
    by_latency = places()
    assert sorted(by_latency) == sorted(f"mark-{k}" for k in measured)
    assert len(measured) == len(points) - 1  # the last one was not timed
    # right is larger, up is slower, wide is more accurate
    for a, b in itertools.combinations(measured, 2):
        for place, value in ((0, "bytes"), (1, "ms"), (2, "accuracy")):
            there = by_latency[f"mark-{a}"][place] - by_latency[f"mark-{b}"][place]
            apart = getattr(points[a], value) - getattr(points[b], value)
            assert np.sign(round(there, 3)) == np.sign(apart) * (-1 if value == "ms" else 1), (a, b, value)
    browser.focus("upward")
    browser.press("ArrowDown")
    assert places()["mark-0"][1] < places()["mark-2"][1]  # 94 % stands above 87 %
    assert places()["mark-0"][2] > places()["mark-2"][2]  # and the slower is the larger


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_no_width_scrolls_sideways(browser: Browser, html: Path, width: int, dark: bool) -> None:
    browser.open(html, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    for name in ("picture", "scatter"):
        inside = f"document.querySelector('#{name} svg').getBoundingClientRect().right"
        assert browser.run(inside) <= width
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    red = int(background.partition("(")[2].partition(",")[0])
    assert (red < 60) == dark


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_nothing_that_shuts_people_out(browser: Browser, html: Path, width: int, dark: bool) -> None:
    browser.open(html, width=width, dark=dark)
    assert browser.violations() == []


def test_nothing_leaves_the_page_and_nothing_foreign_runs(browser: Browser, html: Path) -> None:
    browser.open(html)
    browser.slide("temperature", 3)
    browser.slide("bits", 3)
    assert browser.run("window.owned") is None
    assert browser.run("document.querySelectorAll('img, b, iframe, link').length") == 0
    assert browser.run("document.scripts.length") == 2
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    requested = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert requested == [html.as_uri()]
    assert not [e for e in browser.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]


def test_the_policy_stops_what_would_get_in(browser: Browser, html: Path, tmp_path: Path) -> None:
    """Were the escaping to fail, neither a script nor a request of the attacker's would run."""
    text = html.read_text()
    broken = tmp_path / "broken.html"
    attack = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'><img src='http://attacker.test/'></main>"
    broken.write_text(text.replace("</main>", attack))
    browser.open(broken)
    assert browser.run("window.owned") is None
    assert browser.run(f"document.querySelectorAll('tbody tr').length > {len(printed_values.PACKETS)}")
    blocked = [e["params"]["entry"]["text"] for e in browser.events if e["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in line for line in blocked)
