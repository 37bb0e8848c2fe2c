"""The benchmarks of real traffic: what the core rule set is asked, what is held out, and how rates are bounded."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest


@pytest.fixture(scope="module")
def load(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """A module of the benchmark by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root / "bench"))
        yield importlib.import_module


@pytest.fixture
def bench(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("core_rule_set")


def test_values_stand_where_they_were(bench: ModuleType) -> None:
    values = (
        ("path", "/a b/é"),
        ("query", "x&y=1"),
        ("query-json", '"deep"'),
        ("header", "gzip, deflate"),
        ("header", "odd\nvalue"),
        ("referer", "https://example.org/é"),
        ("cookie", "a;b"),
        ("body-json", "1' or 1=1"),
    )
    message = bench.written(bench.Request("site", values))
    target = urlsplit(message.target)
    assert unquote(target.path) == "/a b/é"
    assert parse_qsl(target.query) == [("q0", "x&y=1"), ("q1", '{"k": "\\"deep\\""}')]
    assert message.headers["Accept-Encoding"] == "gzip, deflate"
    assert message.headers["X-Value-1"] == "odd%0Avalue"
    assert (message.headers["Host"], message.headers["Cookie"]) == ("example.org", "c0=a%3Bb")
    assert json.loads(message.body or b"") == {"k0": "1' or 1=1"}
    assert all(value.isascii() and value.isprintable() for value in message.headers.values())


def test_any_bytes_travel_in_a_parameter(bench: ModuleType) -> None:
    attack = "\0\r\n\ud800%00&<>"
    query = urlsplit(bench.carrying(attack).target).query
    assert unquote(query, errors="surrogatepass").removeprefix("q=") == attack


def test_the_rules_block_an_attack_and_pass_a_word(bench: ModuleType) -> None:
    if (absent := bench.absent()) is not None:
        pytest.skip(absent)
    messages = [bench.carrying(text) for text in ("hello", "<script>alert(1)</script>", "goodbye")]
    with bench.servers() as ports:
        flags = [bench.blocked(messages, port).tolist() for port in ports.values()]
    assert flags == [[False, True, False]] * len(bench.LEVELS)


def test_no_site_that_sets_thresholds_or_is_judged_on_is_trained_on(
    load: Callable[[str], ModuleType], shared_data: Path
) -> None:
    waf, traffic = load("waf"), load("traffic")
    trained, thresholds, judged = (
        set(table["group"].to_pylist()) for table in (*waf.split_sites(), traffic.benign("test"))
    )
    assert (len(trained), len(thresholds), len(judged)) == (13, 5, 8)
    assert not trained & thresholds and not (trained | thresholds) & judged
    learned, _ = waf.Run().events("held")
    assert not set(learned["family"].to_pylist()) & set(traffic.HELD_OUT)
    attacks = set(traffic.without_families(learned, ["benign"])["text"].to_pylist())
    assert not attacks & set(traffic.attack_sets()["held-out families"]["text"].to_pylist())
    groups = set(learned["group"].to_pylist())
    assert trained <= groups and not groups & (thresholds | judged)


def test_rates_of_sites_are_bounded_by_sites(load: Callable[[str], ModuleType]) -> None:
    traffic = load("traffic")
    sites = [f"site-{k % 4}" for k in range(400)]
    one_site = np.array([site == "site-0" for site in sites])
    clustered, plain = traffic.share_by_site(one_site, sites), traffic.share(one_site)
    assert (clustered["k"], clustered["n"], clustered["least"], clustered["most"]) == (100, 400, 0, 1)
    assert clustered["low"] < plain["low"] and clustered["high"] > plain["high"]
    none = traffic.share_by_site(np.zeros(400, dtype=bool), sites)
    assert (none["low"], none["high"]) == (0, pytest.approx(1 - 0.025 ** (1 / 400)))


def test_what_is_kept_of_a_lead(load: Callable[[str], ModuleType]) -> None:
    lead_kept = load("waf").lead_kept
    baseline, full = np.arange(1000) < 400, np.arange(1000) < 600
    half = lead_kept(np.arange(1000) < 500, full, baseline)
    assert half["value"] == pytest.approx(0.5)
    assert 0.3 < half["low"] < 0.5 < half["high"] < 0.7
    assert lead_kept(full, full, baseline)["low"] == 1
    assert lead_kept(baseline, full, baseline)["value"] == 0
    assert lead_kept(full, baseline, baseline) is None


def test_a_threshold_lies_where_its_values_do(load: Callable[[str], ModuleType]) -> None:
    waf = load("waf")

    class Drawn(waf.Judged):  # type: ignore[misc, name-defined]
        rows = {"thresholds": np.arange(1000), "values": np.arange(1000, 3000), "requests": np.arange(1000, 3000)}  # noqa: RUF012
        starts = np.arange(0, 2000, 2)

        def __init__(self) -> None:
            """Nothing is read."""

    attack = np.concatenate([np.linspace(0, 0.5, 1000), np.linspace(0, 1, 2000)])
    by_others, by_themselves, by_verdict = (
        Drawn().flags(waf.Answers(attack), waf.OperatingPoint(*point))
        for point in ((0.01, "thresholds"), (0.01, "values"), (None,))
    )
    assert by_others["values"].mean() == pytest.approx(0.505, abs=0.001), "their values go twice as high"
    assert by_themselves["values"].mean() == 0.01 and by_verdict["values"].mean() == 0.5
    assert by_themselves["requests"].tolist() == by_themselves["values"].reshape(-1, 2).any(axis=1).tolist()


def test_log_lines_have_one_label_and_no_test_is_most_of_them(
    load: Callable[[str], ModuleType], shared_data: Path
) -> None:
    domains, rows = load("domains"), load("domains").clear_lines()
    labels: dict[str, set[bool]] = {}
    for row in rows:
        labels.setdefault(domains.template(row["line"]), set()).add(row["has_scenario"])
    assert all(len(of_template) == 1 for of_template in labels.values())
    assert max(Counter(row["test"] for row in rows).values()) == domains.LINES_OF_A_TEST
    assert {row["has_scenario"] for row in rows} == {True, False}


def test_a_student_is_compared_with_its_teacher_on_families_held_out(load: Callable[[str], ModuleType]) -> None:
    students = load("students")
    others = {"linear baseline": [False] * 200, students.AVERAGE: [True] * 100 + [False] * 100}
    of_seeds = [{"student": [True] * count + [False] * (200 - count)} for count in (80, 100)]
    table = students.held_out_table({"students": {"hybrid-student": of_seeds}, "others": others}).split("\n")
    assert "found, of 200" in table[0]
    assert table[2:4] == ["| linear baseline | 0.0 % | |", f"| {students.AVERAGE}: the teacher | 50.0 % | |"]
    assert table[4].startswith("| hybrid-student INT8 | 45.0 % | 5.0 (")
