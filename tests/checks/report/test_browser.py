"""The page in a real browser: nothing foreign runs, everything can be reached, nothing scrolls sideways."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.report import CheckReport, page
from overproof.progress import printable
from overproof.results.typed_json import to_json

from ...browser import Browser
from .figures import EVIL, event

pytestmark = pytest.mark.slow

FOREIGN = (
    "img, iframe, link, script, object, embed, base, form, input, video, audio, foreignObject, animate, set, "
    "meta[http-equiv=refresh]"
)
HANDLERS = (
    "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
)
STOPS = "a[href], summary, [tabindex='0']"
LOOK = """(e => { const s = getComputedStyle(e), b = e.getBoundingClientRect();
  return [e.dataset.stop, s.outlineStyle, parseFloat(s.outlineWidth), b.width > 0 && b.height > 0
    && b.bottom > 0 && b.top < innerHeight && b.left >= 0 && b.left < innerWidth]; })(document.activeElement)"""
UNFOLD = "document.querySelectorAll('details').forEach(e => { e.open = true; })"


def told(browser: Browser) -> list[dict[str, Any]]:
    """What the browser complained about."""
    return [e for e in browser.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]


def test_nothing_leaves_the_page_and_nothing_foreign_runs(browser: Browser, written: Path) -> None:
    browser.open(written)
    browser.run(UNFOLD)
    assert browser.run("window.owned") is None
    assert browser.run(f"document.querySelectorAll('{FOREIGN}').length") == 0
    assert browser.run(HANDLERS) == 0
    assert browser.run("document.scripts.length") == 0
    requested = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert requested == [written.as_uri()]
    assert told(browser) == []


def test_real_attacks_are_shown_as_they_are(
    browser: Browser, stored: dict[str, Any], payloads: list[str], tmp_path: Path
) -> None:
    held = next(check for check in stored["checks"] if check["key"] == "held-out")
    held["data"]["missed_by_student"] = [to_json(event(text, "xss", i)) for i, text in enumerate(payloads)]
    held["data"]["missed_by_quantized_alone"] = []
    path = tmp_path / "real.html"
    path.write_text(page(CheckReport.from_json(stored)), "utf-8")
    browser.open(path)
    place = [check["key"] for check in stored["checks"]].index("held-out") + 1
    shown = browser.run(f"[...document.querySelectorAll('#check-{place} pre code')].map(e => e.textContent)")
    assert len(payloads) == 200 and sum("<" in text for text in payloads) > 100
    assert shown == [printable(text)[:4000] for text in payloads]
    assert browser.run("window.owned") is None
    assert browser.run(f"document.querySelectorAll('{FOREIGN}').length") == 0
    assert told(browser) == []


def test_the_policy_stops_what_would_get_in(browser: Browser, written: Path, tmp_path: Path) -> None:
    """Were the escaping to fail, neither a script nor a style nor a request of the attacker's would get through."""
    attack = (
        "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'><img src='http://attacker.test/'>"
        "<p id=victim style='color: rgb(1, 2, 3)'>x</p><a id=lure href='javascript:window.owned=1'>x</a></main>"
    )
    broken = tmp_path / "broken.html"
    broken.write_text(written.read_text("utf-8").replace("</main>", attack), "utf-8")
    browser.open(broken)
    browser.run("document.getElementById('lure').click()")
    assert browser.run("window.owned") is None
    assert browser.run("getComputedStyle(document.getElementById('victim')).color") != "rgb(1, 2, 3)"
    blocked = [e["params"]["entry"]["text"] for e in browser.events if e["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in line for line in blocked)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_no_width_scrolls_sideways(browser: Browser, written: Path, width: int, dark: bool) -> None:
    browser.open(written, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run(UNFOLD)
    assert browser.run("document.documentElement.scrollWidth") <= width
    outside = (
        f"[...document.querySelectorAll('svg.plot, svg.row[role], pre, h1, h2')].filter(e => !e.closest('.scroll')\
        && e.getBoundingClientRect().right > {width}).length"
    )
    assert browser.run(outside) == 0
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (int(background.partition("(")[2].partition(",")[0]) < 60) == dark


@pytest.mark.parametrize("width", [320, 1280])
def test_a_page_without_figures_does_not_either(
    browser: Browser, nothing: CheckReport, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "nothing.html"
    path.write_text(page(nothing), "utf-8")
    browser.open(path, width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert told(browser) == []


@pytest.mark.parametrize("width", [400, 1280])
def test_records_of_a_narrow_page_need_no_scrolling(browser: Browser, written: Path, width: int) -> None:
    browser.open(written, width=width)
    wide = (
        "[...document.querySelectorAll('.records')].filter(t => t.scrollWidth > t.parentElement.clientWidth + 1).length"
    )
    assert browser.run(wide) == 0


def test_tab_reaches_everything_and_shows_where_it_is(browser: Browser, written: Path) -> None:
    browser.open(written)
    browser.run(UNFOLD)
    count = browser.run(f'[...document.querySelectorAll("{STOPS}")].map((e, i) => {{ e.dataset.stop = i; }}).length')
    found = []
    for _ in range(count):
        browser.press("Tab")
        found.append(browser.run(LOOK))
    assert [int(stop) for stop, *_ in found] == list(range(count))
    assert {style for _, style, *_ in found} == {"solid"}
    assert min(width for _, _, width, _ in found) >= 2
    assert all(seen for *_, seen in found)


def test_links_lead_to_their_place_by_keyboard(browser: Browser, written: Path) -> None:
    browser.open(written)
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Skip to the verdict"
    browser.run(UNFOLD)
    browser.run("""document.querySelector('.contents a[href="#check-5"]').click()""")
    assert browser.run("location.hash") == "#check-5"
    assert abs(browser.run("document.getElementById('check-5').getBoundingClientRect().top")) < 100


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_nothing_that_shuts_people_out(browser: Browser, written: Path, width: int, dark: bool) -> None:
    browser.open(written, width=width, dark=dark)
    browser.run(UNFOLD)
    assert browser.violations() == []


def test_headings_are_in_order(browser: Browser, written: Path) -> None:
    browser.open(written)
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("width", [400, 768, 1280])
def test_a_page_as_it_opens_can_be_looked_over(
    browser: Browser, written: Path, measured: CheckReport, tmp_path: Path, width: int
) -> None:
    real = tmp_path / "real.html"
    real.write_text(page(measured), "utf-8")
    for path in (written, real):
        browser.open(path, width=width)
        assert browser.run("document.documentElement.scrollHeight") < 8000


def test_one_screen_decides(
    browser: Browser, measured: CheckReport, nothing: CheckReport, sabotaged: CheckReport, tmp_path: Path
) -> None:
    for report in (measured, nothing, sabotaged):
        path = tmp_path / "report.html"
        path.write_text(page(report), "utf-8")
        browser.open(path, width=1280)
        assert browser.run("document.getElementById('verdict').getBoundingClientRect().bottom") < 800
        shown = (
            "[...document.querySelectorAll('#verdict h1, .reasons > li, .steps > li')].filter(e => e.checkVisibility())"
        )
        assert browser.run(f"{shown}.length") >= 5


def test_the_contents_stay_in_sight_and_hide_nothing_that_they_lead_to(browser: Browser, written: Path) -> None:
    bottom = "document.querySelector('.contents').getBoundingClientRect().bottom"
    for width in (400, 1280):
        browser.open(written, width=width)
        for place in ("comparison", "check-3", "about"):
            browser.run(f"""document.querySelector('.contents a[href="#{place}"]').click()""")
            assert 0 < browser.run(bottom) < 100
            assert browser.run(f"document.querySelector('#{place} h2').getBoundingClientRect().top >= {bottom}")


def test_a_link_opens_what_is_folded(browser: Browser, written: Path, everything: CheckReport) -> None:
    browser.open(written)
    place = 1 + next(i for i, gate in enumerate(everything.gates) if gate.key == "escalation/guarantee")
    browser.run(f"""document.querySelector('#verdict a[href="#gate-{place}"]').click()""")
    assert browser.run(f"document.getElementById('gate-{place}').checkVisibility()")


def test_in_print_what_is_folded_is_open(browser: Browser, written: Path) -> None:
    hidden = "[...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility()).length"
    short = "[...document.querySelectorAll('pre, .scroll')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    browser.open(written)
    assert browser.run("document.querySelectorAll('details[open]').length") == 0
    assert browser.run(hidden) > 5 and browser.run(short) > 0
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(hidden) == 0
    assert browser.run(short) == 0
    assert browser.run("[...document.querySelectorAll('details')].every(e => e.getBoundingClientRect().height > 40)")
    assert browser.run("getComputedStyle(document.querySelector('.skip')).display") == "none"
    assert browser.run("[...document.querySelectorAll('*')].every(e => getComputedStyle(e).position !== 'fixed')")
    browser.call("Emulation.setEmulatedMedia", media="")


def luminance(color: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(browser: Browser, written: Path, dark: bool) -> None:
    """4.5 for text, 3 for marks, on both backgrounds (WCAG 2.2, 1.4.3 and 1.4.11)."""
    browser.open(written, dark=dark)

    def color(name: str) -> float:
        value = browser.run(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
        return luminance([int(value[i : i + 2], 16) for i in (1, 3, 5)])

    for ground in (color("paper"), color("box")):
        for (
            name
        ) in "ink quiet link passed failed escalate unmeasured full distilled int8 control baseline other".split():
            least = 3 if name in "full distilled int8 control baseline other".split() else 4.5
            light, deep = max(color(name), ground), min(color(name), ground)
            assert (light + 0.05) / (deep + 0.05) >= least, name


def test_hostile_names_stand_as_text_in_pictures_too(browser: Browser, written: Path) -> None:
    browser.open(written)
    titles = browser.run("[...document.querySelectorAll('svg title')].map(e => e.textContent)")
    assert any(EVIL[:40] in title for title in titles)
