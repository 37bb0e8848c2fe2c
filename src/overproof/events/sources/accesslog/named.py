"""Read requests that a log holds as JSON, by the names of their parts, whoever chose the form.

nginx and Apache write whatever object their configuration says (`log_format`, `LogFormat`), clouds and CDNs one of
their own: AWS WAF and API Gateway, Azure's Application Gateway and Front Door, Cloudflare, Akamai, Fastly; Filebeat
writes ECS's (https://www.elastic.co/docs/reference/ecs). Names are compared without case and punctuation, and count
where the request stands: in the object of its target, at the top, or whole (`http.request.method`). What has a text or
a label of its own is a table. Whatever else a client may have sent stands behind the request if it holds what headers
rarely do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from overproof.events.sources.accesslog.escapes import clock
from overproof.events.sources.batch import MOST_COLUMNS
from overproof.events.sources.interface import DEFAULT_NAMES
from overproof.events.sources.json_record import record_of
from overproof.events.sources.nested import names_within
from overproof.events.sources.values import integer, seconds, string, when
from overproof.events.sources.web import LoggedRequest, split_request, split_url
from overproof.events.templates.http import percent_decoded

Record = Mapping[Any, Any]
Places = Mapping[str, tuple[str, ...]]  # of each role the names that may hold it, the best first

_ROLES = {
    role: {name: rank for rank, name in enumerate(names.split())}
    for role, names in {
        "line": "request requestline",
        "target": "originalrequesturiwithargs requesturi clientrequesturi urloriginal requesturl uri url urlfull"
        " csuristem requestpath clientrequestpath urlpath reqpath path",
        "query": "args querystring query requestquery clientrequestquery csuriquery urlquery querystr queryargs",
        "method": "requestmethod httpmethod clientrequestmethod httprequestmethod csmethod reqmethod method verb",
        "client": "remoteaddr clientip remoteip remotehost clientaddress clientaddr srcip sourceip sourceaddress cip"
        " cliip downstreamremoteaddress sourceips client ip",
        "client_port": "remoteport clientport clientsrcport sourceport srcport",
        "host": "httphost requesthost clientrequesthost authority vhost virtualhost cshost reqhost originalhost"
        " urldomain domain host hostname servername",
        "agent": "httpuseragent useragent useragentoriginal requestuseragent clientrequestuseragent csuseragent agent"
        " ua",
        "referer": "httpreferer httpreferrer referer referrer requestreferer clientrequestreferer"
        " httprequestreferrer csreferer",
        "cookie": "httpcookie cookie requestcookie",
        "status": "status statuscode httpstatus httpstatuscode responsestatus edgeresponsestatus responsecode"
        " httpresponsestatuscode scstatus code",
        "time": "timestamp time timeiso8601 datetime edgestarttimestamp timelocal msec ts starttime reqtimesec"
        " startedat requestreceivedtimestamp eventtime requesttime date",
        "user": "remoteuser user username csusername",
        "body": "requestbody body postdata httprequestbodycontent reqbody",
        "server": "serveraddr serverip destinationip",
    }.items()
}  # fmt: skip
_SENT_AS = {"host": "host", "useragent": "agent", "referer": "referer", "cookie": "cookie"}  # among headers
_HEADERS = {"headers", "requestheaders", "reqheaders", "httprequestheaders"}
_NO_CLIENT_WROTE = re.compile(r"response|resp_|^rsp|upstream|route|cluster|@type", re.IGNORECASE)
_MESSAGES = ("textpayload", "jsonpayload.message")  # of Google's, beside the request at which a program wrote them
_OTHER_TEXTS = frozenset(DEFAULT_NAMES["text"]) - {"request"}
_PROOFS = ("client", "status", "agent")
_DEEPEST = 4  # levels of objects
_REMEMBERED = 4096  # characters of all names, of which the places are remembered
_CLIENT = re.compile(r"\[?([0-9a-fA-F:]+:[0-9a-fA-F:.]*|[0-9.]+)\]?:([0-9]{1,5})")


def is_request(record: dict[Any, Any]) -> bool:
    """Tell whether an object is a logged request."""
    return _found(record) is not None


def read_named(line: bytes) -> LoggedRequest | None:
    """Read a line; None where it is no request."""
    record = record_of(line)
    return None if isinstance(record, str) else to_request(record)


def to_request(record: dict[Any, Any]) -> LoggedRequest | None:
    """Read an object; None where it is no request."""
    found = _found(record)
    return None if found is None else _request(*found)


def _found(record: dict[Any, Any]) -> tuple[dict[str, Any], Places] | None:
    """Return the values of a request under their names, and where its parts are."""
    folded = {key.lower(): value for key, value in record.items() if isinstance(key, str)}
    if any(name in folded for name in DEFAULT_NAMES["label"]):
        return None
    if any(isinstance(folded.get(name), str) and folded[name] for name in _OTHER_TEXTS):
        return None
    values = dict(_leaves(record))
    if len(values) > MOST_COLUMNS:  # no request has so many parts, and each is looked for in its target
        return None
    names = tuple(values)
    places = (_remembered if sum(map(len, names)) < _REMEMBERED else _places)(names)
    if "event.original" in values or "log.original" in values or places is None:
        return None
    return values, places


def _leaves(record: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and value of whatever is no object; an object may be written as text, and headers as a list."""
    properties = record.get("properties")
    if isinstance(properties, str) and properties.startswith("{"):
        inside = record_of(properties.encode("utf-8", "backslashreplace"))
        record = record if isinstance(inside, str) else {**record, "properties": inside}
    for name, value in names_within(record, levels=_DEEPEST):
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            for place, each in enumerate(value):
                if {"name", "value"} <= each.keys():
                    yield f"{name}.{string(each['name'])}", each["value"]
                else:
                    yield from names_within(each, f"{name}.{place}.", _DEEPEST)
        else:
            yield name, value


