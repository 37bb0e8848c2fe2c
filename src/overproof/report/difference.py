"""Show how an edited text differs from its original, token by token."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from overproof.report.markup import Html, deleted, inserted, many

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
LONGEST = 2_000  # tokens of both that are compared; of longer ones the edited text is shown as it is


def difference(original: str, edited: str) -> Html:
    """Draw the edited text with what was added, and what was taken out of the original."""
    before, after = _TOKEN.findall(original), _TOKEN.findall(edited)
    if len(before) + len(after) > LONGEST:
        return many([edited])
    parts: list[Html | str] = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append("".join(after[k:m]))
            continue
        if i < j:
            parts.append(deleted("".join(before[i:j])))
        if k < m:
            parts.append(inserted("".join(after[k:m])))
    return many(parts)
