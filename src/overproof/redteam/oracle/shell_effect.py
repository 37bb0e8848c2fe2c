"""What a script did in the namespace, in a form that can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from overproof.redteam.oracle.namespace import Ran
from overproof.redteam.oracle.shell_reading import KNOWN, Context

FOUND, NOT_FOUND = 0, 127
BRANCHES = re.compile(r"&&|\|\||\$\?|!|\b(?:if|while|until|set -e)\b")
INERT = frozenset({":", "true", "false"})
FILE_COMMANDS = frozenset(
    """
    cat ls head tail less more cp mv rm mkdir rmdir touch chmod chown find stat file wc tac nl od xxd strings tar
    """.split()
)
ASSIGNED = re.compile(r"([A-Za-z_]\w*)(?:\[[^]]*\])?\+?=")
PATH = re.compile(r"/[\w./@+-]*")
ALONE = re.compile(r"(?<![^ ])/[\w./@+-]*(?![^ ])")
TRACED = re.compile(r"\x01+(\d+) (\S*) (.*)", re.DOTALL)
LOOP = re.compile(r"(?:for|select) \w+ in\b|case .* in$", re.DOTALL)  # traced as written; what it does is seen below it
ERROR = re.compile(r"(?:bash|environment): (?:-c: )?(?:line \d+: )?(.*)", re.DOTALL)
STAND_IN = "command_not_found_handle"


@dataclass(frozen=True)
class Effect:
    """What a script did.

    Attributes
    ----------
    commands
        The commands of each process in order, the processes sorted: which of two that run at once is first is chance.
    records
        What the stand-ins were called with, and their input; sorted.
    printed, errors, files
        The lines printed, what the shell and the stand-ins complained of, and what was written where; sorted.
    broken
        The shell could not parse it.
    """

    commands: tuple[tuple[str, ...], ...]
    records: tuple[str, ...]
    printed: tuple[str, ...]
    errors: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    broken: bool

    def visible(self, text: str) -> Effect:
        """Leave out what has no effect: variables that the original text does not know, and the inert commands."""
        kept = (tuple(line for line in lines if not _is_unseen(line, text)) for lines in self.commands)
        commands = tuple(sorted(lines for lines in kept if lines))
        return Effect(commands, self.records, self.printed, self.errors, self.files, self.broken)

    def called(self) -> set[str]:
        """Return the names of what was called, without their folders."""
        names = (line.split(" ")[0].rpartition("/")[2] for lines in self.commands for line in lines)
        return {re.sub(r"[\\']", "", name) for name in names}

    def own_commands(self, context: Context) -> int:
        """Count the commands that are not the context's own, nor a lone word that is no command."""
        if self.broken:
            return 0
        lines = [line for lines in self.commands for line in lines if not ASSIGNED.match(line)]
        lines = [line.removesuffix(context.after) for line in lines]
        if context.before:
            return sum(line.split(" ")[0] not in INERT | {"log"} and not line.startswith("ping -c 1") for line in lines)
        return sum(_is_command(line) for line in lines)


def effect_of(ran: Ran) -> Effect | None:
    """Make what a script did comparable; None where it did not end in time."""
    if not ran.ended:
        return None
    processes: dict[str, list[str]] = {}
    records: list[str] = []
    for entry in re.split(r"\n(?=[\x01\x02])", ran.trace.rstrip("\n")):
        traced = TRACED.match(entry)
        if traced and traced[2] != STAND_IN:
            processes.setdefault(traced[1], []).append(resolved(traced[3]))
        elif entry.startswith("\x02"):
            records.append(entry)
    errors = [message(line) for line in ran.err.splitlines()]
    return Effect(
        commands=tuple(sorted(map(tuple, processes.values()))),
        records=tuple(sorted(records)),
        printed=tuple(sorted(ran.out.splitlines())),
        errors=tuple(sorted(errors)),
        files=ran.files,
        broken="syntax error" in ran.err or "unexpected EOF" in ran.err or "bad substitution" in ran.err,
    )


def resolved(line: str) -> str:
    """Take what no file system sees (`//`, `/./`) out of the paths of a traced command that reads files."""
    if line.startswith("[[ "):
        return re.sub(r"[\\']", "", line)  # patterns are traced as they are written
    name, space, rest = line.partition(" ")
    if name.rpartition("/")[2] in FILE_COMMANDS:
        parts = re.split(r"('[^']*')", rest)
        parts[::2] = [ALONE.sub(lambda match: simpler(match[0]), part) for part in parts[::2]]
        rest = "".join(parts)
    return simpler(name) + space + rest


def simpler(word: str) -> str:
    """Write a path without `//` and `/./`."""
    if not PATH.fullmatch(word):
        return word
    return re.sub(r"/(?:\.?/)+", "/", word)


def message(line: str) -> str:
    """Leave out of a complaint where in the script it arose, and write a path at its front in its simplest form."""
    match = ERROR.match(line)
    if match is None:
        return line
    path, colon, rest = match[1].partition(":")
    return simpler(path) + colon + rest


def _is_unseen(line: str, text: str) -> bool:
    """Tell whether a traced line is without effect on what the text does."""
    if assigned := ASSIGNED.match(line):
        return re.search(rf"(?<![A-Za-z0-9_]){assigned[1]}(?![A-Za-z0-9_])", text) is None
    return line.split(" ")[0] in INERT or LOOP.match(line) is not None


def _is_command(line: str) -> bool:
    """Tell a traced command from a lone word that is none."""
    name, *words = line.split(" ")
    return name not in INERT and not LOOP.match(line) and (bool(words) or "/" in name or name in KNOWN)
