"""Name the families of attacks for analysts, and the technique of MITRE ATT&CK that each is of.

A technique stands here where the family is one of its procedures, whoever is attacked and however it ends; a family
that is of several, or of none, has none. Names and numbers: ATT&CK for Enterprise (https://attack.mitre.org).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Technique:
    """A technique of ATT&CK.

    Attributes
    ----------
    id
        `T1190`, or of a sub-technique `T1059.001`.
    name
        Its own name.
    of
        Of a sub-technique the technique's name, else None.
    """

    id: str
    name: str
    of: str | None = None

    @property
    def technique_id(self) -> str:
        """The technique's id, of a sub-technique that which it is of."""
        return self.id.partition(".")[0]

    @property
    def full_name(self) -> str:
        """Both names, as ATT&CK writes them."""
        return self.name if self.of is None else f"{self.of}: {self.name}"


# Labels that say that something is wrong, and not what: the event's own family says more, where it has one.
GENERIC = frozenset(
    "malicious suspicious attack attacks anomaly anomalous abnormal intrusion threat malware bad 1 true yes".split()
)

TITLES: Mapping[str, str] = {
    "sqli": "SQL injection",
    "sqli-probe": "SQL injection probe",
    "nosqli": "NoSQL injection",
    "ldapi": "LDAP injection",
    "xpathi": "XPath injection",
    "ssi": "server-side includes injection",
    "ssti": "server-side template injection",
    "xxe": "XML external entity injection",
    "xss": "cross-site scripting",
    "cmdi": "command injection",
    "command-injection": "command injection",
    "lookup-injection": "lookup (JNDI) injection",
    "rce": "remote code execution",
    "rfi": "remote file inclusion",
    "lfi": "local file inclusion",
    "path-traversal": "path traversal",
    "format-string": "format string attack",
    "deserialization": "unsafe deserialization",
    "ssrf": "server-side request forgery",
    "open-redirect": "open redirect",
    "webshell": "web shell",
    "probing": "web probing",
    "generated-domain": "generated domain",
    "dga": "generated domain",
    "tunnel": "tunnel",
    "dns-tunnel": "DNS tunnel",
    "ssh-brute-force": "SSH brute force",
    "brute-force": "brute force",
    "bruteforce": "brute force",
    "password-spray": "password spraying",
    "failed-logins": "failed logins",
    "ssh-forward": "SSH port forwarding",
    "port-scan": "port scan",
    "portscan": "port scan",
    "portsweep": "port sweep",
    "port-sweep": "port sweep",
    "slow-scan": "slow port scan",
    "scan": "scan",
    "nmap": "Nmap scan",
    "probe": "probe",
    "syn-flood": "SYN flood",
    "neptune": "SYN flood",
    "dos": "denial of service",
    "ddos": "distributed denial of service",
    "beacon": "beacon",
    "exfiltration": "exfiltration",
    "lateral": "lateral movement",
    "reverse-shell": "reverse shell",
    "encoded-powershell": "encoded PowerShell",
    "download-cradle": "download cradle",
    "credential-dump": "credential dumping",
    "shadow-deletion": "deletion of shadow copies",
    "log-wiping": "wiping of logs",
    "privilege-escalation": "privilege escalation",
    "ransomware": "ransomware",
}

_PUBLIC = Technique("T1190", "Exploit Public-Facing Application")
_SCAN = Technique("T1046", "Network Service Discovery")
_GUESSING = Technique("T1110", "Brute Force")
_DGA = Technique("T1568.002", "Domain Generation Algorithms", "Dynamic Resolution")
_SYN_FLOOD = Technique("T1499.001", "OS Exhaustion Flood", "Endpoint Denial of Service")

TECHNIQUES: Mapping[str, Technique] = {
    **dict.fromkeys(
        "sqli nosqli ldapi xpathi ssi ssti xxe cmdi command-injection lookup-injection rce rfi lfi path-traversal "
        "format-string deserialization ssrf".split(),
        _PUBLIC,
    ),
    "xss": Technique("T1189", "Drive-by Compromise"),
    "webshell": Technique("T1505.003", "Web Shell", "Server Software Component"),
    "sqli-probe": Technique("T1595.002", "Vulnerability Scanning", "Active Scanning"),
    "probing": Technique("T1595.002", "Vulnerability Scanning", "Active Scanning"),
    **dict.fromkeys("port-scan portscan port-sweep portsweep slow-scan nmap".split(), _SCAN),
    **dict.fromkeys("ssh-brute-force brute-force bruteforce failed-logins".split(), _GUESSING),
    "guess_passwd": Technique("T1110.001", "Password Guessing", "Brute Force"),
    "password-spray": Technique("T1110.003", "Password Spraying", "Brute Force"),
    **dict.fromkeys("generated-domain dga".split(), _DGA),
    "dns-tunnel": Technique("T1071.004", "DNS", "Application Layer Protocol"),
    **dict.fromkeys("syn-flood neptune".split(), _SYN_FLOOD),
    "ddos": Technique("T1498", "Network Denial of Service"),
    "ssh-forward": Technique("T1572", "Protocol Tunneling"),
    "lateral": Technique("T1021", "Remote Services"),
    "reverse-shell": Technique("T1059", "Command and Scripting Interpreter"),
    "encoded-powershell": Technique("T1059.001", "PowerShell", "Command and Scripting Interpreter"),
    "download-cradle": Technique("T1105", "Ingress Tool Transfer"),
    "credential-dump": Technique("T1003", "OS Credential Dumping"),
    "shadow-deletion": Technique("T1490", "Inhibit System Recovery"),
    "log-wiping": Technique("T1070", "Indicator Removal"),
    "ransomware": Technique("T1486", "Data Encrypted for Impact"),
}
