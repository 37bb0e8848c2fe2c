"""The harmless edits of events: all that `events.edits` proposes, where no oracle proves the red team's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from overproof.checks.base import Variant
from overproof.events.edits import EDITS, PADDING, padded


def variants_of(
    texts: Sequence[str], rows: Iterable[int], *, window_characters: int, filler: str
) -> tuple[Variant, ...]:
    """All harmless edits of some events that change the text at all.

    Parameters
    ----------
    texts
        Every event of the sample.
    rows
        Which of them to edit.
    """
    found = []
    for row in rows:
        text = texts[row]
        for kind, edit in EDITS.items():
            found += [Variant(row, kind, edited) for edited in dict.fromkeys(edit(text)) if edited != text]
        found += [Variant(row, PADDING, edited) for edited in padded(text, window_characters, filler)]
    return tuple(found)
