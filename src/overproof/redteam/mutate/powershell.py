"""Edits of PowerShell that PowerShell does not see."""

from __future__ import annotations

import base64
import binascii
import re
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.powershell_scan import Script, Token, read
from overproof.redteam.mutate.words import WORDS

ALIASES = {
    "iex": "Invoke-Expression", "iwr": "Invoke-WebRequest", "irm": "Invoke-RestMethod", "icm": "Invoke-Command",
    "gci": "Get-ChildItem", "gc": "Get-Content", "gi": "Get-Item", "gp": "Get-ItemProperty", "gps": "Get-Process",
    "gsv": "Get-Service", "gwmi": "Get-WmiObject", "saps": "Start-Process", "start": "Start-Process",
    "sleep": "Start-Sleep", "spps": "Stop-Process", "kill": "Stop-Process", "ri": "Remove-Item", "del": "Remove-Item",
    "cpi": "Copy-Item", "copy": "Copy-Item", "mi": "Move-Item", "move": "Move-Item", "ni": "New-Item",
    "ipmo": "Import-Module", "where": "Where-Object", "select": "Select-Object", "sls": "Select-String",
    "ii": "Invoke-Item", "sv": "Set-Variable", "gv": "Get-Variable", "si": "Set-Item", "sp": "Set-ItemProperty",
    "rp": "Remove-ItemProperty", "rni": "Rename-Item", "sl": "Set-Location", "gl": "Get-Location",
    "ft": "Format-Table", "fl": "Format-List", "echo": "Write-Output", "write": "Write-Output",
}  # fmt: skip
HOST_PARAMETERS = {
    "-noprofile": 4, "-noninteractive": 5, "-nologo": 4, "-noexit": 4, "-windowstyle": 2, "-executionpolicy": 3,
    "-encodedcommand": 2, "-command": 2, "-file": 2,
}  # fmt: skip
HOST_OTHER = {"-ep": "-executionpolicy", "-ec": "-encodedcommand"}
HOST_SWITCHES = frozenset({"-noprofile", "-noninteractive", "-nologo", "-noexit", "-sta", "-mta"})
ESCAPES = frozenset("0abefnrtuv")
PIECES = re.compile(r"[A-Za-z]{2,}")
STARTS_LATE = re.compile(r"\s*(?:param\b|using\b|#|\[CmdletBinding)", re.IGNORECASE)
PLAIN = re.compile(r"[^'\"`$\s#]{2,}(?: [^'\"`$\s#]+)*")


def _replaced(text: str, token: Token, new: str) -> str:
    """Put new text in the place of a token."""
    return text[: token.start] + new + text[token.end :]


def _words(random: Random) -> str:
    """Return one to three ordinary words."""
    return " ".join(random.sample(WORDS, random.randint(1, 3)))


def _is_cmdlet(name: str) -> bool:
    """Tell a cmdlet, whose parameters have no case, from a program."""
    return re.fullmatch(r"[a-z]+-[a-z]+", name) is not None or name in ALIASES


def _chosen(text: str, random: Random, kinds: tuple[str, ...]) -> tuple[Script, Token] | None:
    """Draw a token of some kinds."""
    script = read(text)
    tokens = [] if script is None else [token for token in script.tokens if token.kind in kinds]
    return (script, random.choice(tokens)) if script is not None and tokens else None


def other_case(text: str, random: Random) -> str | None:
    """Write the letters of a name in another case: a command, its parameter, a keyword, a variable or a type."""
    found = _chosen(text, random, ("command", "parameter", "keyword", "variable", "type"))
    if found is None or (found[1].kind == "parameter" and not _is_cmdlet(found[1].of) and not found[0].host):
        return None
    if found[0].host and found[1].kind not in ("command", "parameter"):
        return None
    token = found[1]
    letters = [random.choice([char.lower(), char.upper()]) if char.isascii() else char for char in token.text]
    return _replaced(text, token, "".join(letters))


def backquote(text: str, random: Random) -> str | None:
    """Put a backquote into a command's name, before a letter that it does not escape: `I`EX`."""
    found = _chosen(text, random, ("command",))
    if found is None or found[0].host:
        return None
    token = found[1]
    letters = [(i, char) for i, char in enumerate(token.text.lower()) if char.isalpha() and i > 0]
    spots = [i for i, char in letters if char not in ESCAPES]
    spots = [i for i in spots if token.text[i - 1] != "`"]
    if not spots:
        return None
    at = random.choice(spots)
    return _replaced(text, token, f"{token.text[:at]}`{token.text[at:]}")


def called_by_text(text: str, random: Random) -> str | None:
    """Call a command by a text: `& 'iex'`, `&('i'+'ex')`."""
    found = _chosen(text, random, ("command",))
    if found is None or found[0].host or re.search(r"[&.]\s*$", text[: found[1].start]):
        return None
    name = found[1].text
    if not re.fullmatch(r"[A-Za-z][\w-]+", name) or text[found[1].end : found[1].end + 1] == "(":
        return None
    at = random.randint(1, len(name) - 1)
    first, second = name[:at], name[at:]
    new = random.choice([f"& '{name}'", f'&"{name}"', f"&('{first}'+'{second}')", f'& ("{first}" + "{second}")'])
    return _replaced(text, found[1], new)


def alias(text: str, random: Random) -> str | None:
    """Write an alias for a cmdlet, or a cmdlet for its alias."""
    found = _chosen(text, random, ("command",))
    if found is None or found[0].host:
        return None
    name = found[1].text.lower()
    names = [short for short, full in ALIASES.items() if full.lower() == name] or [ALIASES.get(name, "")]
    return _replaced(text, found[1], random.choice(names)) if names[0] else None


