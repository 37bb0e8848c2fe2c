"""The benchmarks of real traffic: what the core rule set is asked, what is held out, and how rates are bounded."""

from __future__ import annotations

import importlib
import json
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
