"""Run the command line: a module a command, its options beside it.

A command parses what it was given and calls one function of the package; no logic lives here. Everything heavy is
imported inside the commands, so that `--help` answers at once and `triage` and `inspect` work where only the
deploy-time half is installed.
"""

from __future__ import annotations

from overproof.cli.app import app, main

__all__ = ["app", "main"]
