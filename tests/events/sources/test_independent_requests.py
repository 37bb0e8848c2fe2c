"""Requests in the logs of servers, proxies and balancers: as many, and the same, as other programs find in them.

The logs are written by the rules of whoever writes them; what stands in them is as odd as a client can make it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from overproof.events.sources import Rejects, load_events

from .independent import goaccess, jq, lnav, said

ODD = (
    "'",
    '"',
    "\\",
    "%27",
    "%",
    "{",
    "}",
    "#",
    "|",
    "+",
    ";",
    "[",
    "]",
    ":",
    "é",
    "日",
    "<",
    "=",
    "&",
    "a",
    "Z",
    "/",
    ",",
    "$",
)
HEADER_TOO = (" ", "\t", "() { :;}; x", " - ", '" "', '" 200 5 "', "\x7f", "\x1b[31m", "-")


class Request(NamedTuple):
    method: str
    target: str
    agent: str


def _requests() -> list[Request]:
    random = Random(15)
    found = []
    for number in range(150):
        target = "".join(random.choices(ODD, k=random.randrange(12)))
        query = "".join(random.choices((*ODD, "?"), k=random.randrange(12)))
        agent = "".join(random.choices((*ODD, *HEADER_TOO), k=random.randrange(12)))
        path = f"/{number}{target}?x={query}" if number % 3 else f"/{number}{target}"
        found.append(Request(random.choice(("GET", "POST", "HEAD", "PROPFIND")), path, f"a{agent}z"))
    return found


REQUESTS = _requests()


def escaped(text: str) -> str:
    """As nginx, and AWS's load balancers, escape what they log."""
    return "".join(
        c if " " <= c <= "~" and c not in '"\\' else "".join(rf"\x{b:02X}" for b in c.encode()) for c in text
    )


def apache(text: str) -> str:
    """As Apache does (ap_escape_logitem)."""
    short = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t"}
    return "".join(short.get(c) or (c if " " <= c <= "~" else "".join(rf"\x{b:02x}" for b in c.encode())) for c in text)


def hashed(text: str) -> str:
    """As HAProxy does (8.2.3 of its manual, and what tells captured headers apart)."""
    return "".join(
        c if " " <= c <= "~" and c not in '"#{}|' else "".join(f"#{b:02X}" for b in c.encode()) for c in text
    )


def encoded(text: str) -> str:
    """As CloudFront does: percent-encoded, what was encoded already too."""
    return quote(text, safe="/?=&:;,+!*.~-_()")


def encoded_once(text: str) -> str:
    """What it encoded, less what it encoded a second time."""
    return re.sub("%25(?=[0-9A-Fa-f]{2})", "%", encoded(text))


def unquoted(text: str) -> str:
    """As S3 logs what has no quotes, which it does not escape, and other programs end a field at."""
    return text.replace('"', "'")


def bare(text: str) -> str:
    """As Traefik logs what has neither quotes nor backslashes: it escapes nothing, and other programs read escapes."""
    return text.replace('"', "'").replace("\\", "'")


def plus(text: str) -> str:
    """As IIS does to what would divide its fields."""
    return re.sub("[ \t]", "+", text)


def unescaped(logged: str) -> str:
    """What Python makes of such escapes."""
    return codecs.escape_decode(logged.encode())[0].decode()


