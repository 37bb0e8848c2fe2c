"""Read, add to, sign and verify a file of exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from overproof.bundle.signing import Trust, place_of
from overproof.bundle.signing.files import ITSELF
from overproof.bundle.signing.sign import SigningKey, sign
from overproof.bundle.signing.verify import verify as verify_signature
from overproof.errors import InputError
from overproof.files import atomic_write
from overproof.inference.exceptions import Rules, parse_rules
from overproof.inference.exceptions.rules import MOST_BYTES, SAID
from overproof.progress import SILENT, Console

_HEAD = "# Exceptions of overproof: alerts that are known to be harmless (docs/guide/exceptions.md).\n"
_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def read_rules(path: Path | str, trust: Trust | None = None, console: Console = SILENT) -> Rules:
    """Read a file of rules, and say who signed it, that nobody verified it, and which rules have expired.

    Parameters
    ----------
    trust
        Whose signature it has to have; None asks for none.

    Raises
    ------
    InputError
        A file that cannot be read, or is none of rules.
    BundleError, TamperedBundle, MissingExtra
        No signature, one of somebody else, or a file that was changed since; see `signing.verify.verify`.
    """
    path = Path(path)
    signed = None if trust is None else verify_signature(path, trust)
    content = _content(path)
    if signed is not None:
        signed.require(ITSELF, content)  # what is read is what was signed, whatever happened between
    rules = Rules(str(path), parse_rules(content, str(path)), None if signed is None else signed.signer)
    console.say(rules.told())
    return rules


def write_rules(path: Path | str, rule: Mapping[str, str] | None = None, key: SigningKey | None = None) -> Rules:
    """Add a rule to a file of rules, which may be a new one, sign the file, or both.

    A file that is signed loses its signature when a rule is added without a key: it would not verify any more.

    Parameters
    ----------
    rule
        Its entries (`Rule`); None adds none.
    key
        What it is signed with; None signs nothing.

    Raises
    ------
    InputError, MissingExtra
        A rule, a file or a key that cannot be used.
    """
    path = Path(path)
    content = _content(path) if path.exists() or rule is None else _HEAD.encode()
    if rule is not None:
        content = content.rstrip(b"\n") + _written(rule).encode()
    rules = parse_rules(content, str(path))
    if rule is not None:
        atomic_write(path, content)
        place_of(path).unlink(missing_ok=True)
    signed = None if key is None else sign(path, key)
    return Rules(str(path), rules, None if signed is None else signed.signer)


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}, expected a file of rules") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES:,} bytes, expected a file of rules")
    return content


def _written(rule: Mapping[str, str]) -> str:
    """Write a rule as TOML, whose basic strings escape two of the printable characters."""
    if missing := [name for name in SAID if not rule.get(name)]:
        raise InputError(f"--add: expected --{missing[0]} with it, since a rule says {', '.join(SAID)}")
    for name, value in rule.items():
        if not value.isprintable():
            raise InputError(f"--{name}: expected printable text on one line")
    lines = [f'{name} = "{"".join(_ESCAPES.get(c, c) for c in value)}"' for name, value in rule.items()]
    return "\n".join(["", "", "[[rule]]", *lines, ""])