def white_space(text: str, random: Random) -> str | None:
    """Write white space between words with tabs, or with more of it."""
    found = _chosen(text, random, ("space",))
    return None if found is None else _replaced(text, found[1], random.choice(["  ", " \t", " \t ", "   "]))


def comment_between(text: str, random: Random) -> str | None:
    """Put a comment of ordinary words between two words."""
    found = _chosen(text, random, ("space",))
    if found is None or found[0].host:
        return None
    return _replaced(text, found[1], f" <# {_words(random)} #> ")


def comment_behind(text: str, random: Random) -> str | None:
    """Put a comment of ordinary words behind everything."""
    script = read(text)
    if script is None or script.host or text.endswith("`"):
        return None
    return f"{text} # {_words(random)}"


def inert_statement(text: str, random: Random) -> str | None:
    """Put a statement without effect in front of another."""
    script = read(text)
    if script is None or script.host or STARTS_LATE.match(text, script.first):
        return None
    spots = [script.first] + [
        after.start
        for before, after in zip(script.tokens, script.tokens[1:], strict=False)
        if before.text == ";" and after.kind in ("command", "space", "variable") and "{" not in text and "(" not in text
    ]
    words = _words(random)
    name = "".join(random.sample(WORDS, 2))
    at = random.choice(spots)
    kinds = [f"${name} = '{words}'; ", f"$null = '{words}'; ", f"if ($false) {{ '{words}' }}; ", f"${name}='{words}'\n"]
    return text[:at] + random.choice(kinds) + text[at:]


def text_in_pieces(text: str, random: Random) -> str | None:
    """Write a quoted text as a sum: `('ab'+'cd')`."""
    script = read(text)
    if script is None or script.host:
        return None
    tokens = script.tokens
    spots = []
    for before, token, after in zip(tokens, tokens[1:], (*tokens[2:], None), strict=False):
        opened = before.text in ("(", "=") or before.kind == "space"
        closed = after is None or after.kind in ("space", "newline") or after.text in ");"
        called = re.search(r"[.:&]\s*$", text[: token.start]) is not None
        if token.kind == "string" and opened and closed and not called and PLAIN.fullmatch(token.text[1:-1]):
            spots.append(token)
    if not spots:
        return None
    token = random.choice(spots)
    inside, at = token.text[1:-1], random.randint(1, len(token.text) - 3)
    return _replaced(text, token, f"('{inside[:at]}'+'{inside[at:]}')")


def host_parameter(text: str, random: Random) -> str | None:
    """Write a parameter of powershell.exe shorter, longer, or with a slash."""
    spots = _host_parameters(text)
    if not spots:
        return None
    token, full = random.choice(spots)
    name = full[: random.randint(HOST_PARAMETERS[full], len(full))]
    name = "".join(random.choice([char, char.upper()]) for char in name)
    return _replaced(text, token, random.choice("--/") + name[1:])


def _host_parameters(text: str) -> list[tuple[Token, str]]:
    """Return powershell.exe's own parameters up to what it runs, with their full names."""
    script = read(text)
    if script is None or not script.host:
        return []
    found: list[tuple[Token, str]] = []
    for token in script.tokens:
        if token.kind != "parameter":
            continue
        name = token.text.lower()
        fulls = [full for full, least in HOST_PARAMETERS.items() if full.startswith(name) and len(name) >= least]
        full = HOST_OTHER.get(name) or next(iter(fulls), None)
        if full is None:
            break
        found.append((token, full))
        if full in ("-command", "-file"):
            break
    return found


def host_order(text: str, random: Random) -> str | None:
    """Move a switch of powershell.exe in front of its other parameters."""
    found = _host_parameters(text)
    switches = [token for token, full in found[1:] if full in HOST_SWITCHES]
    if not switches:
        return None
    token, first = random.choice(switches), found[0][0]
    if token.start <= first.start:
        return None
    without = text[: token.start].rstrip(" \t") + text[token.end :]
    return f"{without[: first.start]}{token.text} {without[first.start :]}"


def encoded_again(text: str, random: Random) -> str | None:
    """Edit what an encoded command holds, and encode it again."""
    script = read(text)
    found = [token for token, full in _host_parameters(text) if full == "-encodedcommand"]
    match = re.compile(r"\s+([A-Za-z0-9+/]{4,}={0,2})(?=\s|$)").match(text, found[0].end) if found else None
    if script is None or match is None:
        return None
    try:
        inside = base64.b64decode(match[1], validate=True).decode("utf-16-le")
    except (binascii.Error, ValueError):
        return None
    edits = sorted(INSIDE)
    for name in random.sample(edits, len(edits)):
        made = INSIDE[name](inside, random)
        if made is not None and made != inside:
            encoded = base64.b64encode(made.encode("utf-16-le", "surrogatepass")).decode()
            return text[: match.start(1)] + encoded + text[match.end(1) :]
    return None


INSIDE: dict[str, Mutator] = {
    "letters in another case": other_case,
    "backquote inside a command": backquote,
    "command called by a text": called_by_text,
    "alias or cmdlet": alias,
    "other white space": white_space,
    "comment between words": comment_between,
    "comment behind": comment_behind,
    "inert statement": inert_statement,
    "text in pieces": text_in_pieces,
}
MUTATORS: Mutators = {
    **INSIDE,
    "parameter of powershell.exe": host_parameter,
    "order of powershell.exe's parameters": host_order,
    "encoded command edited": encoded_again,
}
