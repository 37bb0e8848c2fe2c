"""Define what can go wrong: each error carries the exit code the command line ends with."""

from __future__ import annotations


class OverproofError(Exception):
    """Base of every error a user can cause or meet; its text is the whole message shown."""

    exit_code = 1


class InputError(OverproofError):
    """Events, options or files that cannot be used; names the file, the line and what was expected."""

    exit_code = 2


class BundleError(OverproofError):
    """A folder that is not a bundle this version can open."""

    exit_code = 2


class TamperedBundle(BundleError):
    """A bundle with a changed, missing or extra file; the message names it."""

    exit_code = 3


class MissingExtra(OverproofError):
    """A package of an optional extra is needed and not installed; the message says which extra."""

    exit_code = 2