def _places(names: tuple[str, ...]) -> Places | None:
    """Find the parts of a request among the names of an object; None where it is none."""
    split = [(name, *_parts(name)) for name in names]
    targets = [(rank, before) for name, before, last in split if (rank := _rank("target", name, last)) is not None]
    lines = [("", before) for name, before, last in split if last in _ROLES["line"]]
    if not targets and not lines:
        return None
    base = (min(targets) if targets else lines[0])[1]
    found: dict[str, list[tuple[int, str]]] = {}
    for name, before, last in split:
        among_headers = _letters(before.rpartition(".")[2]) in _HEADERS
        for role in _ROLES:
            rank = _rank(role, name, last if before in ("", base) else "")
            if rank is None and among_headers and _SENT_AS.get(last) == role:
                rank = -1
            if rank is not None:
                found.setdefault(role, []).append((rank, name))
    proofs = sum(role in found for role in _PROOFS)
    whole = not {"line", "method"}.isdisjoint(found) or any(last.endswith("requesturi") for _, _, last in split)
    if not whole or proofs < (1 if targets else 2):
        return None
    return {role: tuple(name for _, name in sorted(ranked)) for role, ranked in found.items()}


_remembered = lru_cache(256)(_places)


def _parts(name: str) -> tuple[str, str]:
    before, _, last = name.rpartition(".")
    return before, _letters(last)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _rank(role: str, name: str, last: str) -> int | None:
    rank = _ROLES[role].get(last)
    return _ROLES[role].get(_letters(name)) if rank is None else rank


def _request(values: dict[str, Any], places: Places) -> LoggedRequest:
    used: set[str] = set()

    def take(role: str) -> str | None:
        """Return the first of a role that is set; the others may be something else."""
        for name in places.get(role, ()):
            value = _text(values[name])
            if value is not None and name not in used:
                used.add(name)
                return value
        return None

    method, target = split_request(take("line"))
    method, address = take("method") or method, take("target")
    query = take("query")
    if target is None:
        target = address
    elif address is not None and address not in target and address not in percent_decoded(target):
        used.discard(next(name for name in places["target"] if _text(values[name]) == address))
    if target is not None and query is not None and "?" not in target:
        target = f"{target}?{query.removeprefix('?')}"
    host, path = split_url(target)
    time = next((found for name in places.get("time", ()) if (found := _time(values[name]))), None)
    used.update(places.get("time", ()))
    client, client_port = take("client"), integer(take("client_port"))
    if match := _CLIENT.fullmatch(client or ""):
        client, client_port = match[1], client_port or int(match[2])
    request = LoggedRequest(
        method,
        path,
        time,
        client,
        client_port,
        take("server"),
        host=take("host") or host,
        agent=take("agent"),
        referer=take("referer"),
        cookie=take("cookie"),
        status=integer(take("status")),
        user=take("user"),
        body=take("body"),
    )
    further = [*_further(values, used, request)]
    said = [text for name, text in further if name in _MESSAGES]
    return request._replace(headers=[pair for pair in further if pair[0] not in _MESSAGES], others=said)


def _further(values: dict[str, Any], used: set[str], request: LoggedRequest) -> Iterator[tuple[str, str]]:
    """Yield what else a client may have sent, but nothing that stands in the request already."""
    target = request.target or ""
    there = {target, percent_decoded(target)}
    said = {request.method, request.host, request.agent, request.referer, request.cookie, request.user, request.body}
    for name, value in values.items():
        text = _text(value)
        if name in used or text is None or _NO_CLIENT_WROTE.search(name):
            continue
        repeated = any(text in each for each in there) or (len(target) > 1 and text.endswith(target))
        if text not in said and not repeated:
            before, _, last = name.rpartition(".")
            header = _letters(before.rpartition(".")[2]) in _HEADERS
            yield (last if header else name).lower().removeprefix("http_").replace("_", "-"), text


def _text(value: Any) -> str | None:
    """Return a value as text; `-` and nothing are None."""
    if isinstance(value, list):
        value = ", ".join(filter(None, map(string, value)))
    text = string(value)
    return None if text in ("", "-") else text


def _time(value: Any) -> str | None:
    found = seconds(value)
    if found is not None:
        return when(found) if found > 1e8 else None  # a duration has such a name too
    return clock(value.encode("utf-8", "replace")) if isinstance(value, str) else None
