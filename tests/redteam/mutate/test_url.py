"""Addresses are edited to others that lead to the same place."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.url import MUTATORS

PIECES = ["/", "\\", "http:", "?", "&", "=", "#", "@", ":", "0x7f", "08", "1.2.3.4", "example.com", "%5c", "XXpathXX"]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.just("//\ud800\0"))


@given(TEXTS, st.sampled_from(sorted(MUTATORS)), st.integers(0, 2**32))
def test_every_edit_takes_any_text_and_is_the_same_again(text: str, name: str, seed: int) -> None:
    edited = MUTATORS[name](text, Random(seed))
    assert edited == MUTATORS[name](text, Random(seed))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ordinary parameter in a target", "/a.php?p=XXpathXX", "/a.php?garden=garden&p=XXpathXX"),
        ("ordinary parameter in a target", "/a.php?p=XXpathXX?", "/a.php?p=XXpathXX?&garden=garden"),
        ("ordinary parameter in a target", "/a.php?garden=XXpathXX", None),
        ("ordinary parameter in a target", "/a.php?g%61rden=XXpathXX", None),  # the same name
        ("parameters of a target in another order", "/a?b=1&c=2", "/a?c=2&b=1"),
        ("parameters of a target in another order", "/a?b[x]=1&b[y]=2", None),
        ("percent-encode in a parameter's name", "/a?b[]=1", "/a?b[%5d=1"),
        ("percent-encode in a parameter's value", "/a?b=http://example.com/", "/a?b=http%3A//example.com/"),
        ("percent-encode in a parameter's value", "/a?b=XXpathXX", None),
        ("percent-encode in a target's path", "/a?b=1", "/%61?b=1"),
        ("hex digits of a target in another case", "/a?b=%2f", "/a?b=%2F"),
        ("slash doubled in a target", "/a/b?c=1", "/a//b?c=1"),
        ("slash doubled in a target", "/a?c=1", None),  # it would begin a host
        ("dot segment in a target", "/a?c=1", "/./a?c=1"),
        ("detour by ordinary words in a target", "/a?c=1", "/garden/../a?c=1"),
        ("detour by ordinary words in a target", "/a", None),
        ("scheme in another case", "http:a", "hTTp:a"),
        ("host in another case", "//a.b", "//A.B"),
        ("host in another case", "/a.b", None),
        ("percent-encode in a host", "//ab", "//%61b"),
        ("numbers of a host in another base", "http://127.0.0.1/", "http://0x7f.1/"),
        ("numbers of a host in another base", "http://127.0.0.1/", "http://2130706433/"),
        ("numbers of a host in another base", "http://127.0.0.08/", None),
        ("default port of an address", "https://example.com/", "https://example.com:443/"),
        ("default port of an address", "//example.com/", None),
        ("ordinary word as a password", "//user@example.com", "//user:garden@example.com"),
        ("ordinary word as a password", "//example.com", None),
        ("more slashes before a host", "//example.com", "///example.com"),
        ("backslash before a host", "//example.com", "/\\example.com"),
        ("tab or line feed in a host", "//ab", "//a\tb"),
        ("detour by ordinary words in an address", "//a/b", "//a/garden/../b"),
        ("ordinary parameter of an address", "//a#b", "//a?garden=garden#b"),
        ("ordinary parameter of an address", "//javascript:alert(1)", None),
        ("ordinary words as a fragment", "/https://a", "/https://a#garden"),
        ("ordinary words as a fragment", "//a#b", None),
    ],
)
def test_an_edit(name: str, text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.redteam.mutate.url_target.WORDS", ("garden",))
    monkeypatch.setattr("overproof.redteam.mutate.url_address.WORDS", ("garden",))
    found = {MUTATORS[name](text, Random(seed)) for seed in range(500)}
    if expected is None:
        assert found <= {None, text}
    else:
        assert expected in found
