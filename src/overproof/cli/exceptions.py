"""Write, sign and check a file of exceptions: `overproof exceptions`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import AsJson, VerifyCertificates, VerifyKey, trust_of
from overproof.cli.output import show
from overproof.cli.places import a_file
from overproof.cli.sign import Certificate, PasswordFile
from overproof.errors import InputError

RulesFile = Annotated[Path, typer.Argument(parser=a_file, metavar="RULES", help="A file of rules, in TOML.")]
Add = Annotated[
    str | None, typer.Option("--add", metavar="NAME", help="Add a rule of that name, to a new file if need be.")
]
Who = Annotated[str | None, typer.Option("--who", metavar="PERSON", help="Of the new rule: who answers for it.")]
Why = Annotated[str | None, typer.Option("--why", metavar="REASON", help="Of the new rule: why it is harmless.")]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", help="Of the new rule: its last day, or a time; within 366 days."),
]
Source = Annotated[
    str | None,
    typer.Option("--source", metavar="ADDRESS", help="Silence alerts from an address, a network, or of a machine."),
]
PathOf = Annotated[
    str | None,
    typer.Option("--path", metavar="/PATH", help="Silence alerts of requests for a path, or below it: /docs/*."),
]
FamilyOf = Annotated[str | None, typer.Option("--family", metavar="FAMILY", help="Silence alerts of that family.")]
SpanOf = Annotated[
    str | None,
    typer.Option("--span", metavar="TEXT", help="Silence alerts that have this text and are benign without it."),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Sign it with this private key, in PEM, as `overproof sign` does."),
]

HELP = """Write, sign and check a file of exceptions: rules that silence alerts known to be harmless.

A rule says who answers for it, why, and until when; all of its conditions have to hold. `triage` and `serve` take the
file with --exceptions: what it silences is marked and counted, never dropped. Without --add and --key the file is read,
verified where a key is given, and its rules are listed.

\b
Examples:
  overproof exceptions rules.toml --add "weekly scan" --who "J. Doe" --why "ticket 4711" \\
      --until 2026-12-31 --source 192.0.2.0/28 --key analyst.pem
  overproof exceptions rules.toml --verify-key analyst.pub
  overproof triage bundle access.log --exceptions rules.toml --verify-key release.pub
"""


def run(
    rules: RulesFile,
    add: Add = None,
    who: Who = None,
    why: Why = None,
    until: Until = None,
    source: Source = None,
    path: PathOf = None,
    family: FamilyOf = None,
    span: SpanOf = None,
    key: Key = None,
    certificate: Certificate = None,
    password_file: PasswordFile = None,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Write, sign and check a file of exceptions: rules that silence alerts known to be harmless."""
    from overproof.bundle.signing.sign import SigningKey
    from overproof.jobs.exceptions import read_rules, write_rules
    from overproof.progress import terminal

    entries = {"who": who, "why": why, "until": until, "source": source, "path": path, "family": family, "span": span}
    given = {name: value for name, value in entries.items() if value is not None}
    if given and add is None:
        raise InputError(f"--{next(iter(given))}: expected --add NAME with it, of the rule that it is of")
    if key is None and (certificate or password_file):
        raise InputError("--certificate and --password-file: expected --key with it, which signs")
    trust = trust_of(verify_key, verify_certificates)
    if add is None and key is None:
        show(read_rules(rules, trust, terminal()), as_json)
        return
    if trust is not None:
        raise InputError("--verify-key and --verify-certificates: expected without --add and --key, to verify a file")
    rule = None if add is None else {"name": add, **given}
    show(write_rules(rules, rule, None if key is None else SigningKey(key, certificate, password_file)), as_json)
