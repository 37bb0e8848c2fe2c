"""Run statements in an SQLite database in memory, with stand-ins that record calls of other databases' functions."""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

_SCHEMA = """
create table items(id integer primary key, code text, name text, price real);
insert into items values (1, '1', 'lamp', 4.5), (2, '2', 'chair', null), (3, 'admin', null, 9), (4, '1x', 'vase', 1);
create table users(number integer primary key, login text, password text, email text);
insert into users values (1, 'admin', 'p1', 'admin@example.com'), (2, 'guest', null, null);
"""
_OURS = {"items": "select id, code, name, price from items"}  # without the columns that were made up
_STEPS = 200_000
_LONGEST = 100_000
_ROWS = 300
_REPAIRS = 12
_WAITING = ("sleep", "delay", "benchmark", "receive_message")
_DENIED = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_PRAGMA,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT,
}
_Value = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What statements did.

    Attributes
    ----------
    program
        The operations that SQLite made of them: two values in one place are data where these are the same.
    rows
        What they returned, statement by statement.
    tables
        What all tables held afterwards, if anything was written.
    calls
        The stand-ins called, with their arguments.
    reads
        The made-up tables that are read. No part of the effect: SQLite leaves out what a constant condition decides.
    """

    program: tuple[str, ...]
    rows: tuple[str, ...]
    tables: tuple[str, ...]
    calls: frozenset[str]
    reads: frozenset[str]

    @property
    def effect(self) -> tuple[object, ...]:
        """Give what an onlooker can tell."""
        return self.rows, self.tables, self.calls

    @property
    def shows(self) -> bool:
        """Say whether there is anything to tell."""
        return bool(self.tables or self.calls) or any(rows != "[]" for rows in self.rows)


class Database:
    """One database: every run starts from the same rows; unknown tables and functions are made up on demand."""

    def __init__(self) -> None:
        self._calls: set[str] = set()
        self._reads: set[str] = set()
        self._ours = True
        self._made: set[str] = set()
        self._made_up: set[str] = set()
        self._link = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        self._link.text_factory = lambda data: data.decode("utf-8", "replace")
        self._link.executescript(_SCHEMA)
        self._link.set_authorizer(self._allowed)
        self._link.set_progress_handler(lambda: 1, _STEPS)
        self._link.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        self._link.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
        self._link.create_function("match_against", 2, lambda column, value: int(_text(column) == _text(value)))
        for name, stand_in in _KNOWN.items():
            self._register(name, stand_in)
        for name in ("random", "randomblob", "zeroblob", "date", "time", "datetime", "julianday", "strftime", "printf"):
            self._register(name, None)

    def close(self) -> None:
        """Free it."""
        self._link.close()

    def run(self, statements: Sequence[str]) -> Ran | str:
        """Run statements, and undo them; an error's message where one does not run."""
        for _ in range(_REPAIRS):
            answer = self._tried(statements)
            if isinstance(answer, Ran) or not self._repaired(answer):
                return answer
        return "too much is unknown"

    def _tried(self, statements: Sequence[str]) -> Ran | str:
        self._calls.clear()
        self._reads.clear()
        self._own("begin")
        before = self._link.total_changes
        try:
            program, rows = [], []
            for statement in statements:
                program += self._program(statement)
                with closing(self._link.execute(statement)) as cursor:
                    rows.append(repr(sorted(map(repr, cursor.fetchmany(_ROWS)))))
            tables = self._tables() if self._link.total_changes > before else ()
            return Ran(tuple(program), tuple(rows), tables, frozenset(self._calls), frozenset(self._reads))
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, RecursionError) as error:
            return str(error)
        finally:
            self._own("rollback")

    def _program(self, statement: str) -> list[str]:
        """Give the operations of a statement."""
        with closing(self._link.execute(f"explain {statement}")) as cursor:
            return [str(row[1]) for row in cursor.fetchall()]

    def _tables(self) -> tuple[str, ...]:
        """Give what all tables hold."""
        self._ours = True
        names = [str(row[0]) for row in self._link.execute("select name from sqlite_master where type='table'")]
        names = [name for name in names if name not in self._made_up]
        queries = ((name, _OURS.get(name, f"select * from [{name}]")) for name in sorted(names))
        held = ((name, self._link.execute(query).fetchmany(_ROWS)) for name, query in queries)
        filled = tuple(f"{name}: {rows}" for name, rows in held if rows)
        self._ours = False
        return filled

    def _own(self, statement: str) -> None:
        """Run one of our own statements, which nothing forbids."""
        self._ours = True
        try:
            self._link.execute(statement)
        finally:
            self._ours = False

    def _allowed(self, action: int, *what: str | None) -> int:
        if action == sqlite3.SQLITE_READ and what[0] in self._made_up and not self._ours:
            self._reads.add(f"{what[2]}.{what[0]}".lower())
        denied = action in _DENIED or (
            action == sqlite3.SQLITE_FUNCTION and what[1] in ("load_extension", "fts3_tokenizer")
        )
        return sqlite3.SQLITE_DENY if denied and not self._ours else sqlite3.SQLITE_OK

    def _repaired(self, error: str) -> bool:
        """Make up what an error says is missing; false where it says nothing of the kind."""
        missing = re.fullmatch(r"no such (function|table|column): ([\w$#@.]+)", error)
        if missing is None or missing[0] in self._made:
            return False
        self._made.add(missing[0])
        if missing[1] == "function":
            self._register(missing[2], None)
            return True
        schema, _, name = missing[2].rpartition(".")
        try:
            if missing[1] == "column":
                self._own(f"alter table items add column [{name}] default 'x'")
                return not schema
            if schema and schema not in self._made:
                self._made.add(schema)
                self._own(f"attach ':memory:' as [{schema}]")
            self._make_table(f"[{schema}]." if schema else "", name)
        except sqlite3.Error:
            return False
        return True

    def _make_table(self, schema: str, name: str) -> None:
        log = re.fullmatch(r"log(\d+)", name)
        columns = [f"c{number}" for number in range(int(log[1]))] if log else ["name", "id", "type"]
        self._own(f"create table {schema}[{name}]({', '.join(columns)})")
        if not log:
            self._made_up.add(name)
            more = "" if name.lower() == "dual" else ", ('b', 2, 'v')"
            self._own(f"insert into {schema}[{name}] values ('a', 1, 'u'){more}")

    def _register(self, name: str, stand_in: Callable[..., _Value] | None) -> None:
        """Let a function be called, and record that it was."""

        def called(*values: _Value) -> _Value:
            self._calls.add(f"{name.lower()}{values!r}")
            if stand_in is not None:
                return stand_in(*values)
            waits = any(word in name.lower() for word in _WAITING)
            return 0 if waits else zlib.crc32(f"{name.lower()}{values!r}".encode("utf-8", "replace")) % 9973

        self._link.create_function(name, -1, called)


def _text(value: _Value) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else "" if value is None else str(value)


def _elt(number: _Value, *values: _Value) -> _Value:
    return values[number - 1] if isinstance(number, int) and 0 < number <= len(values) else None


_KNOWN: dict[str, Callable[..., _Value]] = {
    "concat": lambda *values: None if None in values else "".join(map(_text, values)),
    "elt": _elt,
    "if": lambda test, yes, no=None: yes if test else no,
    "chr": lambda code: chr(int(code)) if isinstance(code, int) and 0 < code < 0xD800 else "",
}


def verbatim(text: str) -> list[str]:
    """Part a text into statements as SQLite does."""
    statements, start = [], 0
    for found in re.finditer(";", text):
        if sqlite3.complete_statement(text[start : found.end()]):
            statements.append(text[start : found.end()])
            start = found.end()
    rest = text[start:]
    return [one for one in chain(statements, [rest]) if one.strip(" \t\r\n\f;")]
