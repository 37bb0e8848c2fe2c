from __future__ import annotations

import ipaddress
from random import Random
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from overproof.events.simulate import words

SEEDS = st.integers(0, 2**32)
DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")


@given(SEEDS)
def test_addresses_are_private_or_for_documentation(seed: int) -> None:
    rng = Random(seed)
    private = ipaddress.IPv4Address(words.lan(rng))
    public = ipaddress.IPv4Address(words.wan(rng))
    assert private.is_private
    assert any(public in ipaddress.ip_network(network) for network in DOCUMENTATION)
    assert not any(private in ipaddress.ip_network(network) for network in DOCUMENTATION)


@given(SEEDS, st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="%+"), max_size=40))
def test_encoding_a_value_loses_nothing(seed: int, value: str) -> None:
    assert unquote_plus(words.encoded(Random(seed), value)) == value


@given(SEEDS)
def test_an_actor_has_two_sides(seed: int) -> None:
    who = words.actor(Random(seed))
    assert who.inner.endswith(".corp.test")
    assert not who.site.endswith(".corp.test")
    assert who.user.count(".") == 1
