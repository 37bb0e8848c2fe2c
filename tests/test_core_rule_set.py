"""What the core rule set is asked: requests with their values in place, on a server of its own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest


@pytest.fixture(scope="module")
def bench(root: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root / "bench"))
        yield importlib.import_module("core_rule_set")


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
