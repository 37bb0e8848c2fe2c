"""Ask the OWASP core rule set, as Debian ships it, about the same requests and attacks, at each paranoia level.

nginx with libmodsecurity3 and modsecurity-crs on loopback, a server a level, the packages' own configuration: an
anomaly score of 5 blocks. A benign request is sent with its values where they were; an attack is the value of a query
parameter of an otherwise clean request.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray
from traffic import Request, attack_sets, requests, share, share_by_site, share_cell

LEVELS = (1, 2, 3, 4)
NGINX = Path("/usr/sbin/nginx")
MODULE = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
ENGINE = Path("/etc/nginx/modsecurity.conf")
SETUP, RULES = Path("/etc/modsecurity/crs/crs-setup.conf"), Path("/usr/share/modsecurity-crs/rules")
PACKAGES = "nginx libnginx-mod-http-modsecurity modsecurity-crs"
STARTS = 30  # seconds
PASSED, BLOCKED = 200, 403

SERVER = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log crit;
load_module {module};
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_requests 1000000; large_client_header_buffers 8 64k; client_max_body_size 8m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{site}; location / {{ return 200; }} }}
  {levels}
}}
"""
LEVEL = """
  server {{
    listen 127.0.0.1:{port}; modsecurity on; modsecurity_rules_file {folder}/level-{level}.conf;
    location / {{ proxy_pass http://127.0.0.1:{site}; }}
  }}
"""
# The engine of the package answers 400 to 1,000 arguments (200007), whatever they are; two of the requests have more.
LEVEL_RULES = """
Include {engine}
SecRuleEngine On
SecAuditEngine Off
SecResponseBodyAccess Off
SecArgumentsLimit 10000
SecRuleRemoveById 200007
Include {setup}
SecAction "id:900000,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level={level}"
Include {rules}/*.conf
"""

