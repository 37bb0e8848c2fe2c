"""Who may ask: no page of another origin, and beyond this machine only who has the token."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest

from overproof.errors import InputError
from overproof.inference.service.access import HEADERS, OPEN, AccessPolicy, Endpoint, listening, read_token

from .conftest import Client, Start

TOKEN = "a-token-of-some-length"
EVENT = {"text": "id=1"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]", "[::1]:8080", "127.9.9.9:80"]
)
def test_this_machine_is_answered(client: Client, host: str) -> None:
    assert client.post("/judge", EVENT, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8080",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "10.0.0.1",
        "",
        "[::2]",
        "localhost:x",
    ],
)
@pytest.mark.parametrize("path", ["/judge", "/", "/metrics", "/healthz", "/nowhere"])
def test_a_name_that_leads_here_is_not_enough(client: Client, host: str, path: str) -> None:
    for answer in (client.get(path, headers={"host": host}), client.post(path, EVENT, headers={"host": host})):
        assert answer.status_code == 421


def test_a_page_of_another_origin_may_not_ask(client: Client) -> None:
    for origin in ("https://evil.test", "null", "http://127.0.0.1:9999", "http://localhost"):
        assert client.post("/judge", EVENT, headers={"origin": origin}).status_code == 403
    assert client.post("/judge", EVENT, headers={"origin": "http://127.0.0.1"}).status_code == 200


def test_what_a_form_can_send_is_refused(client: Client) -> None:
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    for kind in [*kinds, "application/jsonp", "application/json-patch+json", "application/json, text/plain"]:
        assert client.send("/judge", b'{"text": "id=1"}', **{"content-type": kind}).status_code == 415
    assert client.send("/judge", b'{"text": "id=1"}', **{"content-type": "application/json; charset=utf-8"}).is_success


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_a_compressed_body_is_called_that(client: Client, encoding: str) -> None:
    sent = {"content-type": "application/json", "content-encoding": encoding}
    answer = client.send("/judge", gzip.compress(b'{"text": "id=1"}'), **sent)
    assert (answer.status_code, answer.json()["detail"][:22]) == (415, "the body is compressed")
    assert client.send("/judge", b'{"text": "id=1"}', **{**sent, "content-encoding": "identity"}).is_success


def test_a_probe_of_http_1_0_has_no_host() -> None:
    assert AccessPolicy(None).refusal("/healthz", {}, "1.0") is None
    assert AccessPolicy(None).refusal("/healthz", {}, "9.9") is not None
    assert AccessPolicy(None).refusal("/healthz", {b"host": b""}, "1.0") is not None
    assert AccessPolicy(TOKEN).refusal("/judge", {}, "1.0") is not None


def test_every_answer_has_the_headers_and_none_opens_it_to_other_origins(client: Client) -> None:
    asked = [client.get(path) for path in ("/", "/page.js", "/metrics", "/nowhere", "/judge", "/openapi.json")]
    asked += [client.post("/judge", EVENT), client.post("/judge", {}), client.get("/", headers={"host": "evil.test"})]
    for answer in asked:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert not any(name.startswith("access-control") for name in answer.headers)
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_nothing_is_loaded_from_elsewhere(client: Client) -> None:
    assert client.get("/redoc").status_code == 404
    for path in ("/", "/page.css", "/page.js", "/page_parts.js", "/page_verdict.js", "/docs"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "://" not in answer.text


def test_with_a_token_nothing_else_opens(start: Start) -> None:
    client = start(token=TOKEN)
    paths = {route.path for route in client.app.routes if hasattr(route, "path")}
    assert len(paths) >= 10
    for path in sorted(paths - OPEN):
        for wrong in ({}, {"authorization": TOKEN}, {"authorization": "Bearer x"}, {"authorization": f"Basic {TOKEN}"}):
            for answer in (client.get(path, headers=wrong), client.post(path, EVENT, headers=wrong)):
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
    right = {"authorization": f"Bearer {TOKEN}", "host": "judge.example.org"}
    assert client.post("/judge", EVENT, headers=right).status_code == 200
    assert client.get("/metrics", headers=right).status_code == 200


def test_without_the_token_it_says_no_more_than_whether_it_is_ready(start: Start) -> None:
    client = start(token=TOKEN)
    assert client.get("/readyz").json() == {"ready": True}
    assert client.get("/healthz").json() == {"alive": True}
    told = client.get("/readyz", headers={"authorization": f"bearer {TOKEN}"}).json()
    assert told["models"]["student"]


def test_tokens_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERPROOF_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("OVERPROOF_TOKEN", TOKEN)
    assert read_token(None) == TOKEN
    (tmp_path / "token").write_text("another-token-0123\n")
    assert read_token(tmp_path / "token") == "another-token-0123"


@pytest.mark.parametrize("content", [b"", b"short\n", b"a token with spaces in it", b"caf\xc3\xa9" * 4, b"a\nb" * 9])
def test_tokens_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(InputError, match=r"token"):
        read_token(tmp_path / "token")


def test_an_empty_token_in_the_environment_is_not_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OVERPROOF_TOKEN", "")
    with pytest.raises(InputError, match="OVERPROOF_TOKEN: expected a token"):
        read_token(None)
    with pytest.raises(InputError, match="No such file"):
        read_token(tmp_path / "absent")


def test_other_machines_need_a_token() -> None:
    with pytest.raises(InputError, match="can be reached from other machines"):
        listening(Endpoint("0.0.0.0", 0))
    listening(Endpoint("0.0.0.0", 0, TOKEN)).close()
    listening(Endpoint("localhost", 0)).close()


def test_an_address_that_cannot_be_had() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="already in use"):
            listening(Endpoint("127.0.0.1", taken.getsockname()[1]))
    with pytest.raises(InputError, match=r"--host nowhere\.invalid"):
        listening(Endpoint("nowhere.invalid", 0))
