"""Read a file of exceptions: TOML, a table `[[rule]]` each."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, TypeAlias

from overproof.errors import InputError
from overproof.progress import one_line

MOST_BYTES = 1 << 20  # of a file
MOST_RULES = 1000
LONGEST = 500  # characters of an entry
LONGEST_DAYS = 366  # that a rule may last
LEAST_SPAN = 8  # characters: what is shorter stands in attacks too

CONDITIONS = ("source", "path", "family", "span")
SAID = ("name", "who", "why", "until")
HINT = "expected [[rule]] with name, who, why, until, and conditions: source, path, family, span"

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Rule:
    """What is not to be an alert; all of its conditions have to hold.

    Attributes
    ----------
    name, who, why
        What verdicts call it; who answers for it, and the reason.
    until
        When it ends, ISO 8601 in UTC.
    source
        An address, a network (`10.0.0.0/8`), or the name of the machine that an event is of.
    path
        Of a request, whole, or its beginning where it ends in `*`.
    family
        The alert's label, or where that only says attack the event's own family, in any case.
    span
        Text that the alert is about: it is not one without it.
    """

    name: str
    who: str
    why: str
    until: str
    source: str | None = None
    path: str | None = None
    family: str | None = None
    span: str | None = None

    @cached_property
    def ends(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.until)

    @cached_property
    def network(self) -> Network | None:
        """Its source as a network; None where it is a name, or there is none."""
        return None if self.source is None else network(self.source)

    def expired(self, now: datetime) -> bool:
        """Return whether it has ended."""
        return now >= self.ends

    def conditions(self) -> str:
        """Say what it is about."""
        given = ((name, getattr(self, name)) for name in CONDITIONS)
        return ", ".join(f"{name} {one_line(value)}" for name, value in given if value is not None)


@dataclass(frozen=True)
class Rules:
    """A file of rules, as it was read.

    Attributes
    ----------
    path
        Where it is.
    rules
        In their order: of several that hold, the first silences.
    signer
        Whose signature was verified; None where nobody asked.
    """

    path: str
    rules: tuple[Rule, ...]
    signer: str | None = None

    def told(self, *, of_texts: bool = False) -> str:
        """Say in a line what there is: how many rules, whose, and which of them silence nothing.

        Parameters
        ----------
        of_texts
            Whether texts alone are judged, of which nobody knows source or path.
        """
        now = datetime.now(UTC)
        signed = "not verified, expected --verify-key or --verify-certificates for that"
        lines = [signed if self.signer is None else f"signed with the {self.signer}"]
        lines += [f"the rule {one_line(r.name)} expired on {r.until}" for r in self.rules if r.expired(now)]
        unknown = sum(1 for rule in self.rules if rule.source or rule.path)
        if of_texts and unknown:
            lines.append(f"{unknown:,} are of a source or a path, which a text does not tell, and silence nothing here")
        return f"{self.path}: {len(self.rules):,} exceptions, {'; '.join(lines)}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        now = datetime.now(UTC)
        rules = [{**asdict(rule), "expired": rule.expired(now)} for rule in self.rules]
        return {"path": self.path, "signer": self.signer, "rules": rules}

    def render(self) -> str:
        """Return text for people."""
        now = datetime.now(UTC)
        signed = f"signed with the {self.signer}" if self.signer else "signature not verified (--verify-key)"
        lines = [f"{self.path}: {len(self.rules):,} rules, {signed}"]
        for rule in self.rules:
            left = "EXPIRED" if rule.expired(now) else f"{(rule.ends - now).days:,} days left"
            lines += [
                f"  {one_line(rule.name)}: until {rule.until} ({left})",
                f"    silences  {rule.conditions()}",
                f"    {one_line(rule.who)}: {one_line(rule.why)}",
            ]
        return "\n".join(lines)


def parse_rules(content: bytes, where: str, now: datetime | None = None) -> tuple[Rule, ...]:
    """Read a file of rules.

    Parameters
    ----------
    where
        Its name, for messages.
    now
        When it is read; None is now.

    Raises
    ------
    InputError
        What is no TOML, no rule, or a rule that says too little, silences too much or lasts too long.
    """
    try:
        found = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{where}: no TOML ({error}), {HINT}") from None
    tables = found.pop("rule", None)
    if found or not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise InputError(f"{where}: {f'holds {min(found)}' if found else 'holds no rules'}, {HINT}")
    if len(tables) > MOST_RULES:
        raise InputError(f"{where}: {len(tables):,} rules, expected no more than {MOST_RULES:,}")
    rules: dict[str, Rule] = {}
    for place, table in enumerate(tables, 1):
        rule = make_rule(table, f"{where}: rule {place}", now or datetime.now(UTC))
        if rule.name in rules:
            raise InputError(f"{where}: rule {place}: another one is called {rule.name!r} too, expected a name each")
        rules[rule.name] = rule
    return tuple(rules.values())


def make_rule(table: Mapping[str, Any], where: str, now: datetime) -> Rule:
    """Make a rule of its entries; InputError names what is wrong with one."""
    if unknown := sorted(table.keys() - {field.name for field in fields(Rule)}):
        raise InputError(f"{where}: {unknown[0]} is no entry of a rule, {HINT}")
    if missing := [name for name in SAID if not table.get(name)]:
        raise InputError(f"{where}: has no {missing[0]}, expected it to say {', '.join(SAID)}")
    ends = _moment(table["until"], f"{where}: until")
    texts = {name: value for name, value in table.items() if name != "until"}
    for name, value in texts.items():
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST or not value.isprintable():
            raise InputError(f"{where}: {name}: expected printable text of 1 to {LONGEST} characters")
    rule = Rule(**texts, until=ends.isoformat(timespec="seconds"))
    if ends - now > timedelta(days=LONGEST_DAYS):
        raise InputError(f"{where}: lasts until {rule.until}, expected {LONGEST_DAYS} days from now at most")
    _require_narrow(rule, where)
    return rule


def network(text: str) -> Network | None:
    """Read an address or a network; None if it is neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _moment(value: Any, where: str) -> datetime:
    """Read when a rule ends: a date is that day's end, a time without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) <= len("2026-12-31") else datetime.fromisoformat(value)
        except ValueError:
            value = None
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC) + timedelta(days=1)
    except OverflowError:
        pass
    raise InputError(f"{where}: expected a date such as 2026-12-31, or a time such as 2026-12-31T18:00:00Z")


def _require_narrow(rule: Rule, where: str) -> None:
    """Refuse a rule that would silence whatever happens, or whatever an attacker chooses to call harmless."""
    given = [name for name in CONDITIONS if getattr(rule, name) is not None]
    if not given:
        raise InputError(f"{where}: has no condition and would silence everything, expected {', '.join(CONDITIONS)}")
    if given in (["family"], ["path"]):
        with_it = "source, path or span" if given == ["family"] else "source, family or span"
        raise InputError(f"{where}: {given[0]} alone would silence what anybody sends, expected {with_it} with it")
    if rule.network is not None and rule.network.prefixlen == 0:
        raise InputError(f"{where}: source {rule.source} is every address, expected fewer")
    if rule.path is not None and (not rule.path.startswith("/") or not rule.path.strip("/*") or "*" in rule.path[:-1]):
        raise InputError(
            f"{where}: path {rule.path}: expected one such as /docs/search, or /docs/* for all that begins so"
        )
    if rule.span is not None and len(rule.span.strip()) < LEAST_SPAN:
        raise InputError(
            f"{where}: span {rule.span!r}: expected {LEAST_SPAN} characters or more, so that no attack has it"
        )
