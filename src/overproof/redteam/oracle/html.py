"""Prove that an edited script injection does to a visitor what the original does, in a browser where there is one."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.redteam.base import Proof
from overproof.redteam.oracle import chromium
from overproof.redteam.oracle.html_contexts import BENIGN, CONTEXTS, SCRIPT, page
from overproof.redteam.oracle.html_parse import NOTHING_ACTS, missing_parser, parse_oracle
from overproof.redteam.oracle.html_structure import same_markup

Seen = dict[str, chromium.Effects]
NOTHING_SEEN = "Chromium: the original does nothing in any context"
KEPT = 4096
_seen: dict[str, Seen | None] = {}
"""What originals do, by context: a search asks for the same ones again and again."""


def html_oracle(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Judge by Chromium; where it cannot be run, or shows nothing of the original, by what a browser's parser reads."""
    proofs = parse_oracle(pairs) if isinstance(chromium.program(), str) else browser_oracle(pairs)
    if missing_parser():
        return proofs
    return [
        (proof.how in (NOTHING_SEEN, NOTHING_ACTS) and same_markup(*pair)) or proof
        for pair, proof in zip(pairs, proofs, strict=True)
    ]


def browser_oracle(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Render both in every context in which the original does something, and compare what they do."""
    reason = chromium.program()
    if isinstance(reason, str):
        return [Proof("unproved", reason)] * len(pairs)
    originals = _originals({original for original, _ in pairs})
    wanted = dict.fromkeys((edited, context) for original, edited in pairs for context in originals[original] or {})
    answers = dict(zip(wanted, chromium.effects([page(*place) for place in wanted]), strict=True))
    return [_proof(originals[original], edited, answers) for original, edited in pairs]


def _proof(original: Seen | None, edited: str, answers: dict[tuple[str, str], chromium.Effects | None]) -> Proof:
    """Compare effects, context by context."""
    if original is None:
        return Proof("unproved", "Chromium: the original did not end in time")
    if not original:
        return Proof("unproved", NOTHING_SEEN)
    for context, does in original.items():
        answer = answers[edited, context]
        if answer is None:
            return Proof("unproved", f"Chromium: the edited event did not end in time in {context}")
        if answer != does:
            return Proof("changed", f"Chromium: other effects in {context}")
    return Proof("proved", f"Chromium: the same effects in {', in '.join(original)}")


def _originals(texts: set[str]) -> dict[str, Seen | None]:
    """Tell what each text does that a benign value does not; None where one context had no answer."""
    new = sorted(texts - _seen.keys())
    if len(_seen) + len(new) > KEPT:
        _seen.clear()
        new = sorted(texts)
    found = _watch(new, list(CONTEXTS))
    # A piece of script alone is one only where the text is nothing else: a URL need not be a script too.
    alone = [text for text in new if found[text] == {}]
    found |= _watch(alone, [SCRIPT])
    _seen.update(found)
    return {text: _seen[text] for text in texts}


def _watch(texts: Sequence[str], contexts: Sequence[str]) -> dict[str, Seen | None]:
    places = [(text, context) for text in (BENIGN, *texts) for context in contexts]
    answers = dict(zip(places, chromium.effects([page(*place) for place in places]), strict=True)) if texts else {}
    found: dict[str, Seen | None] = {}
    for text in texts:
        does: Seen = {}
        for context in contexts:
            answer = answers[text, context]
            if answer is None:
                break
            if answer and answer != answers[BENIGN, context]:
                does[context] = answer
        else:
            found[text] = does
            continue
        found[text] = None
    return found
