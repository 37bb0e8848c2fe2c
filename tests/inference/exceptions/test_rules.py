"""A file of rules: what it says, and what is refused because it says too little or silences too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from overproof.errors import InputError
from overproof.inference.exceptions import Rule, parse_rules
from overproof.inference.exceptions.rules import LEAST_SPAN, LONGEST_DAYS, MOST_RULES
from overproof.jobs.exceptions import read_rules, write_rules

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
WHOLE = {"name": "scan", "who": "J. Doe", "why": "ticket 4711", "until": "2026-12-31", "source": "192.0.2.7"}


def toml(*rules: dict[str, str]) -> bytes:
    return "\n".join("[[rule]]\n" + "\n".join(f'{k} = "{v}"' for k, v in rule.items()) for rule in rules).encode()


def test_a_rule_is_read_as_it_was_written() -> None:
    (rule,) = parse_rules(toml({**WHOLE, "family": "sqli", "path": "/docs/*"}), "rules.toml", NOW)
    until = "2027-01-01T00:00:00+00:00"  # a date is a day that is still in force
    assert rule == Rule("scan", "J. Doe", "ticket 4711", until, "192.0.2.7", "/docs/*", "sqli")
    assert rule.conditions() == "source 192.0.2.7, path /docs/*, family sqli"
    assert not rule.expired(NOW) and rule.expired(datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("until", "read"),
    [
        ("2026-11-30", "2026-12-01T00:00:00+00:00"),
        ('"2026-11-30"', "2026-12-01T00:00:00+00:00"),
        ("2026-11-30T18:00:00Z", "2026-11-30T18:00:00+00:00"),
        ("2026-11-30T18:00:00", "2026-11-30T18:00:00+00:00"),
        ('"2026-11-30T18:00:00+02:00"', "2026-11-30T16:00:00+00:00"),
    ],
    ids=["date", "date as text", "UTC", "no zone", "another zone"],
)
def test_when_a_rule_ends(until: str, read: str) -> None:
    content = toml({name: value for name, value in WHOLE.items() if name != "until"}) + f"\nuntil = {until}".encode()
    assert parse_rules(content, "rules.toml", NOW)[0].until == read


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"source": None}, "has no condition and would silence everything"),
        ({"source": None, "family": "sqli"}, "family alone would silence what anybody sends"),
        ({"source": None, "path": "/docs"}, "path alone would silence what anybody sends"),
        ({"source": "0.0.0.0/0"}, "is every address"),
        ({"source": "::/0"}, "is every address"),
        ({"path": "/*"}, "path /*: expected one such as"),
        ({"path": "docs"}, "path docs: expected one such as"),
        ({"path": "/a*b"}, "path /a*b: expected one such as"),
        ({"span": "x" * (LEAST_SPAN - 1)}, f"expected {LEAST_SPAN} characters or more"),
        ({"who": None}, "has no who, expected it to say name, who, why, until"),
        ({"why": ""}, "has no why"),
        ({"until": None}, "has no until"),
        ({"until": "tomorrow"}, "until: expected a date such as 2026-12-31"),
        ({"until": "2027-11-02"}, f"expected {LONGEST_DAYS} days from now at most"),
        ({"user": "alice"}, "user is no entry of a rule"),
        ({"source": " "}, "source: expected printable text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_that_is_none_is_refused(changed: dict[str, str | None], message: str) -> None:
    rule = {name: value for name, value in {**WHOLE, **changed}.items() if value is not None}
    with pytest.raises(InputError) as error:
        parse_rules(toml(rule), "rules.toml", NOW)
    assert str(error.value).startswith("rules.toml: rule 1") and message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no rules"),
        (b"rule = 3", "holds no rules"),
        (b"[[rule]\n", "no TOML"),
        (b"\xff", "no TOML"),
        (b"[rules]\na = 1", "holds rules"),
        (toml(WHOLE, WHOLE), "rule 2: another one is called 'scan' too"),
        (toml(*[WHOLE] * (MOST_RULES + 1)), f"expected no more than {MOST_RULES:,}"),
        (toml({**WHOLE, "who": "\\u001b[2J"}), "who: expected printable text"),
    ],
    ids=[
        "empty",
        "no tables",
        "broken",
        "not UTF-8",
        "another table",
        "two of a name",
        "too many",
        "steers a terminal",
    ],
)
def test_a_file_that_is_none_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=r"^rules\.toml: ") as error:
        parse_rules(content, "rules.toml", NOW)
    assert message in str(error.value)


def test_a_rule_that_was_added_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    until = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    first: dict[str, Any] = {**WHOLE, "until": until, "why": 'a "scan" of C:\\, möglich'}
    write_rules(file, first)
    write_rules(file, {**first, "name": "other", "span": "union select of docs"})
    one, two = read_rules(file).rules
    assert (one.name, one.why, two.name, two.span) == ("scan", first["why"], "other", "union select of docs")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"name": "x", "who": "J."}, "--add: expected --why with it"),
        ({**WHOLE, "why": "a\nb"}, "--why: expected printable text on one line"),
        ({name: value for name, value in WHOLE.items() if name != "source"}, "has no condition"),
    ],
    ids=["says too little", "two lines", "no condition"],
)
def test_what_cannot_be_added_leaves_the_file_as_it_was(tmp_path: Path, rule: dict[str, str], message: str) -> None:
    file = tmp_path / "rules.toml"
    with pytest.raises(InputError) as error:
        write_rules(file, rule)
    assert message in str(error.value) and not file.exists()
