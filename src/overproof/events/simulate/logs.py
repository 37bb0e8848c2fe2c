"""Write log lines: authentication, web server, application, and the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from overproof.events.simulate import http, words
from overproof.events.simulate.words import Actor

_STEPS = (
    "open ticket",
    "notify owner",
    "run tests",
    "collect metrics",
    "update wiki",
    "rotate keys",
    "warm cache",
    "check disk",
    "send summary",
    "reload proxy",
)


def _clock(rng: Random) -> str:
    return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _syslog(rng: Random, who: Actor, program: str, message: str) -> str:
    return f"{_clock(rng)} {who.host} {program}[{rng.randrange(100, 40000)}]: {message}"


def _trail(rng: Random, who: Actor, key_steps: Sequence[str]) -> str:
    """Write an audit trail of the key steps in their order, with up to two others before and after them."""
    before, after = (rng.sample(_STEPS, rng.randint(1, 2)) for _ in range(2))
    return f"audit job={words.name(rng)} host={who.host}: " + ", ".join([*before, *key_steps, *after])


def access(rng: Random, who: Actor) -> str:
    """Write a web server's line."""
    status = rng.choice(("200", "200", "200", "304", "301", "404"))
    size = words.bucket(rng, 8, 16)
    request = f"GET {http.path(rng)} HTTP/1.1"
    return f'{rng.choice((who.lan, who.wan))} - - [{_clock(rng)}] "{request}" {status} {size} {who.site}'


def application(rng: Random, who: Actor) -> str:
    """Write a line of an application about its day, errors included."""
    message = rng.choice(
        (
            f"INFO order {words.name(rng)} shipped to {words.name(rng)}",
            f"WARN queue {words.name(rng)} slow: {rng.randrange(900)} ms",
            f"ERROR could not parse {words.name(rng)}.json: unexpected end of file",
            f"INFO user {who.user} changed language",
            f"DEBUG cache {words.name(rng)} hit ratio 0.{rng.randrange(10, 99)}",
            f"ERROR database {words.name(rng)} timed out, retry {rng.randrange(5)}",
            f"INFO scheduled job {words.name(rng)} finished",
        )
    )
    return _syslog(rng, who, rng.choice(("shop", "billing", "worker", "api")), message)


def login(rng: Random, who: Actor) -> str:
    """Write a line about somebody who logs in, leaves, or mistypes once."""
    message = rng.choice(
        (
            f"Accepted publickey for {who.user} from {words.lan(rng)} port {rng.randrange(1025, 60000)} ssh2",
            f"Accepted password for {who.user} from {words.lan(rng)} port {rng.randrange(1025, 60000)} ssh2",
            f"session opened for user {who.user} by (uid=0)",
            f"session closed for user {who.user}",
            f"Failed password for {who.user} from {words.lan(rng)} repeated 1 times, then accepted",
            f"{who.user} : TTY=pts/{rng.randrange(9)} ; USER=root ; COMMAND=/bin/systemctl restart {words.name(rng)}",
        )
    )
    return _syslog(rng, who, rng.choice(("sshd", "login", "sudo")), message)


def failed_logins(rng: Random, who: Actor) -> str:
    """Write a line about passwords that fail, often or for names that do not exist."""
    source = words.wan(rng) if rng.random() < 0.7 else words.lan(rng)
    message = rng.choice(
        (
            f"Failed password for {who.user} from {source} repeated {rng.randrange(5, 90)} times",
            f"Failed password for invalid user {words.name(rng)} from {source} port {rng.randrange(1025, 60000)} ssh2",
            f"error: maximum authentication attempts exceeded for {who.user} from {source}",
            f"{who.user} : {rng.randrange(3, 9)} incorrect password attempts ; USER=root ; COMMAND=/bin/bash",
            f"PAM {rng.randrange(3, 9)} more authentication failures; rhost={source} user={who.user}",
        )
    )
    return _syslog(rng, who, rng.choice(("sshd", "login", "sudo")), message)


def broken_in(rng: Random, who: Actor) -> str:
    """Write a line about many failures and then a success from the same place outside."""
    source = words.wan(rng)
    many = rng.randrange(20, 900)
    message = rng.choice(
        (
            f"Failed password for {who.user} from {source} repeated {many} times, then accepted",
            f"Accepted password for {who.user} from {source} after {many} failures",
            f"session opened for user {who.user} after {many} failed attempts from {source}",
        )
    )
    return _syslog(rng, who, rng.choice(("sshd", "login")), message)


def _grant(rng: Random, who: Actor, *, by_admin: bool) -> str:
    giver, taker = "admin", rng.choice(("staff", "guest"))
    if not by_admin:
        giver, taker = taker, giver
    role = rng.choice(("wheel", "domain-admins", "sudo", "backup-operators", "db-owner"))
    first, second = f"by {giver}-{words.name(rng)}", f"to {taker}-{words.name(rng)}"
    if rng.random() < 0.5:
        first, second = second, first
    return _syslog(rng, who, "iam", f"{first} {rng.choice(('granted', 'assigned'))} role {role} {second}")


def delegated_grant(rng: Random, who: Actor) -> str:
    """Write a line about an administrator who gives a user a role (hard benign)."""
    return _grant(rng, who, by_admin=True)


def reversed_grant(rng: Random, who: Actor) -> str:
    """Write a line about a user who gives an administrator's role."""
    return _grant(rng, who, by_admin=False)


def privilege_escalation(rng: Random, who: Actor) -> str:
    """Write a line about a user who takes root."""
    as_root = f"{who.user} : TTY=pts/{rng.randrange(9)} ; USER=root ; COMMAND="
    message = rng.choice(
        (
            f"{as_root}/usr/bin/chmod u+s /bin/{words.name(rng)}",
            f"{as_root}/usr/bin/tee -a /etc/sudoers.d/{words.name(rng)}",
            f"new user: name={words.name(rng)}, UID=0, GID=0, home=/root, by {who.user}",
        )
    )
    return _syslog(rng, who, "sudo", message)


def approved_change(rng: Random, who: Actor) -> str:
    """Write the trail of a change that is approved before it is deployed (hard benign)."""
    return _trail(rng, who, ("approve change", "deploy build"))


def unapproved_change(rng: Random, who: Actor) -> str:
    """Write the trail of the same steps, but deployed before anybody approved."""
    return _trail(rng, who, ("deploy build", "approve change"))


def _audit_off(rng: Random, who: Actor, *, export_inside: bool) -> str:
    export_first = rng.random() < 0.5
    off, export, on = "audit off", "export records", "audit on"
    if export_inside:
        return _trail(rng, who, (off, export, on))
    return _trail(rng, who, (export, off, on) if export_first else (off, on, export))


def audit_pause(rng: Random, who: Actor) -> str:
    """Write the trail of auditing paused for maintenance; the export runs while it is on (hard benign)."""
    return _audit_off(rng, who, export_inside=False)


def audit_gap(rng: Random, who: Actor) -> str:
    """Write the trail of an export that runs exactly while auditing is off."""
    return _audit_off(rng, who, export_inside=True)


def password_spray(rng: Random, who: Actor) -> str:
    """Write a line about one password tried on many accounts, once each, until one opens (novel)."""
    many = rng.randrange(20, 400)
    message = rng.choice(
        (
            f"Failed password for {many} different users from {words.wan(rng)}, accepted for {who.user}",
            f"{many} accounts failed once each from {words.wan(rng)}, session opened for user {who.user}",
            f"single failures across {many} users; rhost={words.wan(rng)} accepted user={who.user}",
        )
    )
    return _syslog(rng, who, rng.choice(("sshd", "login")), message)