CLEAN = {"Host": "www.example.com", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0", "Accept": "*/*"}
# The data has headers' values without their names: those that can be told by their form get them back.
HEADERS = (
    (r"gzip.*|identity.*", "Accept-Encoding"),
    (r'.*";v="\d+".*', "Sec-CH-UA"),
    (r"\?\d", "Sec-CH-UA-Mobile"),
    (r'"(Windows|macOS|Linux|Android)"', "Sec-CH-UA-Platform"),
    (r"cross-site|same-origin|same-site|none", "Sec-Fetch-Site"),
    (r"cors|no-cors|navigate", "Sec-Fetch-Mode"),
    (r"empty|image|script|style|iframe|document|font|report|video", "Sec-Fetch-Dest"),
    (r"XMLHttpRequest", "X-Requested-With"),
    (r"max-age=.*|no-cache", "Cache-Control"),
    (r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "If-Modified-Since"),
)
VISIBLE = "".join(chr(c) for c in range(0x21, 0x7F))


@dataclass
class Message:
    """An HTTP request to be sent."""

    target: str
    headers: dict[str, str] = field(default_factory=lambda: dict(CLEAN))
    body: bytes | None = None


def written(request: Request) -> Message:
    """Put each value where it was; names of parameters, cookies and JSON fields are not in the data.

    What the data does not tell is chosen in favour of the rules: the host is the referer's, so that a site's own links
    are none to other sites; raw bodies are left out, as a wrong content type would be what is blocked.
    """
    parts: dict[str, list[str]] = {}
    for where, text in request.values:
        parts.setdefault(where, []).append(text)
    query = [*parts.get("query", ()), *(json.dumps({"k": text}) for text in parts.get("query-json", ()))]
    message = Message(quote(parts["path"][0], safe="/:@!$&'()*+,;=~"))
    if query:
        message.target += "?" + urlencode([(f"q{i}", text) for i, text in enumerate(query)], errors="surrogatepass")
    for i, text in enumerate(parts.get("header", ())):
        name = next((name for form, name in HEADERS if re.fullmatch(form, text)), f"X-Value-{i}")
        message.headers[name if name not in message.headers else f"X-Value-{i}"] = _visible(text, " ")
    if "referer" in parts:
        message.headers["Referer"] = _visible(parts["referer"][0])
        message.headers["Host"] = urlsplit(message.headers["Referer"]).netloc or CLEAN["Host"]
    if "cookie" in parts:
        message.headers["Cookie"] = "; ".join(
            f"c{i}={_visible(t, without=';,')}" for i, t in enumerate(parts["cookie"])
        )
    if "body-json" in parts:
        message.headers["Content-Type"] = "application/json"
        message.body = json.dumps({f"k{i}": text for i, text in enumerate(parts["body-json"])}).encode()
    elif "body-form" in parts:
        message.headers["Content-Type"] = "application/x-www-form-urlencoded"
        message.body = urlencode(
            [(f"f{i}", text) for i, text in enumerate(parts["body-form"])], errors="surrogatepass"
        ).encode()
    return message


def _visible(text: str, also: str = "", without: str = "") -> str:
    """Percent-encode what may not stand in a header."""
    return quote(text, safe="".join(c for c in VISIBLE + also if c not in without), errors="surrogatepass").strip()


def carrying(attack: str) -> Message:
    """Make an otherwise clean request with an attack as its parameter's value."""
    return Message("/search?q=" + quote(attack, safe="", errors="surrogatepass"))


@contextmanager
def servers() -> Iterator[dict[int, int]]:
    """Run nginx on loopback and yield the port of each paranoia level; it is stopped and its files are removed."""
    with tempfile.TemporaryDirectory() as folder:
        site, *ports = _free_ports(1 + len(LEVELS))
        levels = []
        for level, port in zip(LEVELS, ports, strict=True):
            rules = LEVEL_RULES.format(engine=ENGINE, setup=SETUP, rules=RULES, level=level)
            Path(folder, f"level-{level}.conf").write_text(rules)
            levels.append(LEVEL.format(port=port, folder=folder, level=level, site=site))
        config = Path(folder, "nginx.conf")
        config.write_text(SERVER.format(folder=folder, module=MODULE, site=site, levels="".join(levels)))
        command = [str(NGINX), "-c", str(config), "-p", folder]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                _wait(process, ports)
                yield dict(zip(LEVELS, ports, strict=True))
            finally:
                process.terminate()


def _free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _wait(process: subprocess.Popen[str], ports: Iterable[int]) -> None:
    until = monotonic() + STARTS
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or monotonic() > until:
                    process.kill()
                    raise RuntimeError(f"nginx did not start: {process.communicate()[1]}") from None
                sleep(0.1)


def blocked(messages: Iterable[Message], port: int) -> NDArray[np.bool_]:
    """Send each request and tell which were blocked; RuntimeError for any answer but 200 and 403."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    flags = []
    for message in messages:
        connection.putrequest("GET" if message.body is None else "POST", message.target, True, True)
        for name, value in message.headers.items():
            connection.putheader(name, value)
        if message.body is not None:
            connection.putheader("Content-Length", str(len(message.body)))
        connection.endheaders(message.body)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (PASSED, BLOCKED):
            raise RuntimeError(f"the server answered {answer.status}, expected {PASSED} or {BLOCKED}: {message.target}")
        flags.append(answer.status == BLOCKED)
    connection.close()
    return np.array(flags)


def absent() -> str | None:
    """Say what is missing to run the rule set, and how to get it; None where nothing is."""
    missing = [str(path) for path in (NGINX, MODULE, ENGINE, SETUP, RULES) if not path.exists()]
    return f"{missing[0]} is not there; install Debian's {PACKAGES}" if missing else None


def version() -> str:
    """Return the installed versions of the packages."""
    form = "${Package} ${Version}\\n"
    command = ["dpkg-query", "-W", "-f", form, "libmodsecurity3", "modsecurity-crs"]
    return ", ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def measured() -> dict[str, Any]:
    """Blocked benign requests and attacks at each paranoia level."""
    benign = requests()
    sites = [request.site for request in benign]
    attacks = {name: events["text"].to_pylist() for name, events in attack_sets().items()}
    result: dict[str, Any] = {"version": version(), "levels": {}}
    with servers() as ports:
        for level, port in ports.items():
            of_level = {"requests": share_by_site(blocked(map(written, benign), port), sites)}
            of_level |= {name: share(blocked(map(carrying, texts), port)) for name, texts in attacks.items()}
            result["levels"][str(level)] = of_level
    return result


def to_markdown(result: dict[str, Any]) -> str:
    """One row a paranoia level."""
    names = list(next(iter(result["levels"].values())))
    head = ["paranoia level", "benign requests blocked", "lowest and highest site", *names[1:]]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for level, counted in result["levels"].items():
        of_sites = counted["requests"]
        spread = f"{100 * of_sites['least']:.1f} … {100 * of_sites['most']:.1f} %"
        cells = [share_cell(counted[name]) for name in names]
        lines.append(f"| {level} | {cells[0]} | {spread} | {' | '.join(cells[1:])} |")
    counts = ", ".join(f"{counted['n']:,}" for counted in next(iter(result["levels"].values())).values())
    return "\n".join([*lines, "", f"{result['version']}. Events of the columns: {counts}; in brackets 95 % intervals."])
