"""Tell which edits fit an event: by the shape of whole events, else by the name of its family."""

from __future__ import annotations

import re

# Whole events, as the templates and the log sources write them; what they hold was not the attacker's alone.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("http", re.compile(r"HTTP [A-Z]+ ")),
    ("dns", re.compile(r"dns (?:client=\S+ )?query=")),
    ("flow", re.compile(r"flows? \w+=|(?:\w+=\S+ )?proto(?:col)?=\w+ (?:\S+ )*?(?:service|conn_state|flag)=")),
    ("line", re.compile(r'(?:\S+ )?\S+ \S+ \S+ \[[^\]]*\] "')),  # an access log
    (
        "line",
        re.compile(r"(?:\d|<\d|[A-Z][a-z]{2} +\d).{0,80}?\b[\w.-]+(?:\[\d+\]: | \d+ - )"),
    ),  # syslog: sshd, sudo, an application
    ("line", re.compile(r"audit job=")),
)
_OTHER_RECORDS = re.compile(r"(?:SSH src|TLS \S+ \w+|file source)=")  # sessions and files: no edits for those

_COMMANDS = (
    "admin-download",
    "credential-dump",
    "download-cradle",
    "encoded-powershell",
    "encoded-recon",
    "encoded-work",
    "log-rotation",
    "log-wiping",
    "persistence",
    "port-check",
    "recon",
    "reverse-shell",
    "shadow-deletion",
    "shell-work",
)
_FAMILIES: dict[str, str] = {
    "sqli": "sql",
    "sqli-probe": "sql",
    "sql-injection": "sql",
    "xss": "html",
    "cross-site-scripting": "html",
    "path-traversal": "path",
    "directory-traversal": "path",
    "lfi": "path",
    "rfi": "url",
    "open-redirect": "url",
    "ssrf": "url",
    "cmdi": "shell",
    "command-injection": "shell",
    "os-command": "shell",
    "os-command-injection": "shell",
    "rce": "shell",
    "powershell": "powershell",
    "ldapi": "ldap",
    "ldap-injection": "ldap",
    "nosqli": "nosql",
    "nosql-injection": "nosql",
    "xpathi": "xpath",
    "xpath-injection": "xpath",
    "ssti": "template",
    "template-injection": "template",
    "jndi": "jndi",
    "log4shell": "jndi",
    "lookup-injection": "jndi",
    "xxe": "xml",
    "ssi": "ssi",
    "ssi-injection": "ssi",
    "format-string": "format_string",
} | dict.fromkeys(_COMMANDS, "command")

_TECHNIQUE = re.compile(r"t\d{4}(?:\.\d{3})?")  # of ATT&CK: command lines
_SCENARIO = re.compile(r"[\w-]+/[\w-]+")  # of CrowdSec's hub, `author/scenario`: log lines
_PROMPT = re.compile(r"[A-Za-z]:\\[^>\n]*> ?|[\w.-]+@[\w.-]+:[^$#\n]*[$#] ")
_POWERSHELL = re.compile(
    r"^PS [A-Za-z]:\\|\b(?:powershell|pwsh)(?:\.exe)?\b|\b(?:iex|iwr|irm)\b|\$env:|\[[A-Za-z]+\.[\w.]+\]::"
    r"|\b(?:add|clear|convertfrom|convertto|copy|export|get|import|install|invoke|measure|new|out|remove|restart|select"
    r"|set|start|stop|test|write)-[a-z]{3,}\b(?!\.)",
    re.IGNORECASE,
)
_WINDOWS = re.compile(  # what neither a Unix shell runs nor PowerShell alone
    r"(?:[a-z]:\\\S*\\)?(?:bcdedit|bitsadmin|certutil|cmd|cscript|del|mshta|net1?|nltest|ntdsutil|procdump\d*|reg"
    r"|regsvr32|rundll32|schtasks|sc|vssadmin|wbadmin|wevtutil|wmic|wscript)(?:\.exe)?\s|(?:whoami /|systeminfo\b)",
    re.IGNORECASE,
)


def domain_of(text: str, family: str | None) -> str | None:
    """Return the domain whose edits fit an event; None where no edits do (`why_none` says why).

    Parameters
    ----------
    text
        The event as the model reads it.
    family
        Of the event, in any case, with blanks, `_` or `-` between its words; None where nobody named one.
    """
    if _OTHER_RECORDS.match(text):
        return None
    shaped = next((domain for domain, shape in _SHAPES if shape.match(text)), None)
    return shaped or _by_family(text, family)


def why_none(text: str, family: str | None) -> str:
    """Say why no edits fit an event for which `domain_of` has no domain."""
    if _OTHER_RECORDS.match(text):
        return "no edits for sessions and files: what their records say is not the attacker's to write"
    if family is None:
        return "no family, and the text is of no known shape"
    if _named(family) in _COMMANDS or _TECHNIQUE.fullmatch(_named(family)):
        return "no edits for commands of Windows's own shell"
    return f"no edits for the family {family}"


def _by_family(text: str, family: str | None) -> str | None:
    if family is None:
        return None
    name = _named(family)
    if _SCENARIO.fullmatch(name):
        return "line"
    domain = "command" if _TECHNIQUE.fullmatch(name) else _FAMILIES.get(name)
    return _command(text) if domain == "command" else domain


def _named(family: str) -> str:
    return re.sub(r"[\s_]+", "-", family.strip().casefold())


def _command(text: str) -> str | None:
    """Tell PowerShell from a Unix shell by the words of a command line; None for Windows's own shell."""
    if _POWERSHELL.search(text):
        return "powershell"
    prompt = _PROMPT.match(text)
    return None if _WINDOWS.match(text[prompt.end() if prompt else 0 :].lstrip()) else "shell"
