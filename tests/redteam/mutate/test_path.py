"""Paths are edited to others that lead to the same file."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.base import Edited, mutated, one_step
from overproof.redteam.mutate.path import MUTATORS
from overproof.redteam.mutate.path_parts import path_parts
from overproof.results.attack_cases import Step

PIECES = [
    "/",
    "\\",
    "..",
    ".",
    "%2f",
    "%5c",
    "%2e",
    "%c0%af",
    "%00",
    "etc",
    "usr",
    "boot.ini",
    "C:",
    "%",
    ";",
    "a",
    "…",
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.just("\ud800/../\0"))


@given(TEXTS, st.sampled_from(sorted(MUTATORS)), st.integers(0, 2**32))
def test_every_edit_takes_any_text_and_is_the_same_again(text: str, name: str, seed: int) -> None:
    edited = MUTATORS[name](text, Random(seed))
    assert edited == MUTATORS[name](text, Random(seed))


@given(TEXTS)
def test_the_parts_of_a_path_are_all_of_it(text: str) -> None:
    path = path_parts(text)
    assert path is None or path.text == text


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("separator doubled", "/etc/passwd", "/etc//passwd"),
        ("separator doubled", r"a\..\..\b", None),
        ("dot segments", "/shadow", "/./shadow"),
        ("climb higher than the root", "../../../../../../x", "../../../../../../../x"),
        ("climb higher than the root", "../../x", None),  # from deeper directories it would lead elsewhere
        ("detour by directories of every Linux system", "/shadow", "/srv/../shadow"),
        ("detour by directories of every Linux system", "../../shadow", None),  # who knows where that is
        ("detour by a directory of the path", "/opt/shadow", "/opt/../opt/shadow"),
        ("detour by a directory of the path", "/bin/sh", None),  # often a link
        ("detour by ordinary words on Windows", r"..\boot.ini", r"..\garden\..\boot.ini"),
        ("detour by ordinary words on Windows", "../../etc/passwd", None),
        ("percent-encode a character", "/etc", "/%65tc"),
        ("percent-encode a name", "/etc", "/%65%74%63"),
        ("percent-encode a name", "..2f..2fetc", None),
        ("hex digits in another case", "..%2fetc", "..%2Fetc"),
        ("letters of a Windows path in another case", "C:/boot.ini", "c:/boot.ini"),
        ("letters of a Windows path in another case", "/etc/passwd", None),
        ("slash for a backslash on Windows", r"..\boot.ini", "../boot.ini"),
        ("ordinary words behind the null byte", "../etc/passwd%00", "../etc/passwd%00garden"),
        ("ordinary words as a path parameter", "..;/etc", "..;garden=garden/etc"),
    ],
)
def test_an_edit(name: str, text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.redteam.mutate.path.WORDS", ("garden",))
    found = {MUTATORS[name](text, Random(seed)) for seed in range(400)}
    if expected is None and name != "separator doubled":
        assert found == {None}
    elif expected is not None:
        assert expected in found


def test_an_address_and_what_is_written_for_a_filter_are_left_alone() -> None:
    for text in ("http://example.com/../x", "....//....//etc/passwd", "garden", ""):
        assert mutated(Edited(text), {k: v for k, v in MUTATORS.items() if "hex" not in k}, Random(1)) is None


def test_an_edit_can_be_made_upon_another() -> None:
    edited = Edited("/var/log/messages")
    for name in ("detour by a directory of the path", "percent-encode a name", "dot segments"):
        step = one_step(edited, Step(name, 5), MUTATORS)
        assert step is not None
        edited = step
    assert len(edited.steps) == 3
