"""Every edit of a shell command is total, can be repeated, and is what it is called."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.shell import MUTATORS

SHELL_TEXTS = st.lists(
    st.sampled_from(
        [*" \t\n;|&'\"\\$`(){}<>#=!*?[]~%/.-", "cat", "id", "$(", "${x", "$x", "&&", "||", "<<", "if", "then", "fi",
         "do", "/etc/passwd", "for", "in", "done", "system('id')", "() { :;};", "\x00", "\ud800", "ä"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


def results(name: str, text: str, tries: int = 80) -> set[str]:
    """Return what an edit makes of a text under many seeds."""
    found = {MUTATORS[name](text, Random(seed)) for seed in range(tries)}
    return {text for text in found if text is not None}


@pytest.mark.parametrize("name", sorted(MUTATORS))
@given(text=st.text(max_size=30) | SHELL_TEXTS, seed=st.integers(0, 2**32))
def test_an_edit_takes_any_text_and_can_be_repeated(name: str, text: str, seed: int) -> None:
    first = MUTATORS[name](text, Random(seed))
    assert first == MUTATORS[name](text, Random(seed))
    assert first is None or isinstance(first, str)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("empty quotes inside a word", "id", "i''d"),
        ("empty quotes inside a word", "cat 'a b'x", "c\"\"at 'a b'x"),
        ("quotes around a part of a word", ";cat x", ';c"a"t x'),
        ("backslash before a letter", "id", "i\\d"),
        ("absent parameters inside a word", "id", "i$@d"),
        ("line cut inside a word", "id", "i\\\nd"),
        ("quotes of the other kind", "echo 'a b'", 'echo "a b"'),
        ("braces around a variable's name", 'echo "$HOME/x"', 'echo "${HOME}/x"'),
        ("longer path", "cat /etc/passwd", "cat /etc/./passwd"),
        ("longer path", ";/usr/bin/id", ";//usr/bin/id"),
        ("letter by its code", "bash -c id", "bash -c i$'\\x64'"),
        ("other white space", "ls -l", "ls\t-l"),
        ("white space at an operator", "a;id", "a; id"),
        ("other separator", ";ls;id", ";ls\nid"),
        ("other separator", "a | id", "a |\n id"),
        ("other separator", "ls\nid", "ls;id"),
        ("command in braces", ";id", ";{ id; }"),
        ("command in braces", "ls -l | wc", "{ ls -l; } | wc"),
        ("other substitution", "echo `id`", "echo $(id)"),
        ("other substitution", "echo $(id)", "echo `id`"),
        ("field separator for a space", "cat /etc/passwd", "cat${IFS}/etc/passwd"),
        ("cmd.exe: other case", "& dir C:\\x", "& DiR C:\\x"),
        ("cmd.exe: caret before a letter", "| net user", "| n^et user"),
        ("cmd.exe: delimiters in front", "& dir C:\\x", "& ,;dir C:\\x"),
    ],
)
def test_an_edit_is_what_it_is_called(name: str, text: str, expected: str) -> None:
    assert expected in results(name, text)


def shapes(name: str, text: str) -> set[str]:
    """Return what an edit makes of a text, ordinary words written as W."""
    from overproof.redteam.mutate.words import WORDS

    made = set()
    for result in results(name, text, 200):
        for word in sorted(WORDS, key=len, reverse=True):
            result = result.replace(word, "W")
        made.add(result.replace("W W W", "W").replace("W W", "W"))
    return made


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("unset variable inside a word", "id", "i${W:+W}d"),
        ("inert command in front", "id", ": W; id"),
        ("inert command in front", "a && id", "a && true W && id"),
        ("inert command in front", "a || id", "a || false W || id"),
        ("inert command behind", ";id", ";id; : W"),
        ("inert command behind", ";id;", ";id; : W"),
        ("branch never taken", ";id", ";if false; then W; fi; id"),
        ("function never called", ";id", ";W_W() { echo W; }; id"),
        ("unused variable", ";id", ";W='W'; id"),
        ("command from variables", "cat x", "W=ca; W=t; ${W}$W x"),
        ("innocent comment", "cat x", "cat x # W"),
        ("cmd.exe: remark behind", "& dir C:\\x", "& dir C:\\x & rem W"),
        ("cmd.exe: inert command in front", "& net view", "& if 1==2 (W) & net view"),
        ("cmd.exe: inert command in front", "&& net view", "&& set W=W && net view"),
    ],
)
def test_innocent_words_come_in_where_nothing_reads_them(name: str, text: str, expected: str) -> None:
    assert expected in shapes(name, text)


@pytest.mark.parametrize(
    "text",
    [
        "{{7*7}}",
        "<?php system('id'); ?>",
        "$(`type C:\\boot.ini`)",
        "phpinfo()",
        "",
    ],
)
def test_what_is_no_shell_text_is_left_alone(text: str) -> None:
    assert not any(results(name, text, 10) for name in MUTATORS)


def test_a_pipe_keeps_its_input() -> None:
    assert not results("inert command in front", "| sh")
    made = results("inert command in front", ";a | sh")
    assert made
    assert all(text.endswith("a | sh") for text in made)


def test_the_argument_of_a_call_keeps_clear_of_its_quotes() -> None:
    made = results("empty quotes inside a word", ";system('id');", 200)
    assert made == {";system('i\"\"d');"}
    assert not results("innocent comment", ";system('id');")


def test_a_value_that_only_substitutes_is_edited_inside_alone() -> None:
    for name in MUTATORS:
        for made in results(name, "x$(id)"):
            assert made == "x`id`" or (made.startswith("x$(") and made.endswith(")")), name


def test_keywords_and_loop_variables_stay() -> None:
    for made in results("quotes around a part of a word", "for x in a; do echo $x; done", 300):
        assert made.startswith("for x in ") and "; do " in made and made.endswith("; done")
