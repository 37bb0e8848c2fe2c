"""List the simulated families: what there is, how much of it, and what it counts as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from overproof.events.simulate import commands, dns, flows, http, logs, sessions, webattacks
from overproof.events.simulate.words import Actor

Label = Literal["normal", "suspicious", "malicious"]
Domain = Literal["http", "dns", "session", "flow", "command", "log"]


@dataclass(frozen=True)
class Family:
    """One way to write the events of a family; a family may have several.

    Attributes
    ----------
    name, domain, label
        What the family is called, which sensor sees it, what it counts as.
    weight
        Share of the training events, relative to the other rows (they add up to about 100); a
        novel family's weight is its share of the test's novel events.
    write
        Writes one event about an actor.
    hard
        Benign, and built from the pieces of an attack.
    novel
        Held out of training.
    """

    name: str
    domain: Domain
    label: Label
    weight: float
    write: Callable[[Random, Actor], str]
    hard: bool = False
    novel: bool = False


ALONE: tuple[Family, ...] = (
    Family("page", "http", "normal", 5.0, http.page),
    Family("form", "http", "normal", 4.0, http.form),
    Family("lookup", "dns", "normal", 5.0, dns.lookup),
    Family("ssh-admin", "session", "normal", 2.5, sessions.ssh_admin),
    Family("tls", "session", "normal", 3.0, sessions.tls),
    Family("web-flow", "flow", "normal", 2.5, flows.web_flow),
    Family("office", "flow", "normal", 2.5, flows.office),
    Family("shell-work", "command", "normal", 4.0, commands.shell_work),
    Family("access", "log", "normal", 2.5, logs.access),
    Family("application", "log", "normal", 2.5, logs.application),
    Family("login", "log", "normal", 2.5, logs.login),
    # benign, and hard to tell
    Family("odd-names", "http", "normal", 2.0, http.odd_names, hard=True),
    Family("tutorial-page", "http", "normal", 0.8, http.tutorial_page, hard=True),
    Family("inline-image", "http", "normal", 0.7, http.inline_image, hard=True),
    Family("allowed-scan", "http", "normal", 0.9, http.allowed_scan, hard=True),
    Family("mail-merge", "http", "normal", 0.5, webattacks.mail_merge, hard=True),
    Family("xml-body", "http", "normal", 0.5, webattacks.xml_body, hard=True),
    Family("hash-named", "dns", "normal", 1.2, dns.hash_named, hard=True),
    Family("tls-appliance", "session", "normal", 0.6, sessions.tls_appliance, hard=True),
    Family("backup", "flow", "normal", 0.8, flows.backup, hard=True),
    Family("nat-gateway", "flow", "normal", 0.9, flows.nat_gateway, hard=True),
    Family("encoded-work", "command", "normal", 1.5, commands.encoded_work, hard=True),
    Family("port-check", "command", "normal", 0.7, commands.port_check, hard=True),
    # suspicious
    Family("sqli-probe", "http", "suspicious", 1.1, webattacks.sqli_probe),
    Family("probing", "http", "suspicious", 2.6, webattacks.probing),
    Family("young-domain", "dns", "suspicious", 2.2, dns.young_domain),
    Family("ssh-unknown", "session", "suspicious", 1.4, sessions.ssh_unknown),
    Family("tls-self-signed", "session", "suspicious", 1.8, sessions.tls_self_signed),
    Family("tls-odd", "session", "suspicious", 1.2, sessions.tls_odd),
    Family("port-sweep", "flow", "suspicious", 1.4, flows.port_sweep),
    Family("encoded-recon", "command", "suspicious", 1.0, commands.encoded_recon),
    Family("recon", "command", "suspicious", 2.0, commands.recon),
    Family("persistence", "command", "suspicious", 1.5, commands.persistence),
    Family("failed-logins", "log", "suspicious", 2.6, logs.failed_logins),
    # malicious
    Family("sqli", "http", "malicious", 1.6, webattacks.sqli),
    Family("command-injection", "http", "malicious", 1.0, webattacks.command_injection),
    Family("xss", "http", "malicious", 1.4, webattacks.xss),
    Family("path-traversal", "http", "malicious", 1.5, webattacks.path_traversal),
    Family("generated-domain", "dns", "malicious", 1.4, dns.generated_domain),
    Family("tunnel", "dns", "malicious", 1.2, dns.tunnel),
    Family("ssh-brute-force", "session", "malicious", 1.0, sessions.ssh_brute_force),
    Family("port-scan", "flow", "malicious", 0.8, flows.port_scan),
    Family("encoded-powershell", "command", "malicious", 1.8, commands.encoded_powershell),
    Family("download-cradle", "command", "malicious", 1.4, commands.download_cradle),
    Family("reverse-shell", "command", "malicious", 1.2, commands.reverse_shell),
    Family("broken-in", "log", "malicious", 1.3, logs.broken_in),
    Family("privilege-escalation", "log", "malicious", 0.6, logs.privilege_escalation),
    # rare
    Family("ssti", "http", "malicious", 0.5, webattacks.ssti),
    Family("xxe", "http", "malicious", 0.4, webattacks.xxe),
    Family("webshell", "http", "malicious", 0.4, webattacks.webshell),
    Family("ssh-forward", "session", "suspicious", 0.3, sessions.ssh_forward),
    Family("syn-flood", "flow", "malicious", 0.3, flows.syn_flood),
    Family("lateral", "flow", "malicious", 0.4, flows.lateral),
    Family("credential-dump", "command", "malicious", 0.5, commands.credential_dump),
)

# Twins are written from the same draws about the same actor and share a group: the same words, put together
# in two ways that count as two things. A name or a keyword says nothing here; only the composition does.
TWINS: tuple[tuple[Family, Family], ...] = (
    (
        Family("quoted-injection", "http", "normal", 0.6, webattacks.sqli_in_prose, hard=True),
        Family("sqli", "http", "malicious", 0.6, webattacks.sqli_in_key),
    ),
    (
        Family("quoted-injection", "http", "normal", 0.4, webattacks.command_in_prose, hard=True),
        Family("command-injection", "http", "malicious", 0.4, webattacks.command_in_key),
    ),
    (
        Family("quoted-markup", "http", "normal", 0.7, webattacks.markup_in_code, hard=True),
        Family("xss", "http", "malicious", 0.7, webattacks.markup_after_code),
    ),
    (
        Family("relative-path", "http", "normal", 0.3, webattacks.climb_within, hard=True),
        Family("path-traversal", "http", "malicious", 0.3, webattacks.climb_out),
    ),
    (
        Family("webhook", "http", "normal", 0.5, webattacks.webhook, hard=True),
        Family("ssrf", "http", "malicious", 0.5, webattacks.ssrf),
    ),
    (
        Family("ssh-new-host", "session", "normal", 0.6, sessions.ssh_new_host, hard=True),
        Family("ssh-unknown", "session", "suspicious", 0.6, sessions.ssh_unknown),
    ),
    (
        Family("slow-scan", "flow", "suspicious", 0.9, flows.slow_scan),
        Family("port-scan", "flow", "malicious", 0.9, flows.port_scan),
    ),
    (
        Family("monitoring", "flow", "normal", 0.8, flows.monitoring, hard=True),
        Family("beacon", "flow", "malicious", 0.8, flows.beacon),
    ),
    (
        Family("bulk-arrival", "flow", "normal", 0.2, flows.bulk_arrival, hard=True),
        Family("exfiltration", "flow", "malicious", 0.2, flows.exfiltration),
    ),
    (
        Family("admin-download", "command", "normal", 1.0, commands.admin_download, hard=True),
        Family("download-cradle", "command", "malicious", 1.0, commands.documented_cradle),
    ),
    (
        Family("log-rotation", "command", "normal", 1.0, commands.log_rotation, hard=True),
        Family("log-wiping", "command", "suspicious", 1.0, commands.log_wiping),
    ),
    (
        Family("delegated-grant", "log", "normal", 1.0, logs.delegated_grant, hard=True),
        Family("privilege-escalation", "log", "malicious", 1.0, logs.reversed_grant),
    ),
    (
        Family("approved-change", "log", "normal", 1.0, logs.approved_change, hard=True),
        Family("unapproved-change", "log", "suspicious", 1.0, logs.unapproved_change),
    ),
    (
        Family("audit-pause", "log", "normal", 0.3, logs.audit_pause, hard=True),
        Family("audit-gap", "log", "malicious", 0.3, logs.audit_gap),
    ),
)

NOVEL: tuple[Family, ...] = (
    Family("nosqli", "http", "malicious", 1.0, webattacks.nosqli, novel=True),
    Family("lookup-injection", "http", "malicious", 1.0, webattacks.lookup_injection, novel=True),
    Family("rebinding", "dns", "suspicious", 1.0, dns.rebinding, novel=True),
    Family("shadow-deletion", "command", "malicious", 1.0, commands.shadow_deletion, novel=True),
    Family("password-spray", "log", "malicious", 1.0, logs.password_spray, novel=True),
)
