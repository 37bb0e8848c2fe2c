"""Prove that an edited shell command does what the original does: a real bash runs both where nothing can be reached.

No command is really started: the shell expands the words, and what it would have started is written down with its
words, its input and its output (a stand-in prints its own name, words and input, so that what flows through a pipe or
a substitution is seen too). Two texts do the same where all of that is the same, and the files they wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from overproof.redteam.base import Proof
from overproof.redteam.oracle.namespace import missing, run_scripts
from overproof.redteam.oracle.shell_cmd import same_for_cmd
from overproof.redteam.oracle.shell_effect import BRANCHES, FOUND, NOT_FOUND, Effect, effect_of
from overproof.redteam.oracle.shell_parse import literal_names, same_words
from overproof.redteam.oracle.shell_reading import FOR_CMD, Context, Reading, read_event

UNSEEN = re.compile(r"[<{(]|\b(?:if|case|exit|exec|while|until|for|return|break|trap)\b")
SLOW = "a shell did not end in time"
HOW = "bash in a namespace: the same commands, words, inputs and files"
STANDS_FOR = ("{cmd}", "id")  # what lists of payloads write where a command goes


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Judge pairs of an original and an edited command line, or of values that end up in one."""
    pairs = [(original.replace(*STANDS_FOR), edited.replace(*STANDS_FOR)) for original, edited in pairs]
    why = missing()
    runs = Runs()
    if not why:
        runs.prepare(pairs)
    return [_judge(original, edited, runs, why) for original, edited in pairs]


def _judge(original: str, edited: str, runs: Runs, why: str) -> Proof:
    """Judge one pair, whose runs are prepared."""
    first, second = read_event(original), read_event(edited)
    if first == FOR_CMD:
        return same_for_cmd(original, edited)
    if isinstance(first, str):
        return Proof("unproved", first)
    if isinstance(second, str) or first.frame != second.frame:
        return Proof("unproved", "what stands around the command was edited, too")
    if why:
        place = first.contexts[0]
        return same_words(place.around(first.text), place.around(second.text), why)
    contexts = runs.shown(first)
    if not contexts:
        if runs.hang(first):
            return Proof("unproved", SLOW)
        return same_words(first.text, second.text, "the original runs no command in any place tried")
    if not runs.reach_all(first.text, contexts):
        return Proof("unproved", "a part of the original was not reached")
    proofs = [runs.compare(first.text, second.text, context) for context in contexts]
    return next((proof for proof in proofs if proof.meaning != "proved"), proofs[0])


class Runs:
    """What scripts did, each run once, many in one start of the namespace."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, int], Effect | None] = {}

    def prepare(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Run all that judging the pairs will ask for, many in one start."""
        read = [(read_event(original), read_event(edited)) for original, edited in pairs]
        both = [(first, second) for first, second in read if isinstance(first, Reading) and isinstance(second, Reading)]
        asked = [(first, statuses(first.text, second.text)) for first, second in both]
        self._start({(c.around(r.text), status) for r, given in asked for c in r.contexts for status in given})
        hidden = [(r, given) for r, given in asked if not self._shown(r, r.contexts)]
        self._start({(c.around(r.text), status) for r, given in hidden for c in r.rarer for status in given})
        self._start(
            {
                (c.around(text), status)
                for first, second in both
                for c in self.shown(first)
                for text in (first.text, second.text)
                for status in statuses(first.text, second.text)
            }
        )

    def shown(self, reading: Reading) -> list[Context]:
        """Return the contexts in which a text runs most commands of its own; of the rarer ones the first."""
        return self._shown(reading, reading.contexts) or self._shown(reading, reading.rarer)[:1]

    def hang(self, reading: Reading) -> bool:
        """Tell whether a text does not end in some context."""
        return any(self._effects(c.around(reading.text), statuses(reading.text)) is None for c in reading.contexts)

    def compare(self, original: str, edited: str, context: Context) -> Proof:
        """Compare what both do in one context; run them again where they differ, for some texts never do the same."""
        scripts = context.around(original), context.around(edited)
        asked = statuses(original, edited)
        seen: list[list[Effect]] = []
        for _ in range(2):
            first, second = self._effects(scripts[0], asked), self._effects(scripts[1], asked)
            if first is None or second is None:
                return Proof("unproved", SLOW)
            if [e.visible(original) for e in first] == [e.visible(original) for e in second]:
                return Proof("proved", HOW)
            seen.append(first)
            self._start({(script, status) for script in scripts for status in asked}, again=True)
        if seen[0] != seen[1]:
            return Proof("unproved", "the original does not do the same twice")
        return Proof("changed", f"bash in a namespace, as `{context.around('…')}`: something else happens")

    def reach_all(self, text: str, contexts: Iterable[Context]) -> bool:
        """Tell whether every command that a text spells out was called in some context: no branch stayed unseen."""
        scripts = [context.around(text) for context in contexts]
        effects = [effect for script in scripts for effect in self._effects(script, statuses(text)) or ()]
        called = {name for effect in effects for name in effect.called()}
        names = [literal_names(script) for script in scripts]
        if None in names:
            return UNSEEN.search(text) is None
        return any(spelled is not None and spelled <= called for spelled in names)

    def _shown(self, reading: Reading, contexts: Iterable[Context]) -> list[Context]:
        """Return those of the contexts in which a text runs most commands of its own."""
        counts = {c: self._count(c.around(reading.text), reading, c) for c in contexts}
        most = max(counts.values(), default=0)
        return [context for context, count in counts.items() if count == most > 0]

    def _count(self, script: str, reading: Reading, context: Context) -> int:
        """Count the commands of its own that a text runs in a context."""
        return max((e.own_commands(context) for e in self._effects(script, statuses(reading.text)) or ()), default=0)

    def _effects(self, script: str, asked: Iterable[int]) -> list[Effect] | None:
        """Return what a script did where programs answered so; None where it did not end in time."""
        found = [self._done.get((script, status)) for status in asked]
        return None if None in found else [effect for effect in found if effect is not None]

    def _start(self, cases: set[tuple[str, int]], *, again: bool = False) -> None:
        """Run scripts that were not run yet."""
        for status in (FOUND, NOT_FOUND):
            todo = sorted(
                script for script, asked in cases if asked == status and (again or (script, asked) not in self._done)
            )
            for script, ran in zip(todo, run_scripts(todo, status), strict=True):
                self._done[script, status] = None if ran is None else effect_of(ran)


def statuses(*texts: str) -> tuple[int, ...]:
    """Return what programs are to answer: success alone, or failure too where a text asks whether they worked."""
    return (FOUND, NOT_FOUND) if any(BRANCHES.search(text) for text in texts) else (FOUND,)
