"""Define what can go wrong, and the exit codes that the command line ends with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ends, for whoever runs it in a pipeline; `meaning` is the one table of them."""

    HOLDS = 0
    REFUSED = 1
    UNUSABLE = 2
    FAILED = 3
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it
    BROKEN_PIPE = 141  # 128 + SIGPIPE

    @property
    def meaning(self) -> str:
        """What it says, in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.HOLDS: "what was asked for was done, and holds",
    ExitCode.REFUSED: "the decision is no: a gate is closed, “do not deploy”, or a guard does not hold",
    ExitCode.UNUSABLE: "what was given cannot be used: options, events, a bundle, a file, or a package that is missing",
    ExitCode.FAILED: "the program failed: a fault of its own, a full disk or memory, or a full model that is down",
    ExitCode.INTERRUPTED: "ended by Ctrl-C",
    ExitCode.BROKEN_PIPE: "the reader of its output has gone",
}


class OverproofError(Exception):
    """Base of every error a user can cause or meet; its text is the whole message shown.

    It is one line, and whatever lines are given behind it.
    """

    exit_code = ExitCode.FAILED

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class InputError(OverproofError):
    """Events, options or files that cannot be used; names the file, the line and what was expected."""

    exit_code = ExitCode.UNUSABLE


class BundleError(OverproofError):
    """A folder that is not a bundle this version can open."""

    exit_code = ExitCode.UNUSABLE


class TamperedBundle(BundleError):
    """A bundle with a changed, missing or extra file; the message names it."""


class MissingExtra(OverproofError):
    """A package of an optional extra is needed and not installed; the message says which extra."""

    exit_code = ExitCode.UNUSABLE
