"""The parameters of powershell.exe as it reads them itself, and what an encoded command holds."""

from __future__ import annotations

import base64
import binascii
import re

PROMPT = re.compile(r"PS [A-Z]:\\[^>\n]*> ?")
HOSTS = frozenset({"powershell", "powershell.exe", "pwsh", "pwsh.exe"})
# The full name of each, and the shortest beginning that is taken for it.
PARAMETERS = {
    "version": "v", "noexit": "noe", "noprofile": "nop", "nologo": "nol", "noninteractive": "noni", "file": "f",
    "executionpolicy": "ex", "command": "c", "windowstyle": "w", "encodedcommand": "e", "inputformat": "in",
    "outputformat": "o", "sta": "sta", "mta": "mta",
}  # fmt: skip
SHORT = {"ep": "executionpolicy", "ec": "encodedcommand", "if": "inputformat", "of": "outputformat"}
SWITCHES = frozenset({"noexit", "noprofile", "nologo", "noninteractive", "sta", "mta"})
LAST = frozenset({"command", "file"})


def full_name(parameter: str) -> str | None:
    """Return the full name of a parameter of powershell.exe; None where it has none such."""
    name = parameter.lower().lstrip("-/").rstrip(":")
    if name in SHORT:
        return SHORT[name]
    for full, shortest in PARAMETERS.items():
        if full.startswith(name) and name.startswith(shortest):
            return full
    return None


def decoded(word: str) -> str | None:
    """Return the text of an encoded command; None where it is none."""
    try:
        raw = base64.b64decode(word, validate=True)
        return raw.decode("utf-16-le") if raw else None
    except (binascii.Error, ValueError):
        return None
