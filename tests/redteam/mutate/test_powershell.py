"""Every edit of PowerShell is total, can be repeated, and is what it is called."""

from __future__ import annotations

import base64
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.powershell import MUTATORS

ENCODED = base64.b64encode("Get-Process".encode("utf-16-le")).decode()
TEXTS = st.lists(
    st.sampled_from(
        [*" \t\n;|&'\"`$(){}[]=#<>@,.-+", "iex", "Get-Item", "$x", "powershell.exe ", "-enc ", ENCODED, "-nop", "'ab'",
         "<#", "#>", "if", "\x00", "\ud800", "ä", "PS C:\\> "]
    ),
    max_size=12,
).map("".join)  # fmt: skip


def results(name: str, text: str, tries: int = 100) -> set[str]:
    """Return what an edit makes of a text under many seeds."""
    found = {MUTATORS[name](text, Random(seed)) for seed in range(tries)}
    return {text for text in found if text is not None}


@pytest.mark.parametrize("name", sorted(MUTATORS))
@given(text=st.text(max_size=30) | TEXTS, seed=st.integers(0, 2**32))
def test_an_edit_takes_any_text_and_can_be_repeated(name: str, text: str, seed: int) -> None:
    first = MUTATORS[name](text, Random(seed))
    assert first == MUTATORS[name](text, Random(seed))
    assert first is None or isinstance(first, str)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("letters in another case", "iex", "IeX"),
        ("backquote inside a command", "iex $x", "ie`x $x"),
        ("command called by a text", "iex $x", "&('i'+'ex') $x"),
        ("command called by a text", "$x | iex", "$x | & 'iex'"),
        ("alias or cmdlet", "iex $x", "Invoke-Expression $x"),
        ("alias or cmdlet", "Get-Content a", "gc a"),
        ("other white space", "gc a", "gc  a"),
        ("text in pieces", "iex 'ab'", "iex ('a'+'b')"),
        ("parameter of powershell.exe", "powershell -nop -c id", "powershell -noP -c id"),
        ("parameter of powershell.exe", "powershell -NoProfile x.ps1", "powershell /nOP x.ps1"),
        ("order of powershell.exe's parameters", "powershell -w hidden -nop -c id", "powershell -nop -w hidden -c id"),
    ],
)
def test_an_edit_is_what_it_is_called(name: str, text: str, expected: str) -> None:
    assert expected in results(name, text, 3_000 if "powershell.exe" in name else 200)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("comment between words", "gc <# ", " #> a"),
        ("comment behind", "gc a # ", ""),
        ("inert statement", "$null = '", "'; gc a"),
        ("inert statement", "if ($false) { '", "' }; gc a"),
    ],
)
def test_ordinary_words_come_in_where_nothing_reads_them(name: str, before: str, after: str) -> None:
    assert any(made.startswith(before) and made.endswith(after) for made in results(name, "gc a"))


def test_an_encoded_command_is_edited_inside() -> None:
    made = results("encoded command edited", f"powershell -nop -enc {ENCODED}")
    inside = {base64.b64decode(text.rpartition(" ")[2]).decode("utf-16-le") for text in made}
    assert "gps" in inside
    assert all(text.startswith("powershell -nop -enc ") for text in made)


def test_a_call_of_powershell_gets_nothing_that_another_shell_would_read() -> None:
    for name in MUTATORS:
        for made in results(name, f"powershell.exe -nop -enc {ENCODED}", 30):
            assert not any(char in made for char in "`'\"#&;$"), name


def test_what_a_program_is_given_keeps_its_case() -> None:
    assert {made.split()[1] for made in results("letters in another case", "nmap -sS")} == {"-sS"}
