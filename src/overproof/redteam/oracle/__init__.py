"""Prove that an edited event still does what it did, by running or parsing it; a file a domain, and the one table."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.redteam.base import Oracle
from overproof.redteam.oracle import (
    dns,
    flow,
    format_string,
    html,
    http,
    jndi,
    ldap,
    line,
    nosql,
    path,
    plain,
    powershell,
    shell,
    sql,
    ssi,
    template,
    url,
    xml,
    xpath,
)

ORACLES: Mapping[str, Oracle] = {
    "dns": dns.judge,
    "flow": flow.judge,
    "format_string": format_string.judge,
    "html": html.html_oracle,
    "http": http.judge,
    "jndi": jndi.judge,
    "ldap": ldap.judge,
    "line": line.judge,
    "nosql": nosql.judge,
    "path": path.judge,
    "plain": plain.judge,
    "powershell": powershell.judge,
    "shell": shell.judge,
    "sql": sql.judge,
    "ssi": ssi.judge,
    "template": template.judge,
    "url": url.judge,
    "xml": xml.judge,
    "xpath": xpath.judge,
}
