"""The summary for a pull request, read by a Markdown parser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from overproof.checks.report import CheckReport, to_markdown
from overproof.report.markdown import BREAK, code, prose

from .figures import EVIL
from .made import texts

READER = MarkdownIt("commonmark").enable("table")
HOSTILE = [
    EVIL,
    *texts(),
    "a | b\n| c |",
    "@octocat/team and mail@evil.test",
    "[x](javascript:alert(1)) ![x](http://evil.test/p.png) <http://evil.test>",
    "http://evil.test www.evil.test",
    "# head\n- item\n> quote\n```\ncode",
    "1. one",
    "- one",
    "+ one",
    "= one",
    "``` ` `` |",
    "`",
    "\\",
    "\\|",
    "$x$ #12 ~~no~~ **no** __no__ &amp; &#64;me",
    "",
]


def rendered(text: str) -> str:
    return READER.render(text)


def told(html: str) -> str:
    """The text that a reader sees."""
    text = re.sub(r"<!--.*?-->|</?[a-z0-9]+[^>]*>", "", html)
    for name, char in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        text = text.replace(f"&{name};", char)
    return text


def test_golden(everything: CheckReport) -> None:
    text = to_markdown(everything)
    lines = text.splitlines()
    assert lines[0] == "## ⚠️ overproof check: deploy with escalation"
    assert lines[2].startswith("Deploy it only with the full model behind it: alone it misses 0.92 %")
    start = lines.index("| Check | Status | Gates | Finding |")
    assert [line.split(" | ")[:2] for line in lines[start + 2 : start + 10]] == [
        ["| Own data", "✅ passed"],
        ["| Calibration", "❔ unmeasured"],
        ["| Rare families", "❔ unmeasured"],
        ["| Boundary", "✅ passed"],
        ["| Held out", "❌ failed"],
        ["| Escalation", "✅ passed"],
        ["| Explanation", "✅ passed"],
        ["| Red team", "✅ passed"],
    ]
    assert [line[:35] for line in lines if line.startswith("- ❌") or line.startswith("- ❔")] == [
        "- ❔ `calibration/threshold-drift`: ",
        "- ❔ `rare/pooled`: unmeasured: 41 e",
        "- ❌ `held-out/misses`: The student ",
    ]
    assert "| distilled + INT8 | 4.51 MB | 0.310 ms | 99.23 % | 2.00 % | 0.11 % |" in lines
    assert any(line.startswith("| `xpathi` | 1/2 | 0/2 | 0/2 | 0/2 | 0/2 | 3 : 2 | ") for line in lines)
    assert [line for line in lines if line.startswith("<")] == [
        "<details><summary>The shortest edits</summary>",
        "</details>",
        "<details><summary>All gates</summary>",
        "</details>",
        "<details><summary>What it may be used for</summary>",
        "</details>",
        "<details><summary>What was checked</summary>",
        "</details>",
    ]


def test_only_families_that_lost_are_listed(stored: dict[str, Any]) -> None:
    families = stored["checks"][2]["data"]["families"]
    for row in families[1:]:
        row["b"], row["c"] = 1, 1
    text = to_markdown(CheckReport.from_json(stored))
    assert "| `benign` | " in text and "| `sqli` | " not in text
    families[0]["b"] = 0
    assert "No family lost more events than it gained." in to_markdown(CheckReport.from_json(stored))


def test_tables_have_the_same_number_of_cells_in_every_row(stored: dict[str, Any]) -> None:
    for row in stored["checks"][2]["data"]["families"]:
        row["name"] = "a|b`|`|" + row["name"]
    html = rendered(to_markdown(CheckReport.from_json(stored)))
    tables = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    assert len(tables) == 9
    for table in tables:
        counts = {row.count("<th") + row.count("<td") for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)}
        assert len(counts) == 1
    assert html.count("a|b`|`|") == 14


def test_no_text_becomes_markup(everything: CheckReport) -> None:
    html = rendered(to_markdown(everything))
    kinds = set(re.findall(r"<(\w+)", html))
    ours = "h2 p blockquote strong table thead tbody tr th td ul li code h3 details summary".split()
    assert kinds <= set(ours)
    assert EVIL in told(html)


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_is_read_as_it_was(text: str) -> None:
    line = prose(text)
    assert "\n" not in line
    html = rendered(f"- x {line}") if not line else rendered(line)
    assert re.sub(r"<!-- -->", "", html).count("<") <= 4  # a paragraph, or one item of a list
    cell = rendered(f"| a | b |\n| --- | --- |\n| {line} | x |")
    assert cell.count("<td>") == 2
    for made in (html, cell):
        assert not re.search(r"<(img|a|script|em|code|h1|svg|ol)\b", made)
    for text_node in re.split("<[^>]*>", html.replace(BREAK, "<>")):
        assert not re.search(r"@\w|://|www\.", text_node)


@given(st.text(max_size=40))
def test_any_prose_is_one_paragraph_that_says_it(text: str) -> None:
    line = prose("x " + text)
    shown = told(rendered(line)).removesuffix("\n")
    wanted = line.replace(BREAK, "")
    assert shown == re.sub(r"\\([\\`*_\[\]<>|~#&$])", r"\1", wanted).rstrip(" ")


@given(st.one_of(st.sampled_from(HOSTILE), st.text("`|\\ab <", max_size=12)))
def test_any_name_stays_in_its_span(text: str) -> None:
    html = rendered(f"| a | b |\n| --- | --- |\n| {code(text)} | x |")
    assert re.fullmatch(r".*<td>(<code>[^<]*</code>)</td>\n<td>x</td>.*", html, re.DOTALL)


def test_nothing_measured(nothing: CheckReport) -> None:
    text = to_markdown(nothing)
    assert text.startswith("## ❌ overproof check: do not deploy\n\nDo not deploy yet: unmeasured: no full was given")
    assert "- full is absent: no full was given" in text
