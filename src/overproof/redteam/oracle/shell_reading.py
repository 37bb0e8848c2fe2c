"""Read an event as what a shell would be given: where its commands begin, and what stands around the value."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Programs and builtins that a text of one word is taken to mean; a lone word that is none of them does nothing.
KNOWN = frozenset(
    """
    arp awk base64 bash bzip2 cat cd chgrp chmod chown chsh cp crontab csrutil curl cut date dd df diff dig dir dmesg
    dscl du echo env eval exec export false find free ftp getent git grep gunzip gzip halt head history host hostname id
    ifconfig
    ip iptables kextstat kill killall last lastlog ldapsearch less ln ls lsblk lscpu lsmod lsof mkdir more mount
    mv nc ncat netcat netstat nmap node nslookup openssl osascript passwd perl php ping poweroff printenv printf ps pwd
    python python3 read reboot rm rmdir route rsync ruby sc scp sed service set sh shutdown sleep smbstatus sort ss ssh
    stat
    strings su sudo sw_vers systemctl sysctl system_profiler tail tar tcpdump tee telnet test time top touch tr trap
    true tty type uname uniq unset unzip uptime useradd userdel usermod vi vim visudo w wc wget whereis which who whoami
    xargs xxd yum zip zsh
    """.split()
)
FOR_CMD = "a command of Windows, which no shell here runs"
NOT_SHELL = re.compile(r"\{\{|\}\}|<\?|<%|<!--|&lt;|<script|\$\{[@\w]*\(|__\w+__|\\x00", re.IGNORECASE)
WINDOWS = re.compile(
    r"%\w+%|%5c|(?:^|[\s\"'|+:])[a-z]:(?:[\\/%]|$)|\.exe\b|\bHKLM\b"
    r"|(?:^|[|&;`(])\s*(?:ipconfig|net|netsh|reg|tasklist|systeminfo|sysinfo|wmic|cmd|powershell|type\s+\S*\\)(?=\s|$|[|&;`)])",
    re.IGNORECASE,
)
PROMPT = re.compile(r"[\w.-]+@[\w.-]+:[^\s$#]*[$#] ")
SHELLSHOCK = re.compile(r"\(\)\s*\{[^{}]*\}\s*;\s*")
CALL = re.compile(
    r"(?P<before>[\s;|&]*(?:system|exec|passthru|shell_exec|popen)\(\s*(?P<quote>['\"]))"
    r"(?P<inner>.*)(?P<after>(?P=quote)\s*\)[\s;]*)",
    re.DOTALL,
)
FRAGMENT = re.compile(r"\s*(?:[;|&)`\n'\"]|\$\(|[\w./-]*['\")]*\s*(?:[;|&`)]|\$\())")
FIRST_WORD = re.compile(r"\s*([\w./-]+)")


@dataclass(frozen=True)
class Context:
    """What an application puts around a value, and what a shell is then given."""

    before: str
    after: str

    def around(self, text: str) -> str:
        """Put a value where the application does."""
        return self.before + text + self.after


WHOLE, CUT = (Context("", ""),), (Context("", " log"),)
VALUES = (Context("ping -c 1 ", ""), Context('ping -c 1 "', '"'), Context("ping -c 1 '", "'"))
# Tried where no other reads as shell: a value with something behind it, in parentheses, or at the end of a cut text.
RARER = (
    Context("(ping -c 1 ", ""),
    Context("ping -c 1 ", " log"),
    Context('ping -c 1 "', '" log'),
    Context("(ping -c 1 ", ")"),
    Context("(ping -c 1 ", " log"),
    Context('ping -c 1 "', ""),
    Context("ping -c 1 '", ""),
)


@dataclass(frozen=True)
class Reading:
    """An event read as shell.

    Attributes
    ----------
    frame
        What stands around the shell's text and is no shell's itself: the call of `system`.
    text
        What a shell is given.
    contexts, rarer
        Where it may stand; the rarer ones count only where no other shows an effect.
    """

    frame: str
    text: str
    contexts: tuple[Context, ...]
    rarer: tuple[Context, ...] = ()


def read_event(event: str) -> Reading | str:
    """Read an event; a text says why it cannot be read as shell."""
    if "\0" in event:
        return "a text with NUL is no command"
    if WINDOWS.search(event):
        return FOR_CMD
    if NOT_SHELL.search(event):
        return "no shell's text"
    if called := CALL.fullmatch(event):
        inner, quote = called["inner"], called["quote"]
        if quote in inner or "\\" in inner or (quote == '"' and "$" in inner):
            return "a call whose argument is not plain"
        return Reading(called["before"] + called["after"], inner, WHOLE)
    if around := SHELLSHOCK.match(event) or PROMPT.match(event):
        return Reading(around[0], event[around.end() :], WHOLE)
    if is_fragment(event):
        return Reading("", event, VALUES, RARER)
    return Reading("", event, WHOLE, CUT)


def is_fragment(event: str) -> bool:
    """Tell a value that breaks out of a command from a command line of its own."""
    if not FRAGMENT.match(event):
        return False
    word = FIRST_WORD.match(event)
    return word is None or not (word[1] in KNOWN or word[1].startswith("/") or word[1].startswith("./"))