ALB = (
    'https 2018-07-02T22:23:00.186641Z app/lb/50dc 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "{method} '
    'https://www.example.com:443{target} HTTP/1.1" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
    'arn:aws:elasticloadbalancing:us-east-2:1:targetgroup/a/7 "Root=1-58337281-1d84f3" "www.example.com" '
    '"arn:aws:acm:us-east-2:1:certificate/1" 1 2018-07-02T22:22:48.364000Z "waf,forward" "-" "-" "10.0.0.1:80" "200"'
    ' "-" "-"'
)
ELB = (
    "2015-05-13T23:39:43.945958Z lb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "
    '"{method} http://www.example.com:80{target} HTTP/1.1" "{agent}" - -'
)
COMBINED = '192.0.2.7 - bob [10/Oct/2023:13:55:36 +0000] "{method} {target} HTTP/1.1" 200 5 "http://r.test/" "{agent}"'
TRAEFIK = f'{COMBINED} 17 "web@docker" "http://10.0.0.5:80" 2ms'
TRAEFIKCLF = '%h - %e [%d:%t %^] "%r" %s %b "%R" "%u" %^ "%v" "%U" %Lms'  # as later versions of GoAccess call it
HAPROXY = (
    "Feb  6 12:14:14 localhost haproxy[14389]: 192.0.2.7:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 "
    '10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {{shop.test|{agent}}} {{}} "{method} {target} HTTP/1.1"'
)
SQUID = (
    "Jan  5 07:06:24 px squid[1]: 1767596784.100     89 192.0.2.7 TCP_MISS/200 1024 {method} "
    "http://example.com{target} bob HIER_DIRECT/10.0.0.1 text/html"
)
S3 = (
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.7 "
    '79a59 3E57427F3EXAMPLE REST.GET.OBJECT a.jpg "{method} {target} HTTP/1.1" 200 - 113 - 7 - "-" "{agent}" -'
)
IIS = (
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-01-05 07:00:00\n#Fields: date "
    "time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken\n"
)
IIS_ROW = "2026-01-05 07:00:00 192.0.2.1 {method} {stem} {query} 443 - 198.51.100.9 {agent} 200 15"
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
    "cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol "
    "cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version "
    "fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type "
    "sc-content-len sc-range-start sc-range-end\n"
)
CLOUDFRONT_ROW = (
    "2026-01-05\t07:00:00\tIAD89\t57\t198.51.100.9\t{method}\td1.cloudfront.net\t{stem}\t200\t-\t{agent}\t{query}\t-"
    "\tHit\tREQ==\tshop.test\thttps\t57\t0.001\t-\tTLSv1.2\tECDHE\tHit\tHTTP/2.0\t-\t-\t2817"
    "\t0.001\tHit\ttext/html\t57\t-\t-"
)


def written(row: str, escape: Callable[[str], str], head: str = "") -> str:
    rows = []
    for method, target, agent in REQUESTS:
        stem, _, query = target.partition("?")
        parts = {"target": target, "stem": stem, "query": query, "agent": agent}
        rows.append(row.format(method=method, **{name: escape(part) or "-" for name, part in parts.items()}) + "\n")
    return head + "".join(rows)


