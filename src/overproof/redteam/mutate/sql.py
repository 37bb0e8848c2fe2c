"""Name the edits of an injected fragment of SQL."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate import sql_logic, sql_padding, sql_terms

_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")


def _escape_in_another_case(text: str, random: Random) -> str | None:
    """Write a percent escape's digits in another case; the text is decoded once more wherever it works."""
    places = [found.start() for found in _ESCAPE.finditer(text) if found[0].lower() != found[0].upper()]
    if not places:
        return None
    at = random.choice(places)
    return text[:at] + text[at : at + 3].swapcase() + text[at + 3 :]


def _one_escape_more(text: str, random: Random) -> str | None:
    """Escape one more letter of a text that holds percent escapes already."""
    if _ESCAPE.search(text) is None:
        return None
    inside = {at + step for at in (found.start() for found in _ESCAPE.finditer(text)) for step in range(3)}
    places = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum() and at not in inside]
    if not places:
        return None
    at = random.choice(places)
    return f"{text[:at]}%{ord(text[at]):02x}{text[at + 1 :]}"


MUTATORS: Mutators = {
    "a space in another form": sql_padding.space_in_another_form,
    "a comment for a space": sql_padding.comment_for_a_space,
    "a comment between tokens": sql_padding.comment_between_tokens,
    "a comment beside a space": sql_padding.comment_beside_a_space,
    "a space between tokens": sql_padding.space_between_tokens,
    "a space left out": sql_padding.space_left_out,
    "words in a comment": sql_padding.words_in_a_comment,
    "words behind the tail": sql_padding.words_behind_the_tail,
    "another tail comment": sql_padding.another_tail,
    "a word in another case": sql_padding.another_case,
    "a true condition more": sql_logic.true_condition_more,
    "a false condition more": sql_logic.false_condition_more,
    "a comparison of equal truth": sql_logic.comparison_of_equal_truth,
    "other literals compared": sql_logic.other_literals_compared,
    "a comparison in other words": sql_logic.comparison_in_other_words,
    "an equal operator": sql_logic.equal_operator,
    "a number spelled otherwise": sql_terms.number_spelled_otherwise,
    "a number behind a dead branch": sql_terms.number_behind_a_dead_branch,
    "parentheses more": sql_terms.parentheses_more,
    "a column alias": sql_terms.column_alias,
    "another alias": sql_terms.another_alias,
    "a default spelled out": sql_terms.default_spelled_out,
    "hexadecimal in another case": sql_terms.hex_in_another_case,
    "an escape in another case": _escape_in_another_case,
    "one escape more": _one_escape_more,
}
