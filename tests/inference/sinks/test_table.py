"""A table for people: it fits into its lines, shows what matters, and nothing in it can steer a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.folding import cells
from overproof.inference.sinks import SINKS, About
from overproof.inference.sinks.table import Table

from .conftest import ESCALATED, EVENT, NO_NUMBERS, PLAIN, any_verdict

ABOUT = About("1", ("benign",), {}, 0)
FLOW = {"src_ip": "192.0.2.7", "dst_ip": "198.51.100.20", "dst_port": 443}
SPANS = [{"start": 8, "end": 18, "weight": 3.0, "text": "1' or 1=1-"}]
ALERT = {**PLAIN, "event": FLOW, "text": "GET /?id=1' or 1=1-- HTTP/1.1", "spans": SPANS}


def table(*verdicts: dict[str, Any], width: int = 100) -> list[str]:
    """The lines of a table."""
    return Table(ABOUT, lambda: width)(verdicts).decode().splitlines()


def test_a_wide_terminal_has_a_line_a_verdict() -> None:
    head, line = table(ALERT, width=130)
    assert head == "time (UTC)           severity  family        source → destination                     event"
    assert line == (
        "2026-01-02 02:04:05  high      sqli          192.0.2.7 → 198.51.100.20:443            "
        "GET /?id⟦=1' or 1=1⟧-- HTTP/1.1"
    )


@pytest.mark.parametrize("width", [80, 100, 125])
def test_a_narrower_one_has_the_event_below(width: int) -> None:
    head, line, event = table(ALERT, width=width)
    assert head == "time (UTC)           severity  family        source → destination"
    assert line == "2026-01-02 02:04:05  high      sqli          192.0.2.7 → 198.51.100.20:443"
    assert event == "    GET /?id⟦=1' or 1=1⟧-- HTTP/1.1"


@pytest.mark.parametrize(
    ("event", "where"),
    [
        pytest.param(FLOW, "192.0.2.7 → 198.51.100.20:443", id="flow"),
        pytest.param({"src_ip": "192.0.2.7", "host": "shop.example"}, "192.0.2.7 → shop.example", id="host"),
        pytest.param({"src_ip": "192.0.2.7"}, "192.0.2.7", id="source-alone"),
        pytest.param({"dst_ip": "2001:db8::1", "dst_port": 53}, "→ [2001:db8::1]:53", id="destination-alone"),
        pytest.param(
            {"src_ip": "2001:db8:1234:5678:9abc:def0:1234:5678", "dst_ip": "192.0.2.7", "dst_port": 22},
            "2001:db8:1234:5678:9abc… → 192.0.2.7:22",
            id="long-source",
        ),
        pytest.param(
            {"src_ip": "2001:db8:1234:5678:9abc:def0:1234:5678", "dst_ip": "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"},
            "2001:db8:1234:567… → 2001:db8:aaaa:bbb…",
            id="both-long",
        ),
        pytest.param({}, "access.log:17", id="neither"),
    ],
)
def test_it_says_from_where_to_where_else_where_it_was_read(event: dict[str, Any], where: str) -> None:
    line = table({**ALERT, "event": event})[1]
    assert line[45:] == where


def test_of_a_long_origin_the_end_is_shown() -> None:
    assert table({**PLAIN, "origin": f"/var/{'x' * 60}/access.log:17"})[1].endswith("x/access.log:17")
    assert cells(table({**PLAIN, "origin": f"/var/{'x' * 60}/access.log:17"})[1]) == 84


@pytest.mark.parametrize(
    ("verdict", "severity", "note"),
    [
        pytest.param({**ALERT, "label": "rce"}, "critical", "", id="critical"),
        pytest.param({**ALERT, "label": "benign", "attack": 0.1, "spans": []}, "info", "", id="benign"),
        pytest.param({**ALERT, "status": "abstained"}, "medium", "abstained: ", id="nobody-decided"),
        pytest.param({**ALERT, "group": 3}, "high", "group 3: ", id="grouped"),
        pytest.param({**ALERT, "campaign": {"count": 1234}}, "high", "1,234 alerts: ", id="campaign"),
        pytest.param({**ALERT, "campaign": {"count": 1}}, "high", "", id="campaign-of-one"),
        pytest.param({**ALERT, "status": "held", "group": 3}, "medium", "held, group 3: ", id="both"),
    ],
)
def test_severity_and_what_else_must_be_known(verdict: dict[str, Any], severity: str, note: str) -> None:
    _, line, event = table(verdict)
    assert line[21:29].rstrip() == severity
    assert event.strip().startswith(f"{note}GET")


@pytest.mark.parametrize("time", [None, "yesterday"], ids=["none", "unknown"])
def test_a_time_that_is_none_stands_as_it_is(time: str | None) -> None:
    assert table({**PLAIN, "time": time})[1].startswith((time or "-").ljust(19) + "  high")


def test_the_head_stands_once_and_not_above_nothing() -> None:
    encode = Table(ABOUT)
    assert encode([]) == b""
    assert encode([ALERT]).startswith(b"time")
    assert not encode([ALERT]).startswith(b"time")
    assert not Table(ABOUT, headed=True)([ALERT]).startswith(b"time")


def test_a_style_goes_to_severity_and_spans() -> None:
    encode = Table(ABOUT, paint=lambda text, style: f"<{style}>{text}</>")
    found = encode([ALERT]).decode()
    assert "<red>high    </>" in found
    assert "GET /?id<black on yellow>=1' or 1=1</>-- HTTP/1.1" in found


def test_wide_characters_leave_the_columns_where_they_are() -> None:
    plain, wide = (
        Table(ABOUT, lambda: 130, headed=True)([{**ALERT, "label": name, "event": {"src_ip": name}}]).decode()
        for name in ("sqli", "攻撃🔥")
    )
    assert cells(wide.partition("GET")[0]) == cells(plain.partition("GET")[0])


@settings(max_examples=50)
@given(any_verdict(), st.integers(1, 150))
def test_any_verdict_fits_and_can_steer_nothing(verdict: dict[str, Any], width: int) -> None:
    for each in (verdict, {**ESCALATED, "event": {**EVENT, "src_ip": "漢" * 40}}, NO_NUMBERS, ALERT):
        for line in table(each, width=width):
            assert cells(line) <= width
            assert line.isprintable()


def test_a_file_that_is_gone_on_with_has_one_head(about: About, tmp_path: Path) -> None:
    aside, out = tmp_path / "aside", tmp_path / "out"
    first = SINKS["table"].open(aside, 0, about)
    first.write([ALERT])
    offset = first.flush()
    first.write([PLAIN])
    first.close()
    second = SINKS["table"].open(aside, offset, about)
    second.write([PLAIN])
    second.finish(out)
    assert out.read_text("utf-8").splitlines() == table(ALERT, PLAIN)