def ours(path: Path, data: str, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the events, of which nothing was rejected."""
    path.write_text(data)
    rejects = Rejects()
    table = load_events(path, rejects=rejects)
    assert rejects.summary() == {}
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def _of_lnav(row: dict[str, Any]) -> Request:
    agent = row.get("cs_user_agent") or row.get("user_agent") or json.loads(row["cs_headers"])["User-Agent"]
    query = "" if row["cs_uri_query"] is None else f"?{row['cs_uri_query']}"
    return Request(row["cs_method"], row["cs_uri_stem"] + query, agent)


@pytest.mark.parametrize(
    ("table", "row", "escape", "before"),
    [
        ("access_log", COMBINED, escaped, ""),
        ("alb_log", ALB, escaped, "https://www.example.com:443"),
        ("elb_log", ELB, escaped, "http://www.example.com:80"),
    ],
    ids=["nginx", "alb", "elb"],
)
def test_requests_are_those_of_lnav(
    tmp_path: Path, table: str, row: str, escape: Callable[[str], str], before: str
) -> None:
    found = ours(tmp_path / "a.log", written(row, escape), "method", "url", "user_agent")
    theirs = [Request(*map(unescaped, _of_lnav(row))) for row in lnav(tmp_path / "a.log", table)]
    assert found == [each._replace(target=each.target.removeprefix(before)) for each in theirs]
    assert found == REQUESTS


def test_requests_of_iis_are_those_of_lnav(tmp_path: Path) -> None:
    found = ours(tmp_path / "a.log", written(IIS_ROW, plus, IIS), "method", "url", "user_agent")
    assert found == [(method, target, plus(agent).replace("+", " ")) for method, target, agent in REQUESTS]
    theirs = [(row["cs_method"], row["cs_uri_stem"]) for row in lnav(tmp_path / "a.log", "w3c_log")]
    assert len(theirs) == len(found)
    for (method, url, _), their in zip(found, theirs, strict=True):
        if '"' not in url:  # at which lnav begins a quoted field, as IIS does not
            assert their == (method, url.partition("?")[0])


@pytest.mark.parametrize(
    ("form", "row", "escape", "head", "shown"),
    [
        ("COMBINED", COMBINED, escaped, "", str),
        (TRAEFIKCLF, TRAEFIK, bare, "", bare),
        ("VCOMBINED", f"shop.test:443 {COMBINED}", apache, "", str),
        ("AWSALB", ALB, escaped, "", str),
        ("AWSS3", S3, unquoted, "", unquoted),
        ("SQUID", SQUID, encoded, "", encoded),
        ("CLOUDFRONT", CLOUDFRONT_ROW, encoded, CLOUDFRONT, encoded_once),
    ],
)
def test_as_many_requests_as_goaccess_counts(
    tmp_path: Path, form: str, row: str, escape: Callable[[str], str], head: str, shown: Callable[[str], str]
) -> None:
    found = ours(tmp_path / "a.log", written(row, escape, head), "method", "url")
    assert found == [(method, shown(target)) for method, target, _ in REQUESTS]
    counts, theirs = goaccess(tmp_path / "a.log", form)
    assert counts == {"total": len(found), "valid": len(found), "failed": 0}
    assert len(theirs) == len(set(found))


def test_requests_of_haproxy_are_those_of_halog(tmp_path: Path) -> None:
    found = ours(tmp_path / "a.log", written(HAPROXY, hashed), "method", "url", "text", "host")
    assert [row[:2] for row in found] == [row[:2] for row in REQUESTS]
    for (_, _, text, _), (_, _, agent) in zip(found, REQUESTS, strict=True):
        assert agent in text or not set(agent) & set("<>{}'|\\$")  # a captured header of which no name is known
    assert {host for *_, host in found} == {"shop.test"}
    log = (tmp_path / "a.log").read_bytes()
    table = said("halog", "-u", "-query", "-q", given=log).decode().splitlines()[1:]
    theirs = Counter({url: int(row.split(" ", 1)[0]) for row in table for url in row.split(" ", 8)[8:]})
    assert theirs == Counter(hashed(target) for _, target, _ in REQUESTS)


JSON: dict[str, tuple[Callable[[Request], Any], str]] = {
    "caddy": (
        lambda each: {
            "level": "info",
            "ts": 1646861401.5241024,
            "logger": "http.log.access",
            "msg": "handled request",
            "request": {"remote_ip": "192.0.2.7", "proto": "HTTP/2.0", "method": each.method, "host": "shop.test",
                        "uri": each.target, "headers": {"User-Agent": [each.agent], "Accept": ["*/*"]}},
            "status": 200,
        },
        '[.request.method, .request.uri, .request.headers["User-Agent"][0]]',
    ),
    "traefik": (
        lambda each: {"ClientHost": "192.0.2.7", "DownstreamStatus": 200, "RequestMethod": each.method,
                      "RequestPath": each.target, "request_User-Agent": each.agent, "time": "2026-01-05T07:00:00Z"},
        '[.RequestMethod, .RequestPath, .["request_User-Agent"]]',
    ),
    "envoy": (
        lambda each: {"start_time": "2026-01-05T07:00:00.000Z", "method": each.method, "path": each.target,
                      "response_code": 200, "user_agent": each.agent, "authority": "shop.test"},
        "[.method, .path, .user_agent]",
    ),
    "google": (
        lambda each: {"insertId": "1", "timestamp": "2026-01-05T07:00:00Z", "httpRequest": {
                      "requestMethod": each.method, "requestUrl": f"https://shop.test{each.target}", "status": 200,
                      "userAgent": each.agent}},
        '.httpRequest | [.requestMethod, (.requestUrl | sub("^https://shop.test"; "")), .userAgent]',
    ),
}  # fmt: skip


@pytest.mark.parametrize("server", JSON)
@pytest.mark.parametrize("ascii", [True, False], ids=["escaped", "raw"])
def test_requests_logged_as_json_are_those_of_jq(tmp_path: Path, server: str, ascii: bool) -> None:
    record, expression = JSON[server]
    data = "".join(json.dumps(record(each), ensure_ascii=ascii) + "\n" for each in REQUESTS)
    found = ours(tmp_path / "a.log", data, "method", "url", "user_agent")
    assert found == [tuple(each) for each in jq(data.encode(), expression)]
    assert found == REQUESTS


# what the documentation of both says that the format is; an operator becomes what its value is made of
ENVOY = (
    '[%START_TIME%] "%METHOD% %PATH% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% '
    '%DURATION% %UPSTREAM_SERVICE_TIME% "%FORWARDED%" "%AGENT%" "%ID%" "%AUTHORITY%" "%UPSTREAM_HOST%"'
)
ISTIO = (
    '[%START_TIME%] "%METHOD% %PATH% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% '
    '%CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_FAILURE%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%UPSTREAM_SERVICE_TIME% "%FORWARDED%" "%AGENT%" "%ID%" "%AUTHORITY%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% '
    "%UPSTREAM_LOCAL% %DOWNSTREAM_LOCAL% %DOWNSTREAM_REMOTE% %SERVER_NAME% %ROUTE_NAME%"
)
VALUES = {
    "START_TIME": "2026-01-05T07:00:00.310Z", "PROTOCOL": "HTTP/2", "RESPONSE_CODE": "200", "RESPONSE_FLAGS": "-",
    "RESPONSE_CODE_DETAILS": "via_upstream", "CONNECTION_TERMINATION_DETAILS": "-", "UPSTREAM_FAILURE": "-",
    "BYTES_RECEIVED": "0", "BYTES_SENT": "135", "DURATION": "5", "UPSTREAM_SERVICE_TIME": "4", "FORWARDED": "-",
    "ID": "84961386", "AUTHORITY": "shop.test", "UPSTREAM_HOST": "127.0.0.1:80",
    "UPSTREAM_CLUSTER": "inbound|8000||", "UPSTREAM_LOCAL": "127.0.0.1:44854", "DOWNSTREAM_LOCAL": "10.44.1.23:8000",
    "DOWNSTREAM_REMOTE": "10.44.1.27:37652", "SERVER_NAME": "-", "ROUTE_NAME": "default",
}  # fmt: skip


@pytest.mark.parametrize("form", [ENVOY, ISTIO], ids=["envoy", "istio"])
def test_requests_of_envoy_are_those_that_its_format_string_gives(tmp_path: Path, form: str) -> None:
    parts = {"METHOD": r"(\S+)", "PATH": r"(\S+)", "AGENT": "(.*)", "FORWARDED": '[^"]*'}
    pattern = re.compile(
        "".join(parts.get(one, r'[^\s"]+') if at % 2 else re.escape(one) for at, one in enumerate(form.split("%")))
    )
    rows = [{**VALUES, "METHOD": method, "PATH": target, "AGENT": agent} for method, target, agent in REQUESTS]
    log = [re.sub("%([A-Z_]+)%", lambda name, row=row: row[name[1]], form) for row in rows]  # type: ignore[misc]
    found = ours(tmp_path / "a.log", "".join(f"{line}\n" for line in log), "method", "url", "user_agent")
    matches = [pattern.fullmatch(line) for line in log]
    assert found == [match.groups() for match in matches if match]
    assert found == REQUESTS
