"""Derive examples whose answers are known, since what was done to the event may not change them.

The student sees an edited event, or one among benign ones, under the true label and the teacher's answer for the event
alone. Nobody is asked about the derived text: a teacher that is itself led astray by it would pass that on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from overproof.distillation.training_set import Examples
from overproof.events.edits import EDITS, Edit, padded

SEPARATORS = ("&", "; ", ";", ", ", ",", "|", "\n", " ", "\t", '","')  # of parameters, cookies, headers, lists, logs
KEYS = (
    "a",
    "b",
    "c",
    "id",
    "q",
    "s",
    "key",
    "lang",
    "name",
    "page",
    "sort",
    "token",
    "user",
    "value",
    "item_id",
    "ref",
)
# A student is trained on an event's first 127 tokens at least, or 512 bytes. Payloads come to two bytes a token or
# more, so an attack that ends within 254 bytes is seen whole.
SURE_BYTES = 254
LONGEST = 1000  # bytes of a joined text whose event stands first, or is benign

RandomEdit = Callable[[str, random.Random], str]


@dataclass(frozen=True)
class DerivedTexts:
    """Texts, and the row of the example that each was made of, shape (n,)."""

    texts: Sequence[str]
    rows: NDArray[np.int64]


def derive(
    examples: Examples, benign: Sequence[bool], *, consistency: float, joined: float, seed: int
) -> list[Examples]:
    """Return edited examples and joined ones, `consistency` and `joined` for each of `examples`.

    Parameters
    ----------
    benign
        For each class, whether it is benign. What others are joined with, or padded by, is labelled benign and, where
        there is a teacher, called so by it.
    """
    count, texts = len(examples.texts), examples.texts
    harmless = np.array([target >= 0 and benign[target] for target in examples.targets.tolist()], dtype=bool)
    agreed = harmless if examples.soft is None else harmless & np.asarray(benign)[examples.soft.argmax(axis=1)]
    calm = [texts[row] for row in np.flatnonzero(agreed).tolist()]
    found = [
        edit_texts(texts, calm, int(consistency * count), seed=seed),
        join_texts(texts, calm, harmless.tolist(), int(joined * count), seed=seed),
    ]
    return [derived_examples(examples, derived) for derived in found if derived.texts]


def derived_examples(examples: Examples, derived: DerivedTexts) -> Examples:
    """Return the derived texts with label, soft labels and family of the examples that they were made of."""
    rows = derived.rows
    return Examples(
        derived.texts,
        examples.targets[rows],
        None if examples.soft is None else examples.soft[rows],
        [examples.kinds[row] for row in rows],
        None if examples.weights is None else examples.weights[rows],
    )


def edit_texts(texts: Sequence[str], benign: Sequence[str], count: int, *, seed: int) -> DerivedTexts:
    """Edit texts harmlessly, each another way.

    All of them are equally likely, so that the spelling says nothing about the class. No digit is changed: a number
    (a port, a status, an address) is often what an event is about.

    Parameters
    ----------
    benign
        Texts to pad with.
    """
    draw = random.Random(f"edited {seed}")
    rows = _rows(len(texts), count, draw)
    edits = [*_random_edits(), *([_padding(benign)] if benign else [])]
    return DerivedTexts([_edit(texts[row], edits, draw) for row in rows], rows)


def join_texts(
    texts: Sequence[str], benign: Sequence[str], harmless: Sequence[bool], count: int, *, seed: int
) -> DerivedTexts:
    """Join texts with benign ones by the separators that logs and requests use, half of them as key=value.

    A benign event stays benign in a list of such, and an attack stays one wherever it stands. All texts are equally
    likely, so that a list says nothing about the class.

    Parameters
    ----------
    benign
        Texts to join with.
    harmless
        For each text, whether it is benign: only then may it stand behind what the student is sure to learn from.
    """
    if not benign:
        return DerivedTexts([], np.zeros(0, dtype=np.int64))
    draw = random.Random(f"joined {seed}")
    rows = _rows(len(texts), count, draw)
    return DerivedTexts([_join(texts[row], benign, harmless[row], draw) for row in rows], rows)


def _rows(texts: int, count: int, draw: random.Random) -> NDArray[np.int64]:
    """Draw rows, each as often as the others, or once more."""
    rows: list[int] = []
    while len(rows) < count and texts:
        rows += draw.sample(range(texts), min(texts, count - len(rows)))
    return np.array(rows, dtype=np.int64)


def _edit(text: str, edits: Sequence[RandomEdit], draw: random.Random) -> str:
    """Return the text changed by one of the edits, chosen among those that change it."""
    changed = (edit(text, draw) for edit in draw.sample(edits, len(edits)))
    return next((found for found in changed if found != text), f"{text} ")


def _random_edits() -> list[RandomEdit]:
    return [*(_one_of(edit) for edit in EDITS.values()), _some_case, _some_percent, _some_entities, _some_space]


def _one_of(edit: Edit) -> RandomEdit:
    return lambda text, draw: draw.choice(list(edit(text)))


def _padding(benign: Sequence[str]) -> RandomEdit:
    """Return an edit that puts part of a benign text, or several times one, before the text or behind it."""

    def pad(text: str, draw: random.Random) -> str:
        filler = draw.choice(benign)
        widest = max((_bytes(c) for c in filler), default=1)
        room = (SURE_BYTES - _bytes(text) - 1) // widest
        if not filler or room < 1:
            return text
        return draw.choice(list(padded(text, len(text) + draw.randint(1, room), filler)))

    return pad


def _some_case(text: str, draw: random.Random) -> str:
    """Change the case of a random share of the ASCII letters."""
    share = draw.choice((0.2, 0.5))
    return "".join(c.swapcase() if c.isascii() and draw.random() < share else c for c in text)


def _some_percent(text: str, draw: random.Random) -> str:
    """Percent-encode a random share of what is no letter or digit, and every `%`: one decoding gives the text back."""
    share = draw.choice((0.2, 0.5))
    return "".join(quote(c, safe="", errors="surrogatepass") if c == "%" or draw.random() < share else c for c in text)


def _some_entities(text: str, draw: random.Random) -> str:
    """Write parentheses, colons and quotes as HTML entities, which are decoded in an attribute's value."""
    form = draw.choice(("&#{};", "&#x{:x};"))
    return "".join(form.format(ord(c)) if c in "()':\"" else c for c in text)


def _some_space(text: str, draw: random.Random) -> str:
    """Put a tab or several spaces for a random share of the spaces, and some before the text."""
    spread = "".join(draw.choice((" ", "  ", "\t")) if c == " " else c for c in text)
    return draw.choice(("", " ", "\t")) + spread


def _join(text: str, benign: Sequence[str], harmless: bool, draw: random.Random) -> str:
    """Join an event with benign texts, in front of it, behind it or both, up to a length that is drawn."""
    separator = draw.choice(SEPARATORS)
    key = (lambda value: f"{draw.choice(KEYS)}={value}") if draw.random() < 0.5 else str
    parts = [key(text)]
    first = not harmless and (_bytes(parts[0]) > SURE_BYTES or draw.random() < 0.5)
    room = (LONGEST if harmless or first else SURE_BYTES) - _bytes(parts[0])
    wanted = room * draw.random() ** 2  # any length, short ones more often: they are cheap
    used = 0
    while used < wanted:
        part = key(draw.choice(benign))
        used += _bytes(part) + len(separator)
        if used > room:
            break
        parts.append(part)
    place = 0 if first else draw.choice((len(parts) - 1, draw.randrange(len(parts))))
    return separator.join([*parts[1 : place + 1], parts[0], *parts[place + 1 :]])


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
