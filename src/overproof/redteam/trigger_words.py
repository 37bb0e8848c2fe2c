"""Collect what a trigger may be made of: words of events, runs of them, and the tokens that a model knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

import tokenizers

_PIECE = re.compile(r"\w+|[^\w\s]+")
_CHUNK = re.compile(r"\S+")
LONGEST = 32  # characters of a trigger: it is short, and long texts bury any attack
RUN = 3  # words of a run that stands in an event
_READ = 2048  # characters of an event that are read for words


def words_of(texts: Iterable[str], tokens: Sequence[str], most: int, seed: int) -> tuple[str, ...]:
    """Return candidates, each once: what stands in most events first, then tokens, then what stands in one, drawn.

    Parameters
    ----------
    texts
        Events, with or without attacks.
    tokens
        Of the model's tokenizer, as text; none for a model without.
    most
        How many are returned at most; half of them for what events share, if there is more of everything.
    """
    held: Counter[str] = Counter()
    for text in dict.fromkeys(texts):
        held.update(set(_pieces(text[:_READ])))
    shared = sorted((word for word, count in held.items() if count > 1), key=lambda word: (-held[word], word))
    random = Random(seed)
    known = sorted({word for token in tokens for word in (token.strip(),) if _fits(word)} - held.keys())
    single = sorted(word for word, count in held.items() if count == 1)
    random.shuffle(known)
    random.shuffle(single)
    first = shared[: max(most // 2, most - len(known) - len(single))]
    rest = [word for pair in _alternating(known, single) for word in pair]
    return tuple([*first, *rest][:most])


def tokens_of(tokenizer: bytes) -> list[str]:
    """Spell every token of a tokenizer's file (`tokenizer.json`)."""
    opened = tokenizers.Tokenizer.from_str(tokenizer.decode())
    return [opened.decode([number]) for number in range(opened.get_vocab_size())]


def share_a_part(word: str, other: str, length: int = 3) -> bool:
    """Tell whether two candidates have so many characters in a row in common; of shorter ones, a whole word."""
    one, two = sorted((word.casefold(), other.casefold()), key=len)
    if len(one) < length:
        return one == two or one in _PIECE.findall(two)
    return any(one[place : place + length] in two for place in range(len(one) - length + 1))


def _pieces(text: str) -> Iterable[str]:
    """Yield words, signs, what stands between white space, and runs of two or three words as they stand."""
    places = [match.span() for match in _PIECE.finditer(text)]
    for length in range(1, RUN + 1):
        for (start, _), (_, end) in zip(places, places[length - 1 :], strict=False):
            if end - start <= LONGEST:
                yield text[start:end]
    for match in _CHUNK.finditer(text):
        if len(match.group()) <= LONGEST:
            yield match.group()


def _fits(word: str) -> bool:
    return 0 < len(word) <= LONGEST and word.isprintable() and "\ufffd" not in word


def _alternating(one: Sequence[str], two: Sequence[str]) -> Iterable[Sequence[str]]:
    for place in range(max(len(one), len(two))):
        yield (*one[place : place + 1], *two[place : place + 1])
