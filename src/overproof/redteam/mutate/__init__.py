"""Edits that keep what an event does, by construction; a file a domain, and the one table of them."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.redteam.base import Mutators
from overproof.redteam.mutate import (
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
    template_mako,
    url,
    xml,
    xpath,
)

MUTATORS: Mapping[str, Mutators] = {
    "dns": dns.MUTATORS,
    "flow": flow.MUTATORS,
    "format_string": format_string.MUTATORS,
    "html": html.MUTATORS,
    "http": http.MUTATORS,
    "jndi": jndi.MUTATORS,
    "ldap": ldap.MUTATORS,
    "line": line.MUTATORS,
    "nosql": nosql.MUTATORS,
    "path": path.MUTATORS,
    "plain": plain.MUTATORS,
    "powershell": powershell.MUTATORS,
    "shell": shell.MUTATORS,
    "sql": sql.MUTATORS,
    "ssi": ssi.MUTATORS,
    "template": {**template.MUTATORS, **template_mako.MUTATORS},
    "url": url.MUTATORS,
    "xml": xml.MUTATORS,
    "xpath": xpath.MUTATORS,
}
