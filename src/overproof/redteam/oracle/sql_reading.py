"""Read a statement as another database does, and write it down for SQLite, so that it can be run."""

from __future__ import annotations

import re
from functools import lru_cache

DIALECTS = ("mysql", "tsql", "postgres", "oracle")
_Pair = tuple[str, str]
_COUNTING = {"EQ", "NEQ", "LT", "GT", "LTE", "GTE", "PLUS", "DASH", "STAR", "SLASH", "LIKE", "BETWEEN"}
_RENAMED = ("left", "right", "insert", "replace", "database", "schema")


_COMMAND = re.compile(r"((?:^|;)(?:\s|/\*.*?\*/)*)(call|exec|execute|show|fetch)\b", re.IGNORECASE | re.DOTALL)
"""What the tokenizer would not look into."""


def read_as(dialect: str, text: str) -> list[str]:
    """Give the statements that another database reads in a text, in SQLite's words; empty where it reads none."""
    from sqlglot.errors import SqlglotError

    text = _COMMAND.sub(lambda found: found[1] + ("select" if found[2].lower() == "call" else f"{found[2]}_"), text)
    tokens: list[_Pair] = []
    for ending in ("", "*/"):  # databases close an open comment at the end
        try:
            tokens = [(str(one.token_type.name), str(one.text)) for one in _tokenizer(dialect).tokenize(text + ending)]
            break
        except (SqlglotError, ValueError, UnicodeError):
            continue
    statements: list[list[_Pair]] = [[]]
    for place, (kind, word) in enumerate(tokens):
        stacked = word.lower() == "waitfor" and dialect == "tsql"
        if kind == "SEMICOLON" or stacked:
            statements.append([])
        if kind != "SEMICOLON":
            statements[-1].append((kind, word))
        if place > 5000:
            return []
    return [
        " ".join(written)
        for one in statements
        if one and (written := _written(_selected(_shaped(one, dialect)), dialect))
    ]


@lru_cache(maxsize=8)
def _tokenizer(dialect: str):  # type: ignore[no-untyped-def]
    from sqlglot.dialects.dialect import Dialect

    return Dialect.get_or_raise(dialect)


def _shaped(tokens: list[_Pair], dialect: str) -> list[_Pair]:
    """Say statements that SQLite does not have in the form of queries."""
    low = [word.lower() for _, word in tokens]
    if low[0] in ("begin", "end") and dialect == "oracle":
        return _shaped(tokens[1:], dialect) if len(tokens) > 1 else []
    if low[0] in ("exec_", "execute_", "show_", "fetch_", "declare", "shutdown") or (
        low[0] == "create" and "function" in low
    ):
        spelled = " ".join(word if kind == "STRING" else word.lower() for kind, word in tokens)
        return [*_words("select statement ("), ("STRING", spelled), *_words(")")]
    if low[0] == "if" and dialect == "tsql":
        return _branches(tokens)
    elif low[0] == "waitfor" and len(tokens) > 2:
        return [*_words("select waitfor_delay ("), tokens[2], *_words(")"), *tokens[3:]]
    if tokens and tokens[0][0] == "L_PAREN":
        return [*_words("select * from"), *tokens]
    if dialect == "oracle" and _call_follows(tokens):
        return [*_words("select"), *tokens]
    return tokens


def _call_follows(tokens: list[_Pair]) -> bool:
    """Say whether a statement is a mere call: `user_lock.sleep(5)`."""
    names = [kind for kind, _ in tokens]
    opening = names.index("L_PAREN") if "L_PAREN" in names else 0
    return opening > 0 and all(kind in ("VAR", "DOT") for kind in names[:opening])


def _branches(tokens: list[_Pair]) -> list[_Pair]:
    """Say `if (a) b else c` as a query."""
    if len(tokens) < 2 or tokens[1][0] != "L_PAREN":
        return tokens
    close = _closing(tokens, 1)
    rest = tokens[close:]
    at = _else(rest)
    yes, no = _branch(rest[:at]), _branch(rest[at + 1 :])
    return [
        *_words("select case when"),
        *tokens[1:close],
        *_words("then"),
        *yes,
        *_words("else"),
        *no,
        *_words("end"),
    ]


def _else(tokens: list[_Pair]) -> int:
    """Find the `else` that belongs to no `case`."""
    depth = 0
    for place, (_, word) in enumerate(tokens):
        depth += (word.lower() == "case") - (word.lower() == "end")
        if word.lower() == "else" and depth == 0:
            return place
    return len(tokens)


def _branch(tokens: list[_Pair]) -> list[_Pair]:
    if tokens and tokens[0][1].lower() == "select":
        return [*_words("("), *tokens, *_words(")")]
    name = "_".join(word.lower() for _, word in tokens if word.isidentifier())
    return _words(f"does_{name} ( )") if tokens else _words("null")


def _selected(tokens: list[_Pair]) -> list[_Pair]:
    """Say `from f(1, 2)` as `from (select f(1, 2))`."""
    for place in range(len(tokens) - 2, 0, -1):
        kinds = [kind for kind, _ in tokens[place : place + 2]]
        if tokens[place - 1][0] == "FROM" and kinds == ["VAR", "L_PAREN"]:
            close = _closing(tokens, place + 1)
            tokens = [*tokens[:place], *_words("( select"), *tokens[place:close], *_words(")"), *tokens[close:]]
    return tokens


def _closing(tokens: list[_Pair], opening: int) -> int:
    """Give the place behind the parenthesis that closes one."""
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place][0] == "L_PAREN") - (tokens[place][0] == "R_PAREN")
        if depth == 0:
            return place + 1
    return len(tokens)


def _words(text: str) -> list[_Pair]:
    kinds = {"(": "L_PAREN", ")": "R_PAREN"}
    return [(kinds.get(word, "VAR"), word) for word in text.split()]


def _written(tokens: list[_Pair], dialect: str) -> list[str]:
    """Write tokens in SQLite's words."""
    out: list[str] = []
    place = 0
    while place < len(tokens):
        kind, word = tokens[place]
        low, after = word.lower(), [text.lower() for _, text in tokens[place + 1 : place + 4]]
        step = 1
        if kind == "DCOLON":
            step = 2
        elif low == "in" and after[:2] == ["boolean", "mode"]:
            step = 3
        elif low == "procedure" and after[:1] == ["analyse"]:
            out.append("and")
        elif low == "top" and place and tokens[place - 1][1].lower() == "select":
            step = 2
        elif low == "convert" and len(after) == 3 and after[0] == "(" and after[2] == ",":
            out += [f"convert_{after[1]}", "("]
            step = 4
        elif low == "row" and after[:1] == ["("]:
            pass
        elif kind in ("SESSION_PARAMETER", "PARAMETER") and after:
            out.append(f"global_{after[0]}()")
            step = 2
        elif kind == "DOT":
            _join(out, tokens, place)
            step = 2
        elif kind == "HEX_STRING" and (dialect in ("tsql", "postgres") or _counts(tokens, place)):
            out.append(str(int(word, 16)))
        else:
            out.append(_word(kind, word, dialect, called=after[:1] == ["("]))
        place += step
    return out


def _counts(tokens: list[_Pair], place: int) -> bool:
    """Say whether MySQL takes a hexadecimal literal for a number here, and not for a string."""
    before, after = tokens[max(place - 2, 0) : place], tokens[place + 1 : place + 2]
    beside = {kind for kind, _ in (*before[-1:], *after)}
    called = before[0][1].lower() if len(before) == 2 and before[1][0] == "L_PAREN" else ""
    return bool(beside & _COUNTING) or called in ("sleep", "benchmark", "char", "elt", "exp", "floor", "rand")


def _join(out: list[str], tokens: list[_Pair], place: int) -> None:
    """Join a name's parts: those of a function to one word, which SQLite has for a name."""
    after = tokens[place + 1 :]
    called = (len(after) > 1 and after[1][0] == "L_PAREN") or (len(after) > 3 and after[1][0] == "DOT")
    part = after[0][1] if after else ""
    doubled = bool(after) and after[0][0] == "DOT"
    sign = "_" if called or doubled else "."
    before = out.pop() if out else ""
    out.append(f"{before}{sign}{'' if doubled else part}")


def _word(kind: str, word: str, dialect: str, *, called: bool) -> str:
    """Write one token."""
    low = word.lower()
    if kind in ("STRING", "NATIONAL_STRING", "RAW_STRING"):
        data = word.replace("'", "''")
        return f"'{data}'"
    if kind == "IDENTIFIER":
        data = word.replace('"', '""')
        return f'"{data}"'
    if kind == "HEX_STRING":
        return f"x'{word}'" if len(word) % 2 == 0 else f"x'0{word}'"
    if kind == "DPIPE":
        return "or" if dialect == "mysql" else "||"
    if kind == "DAMP":
        return "and"
    if low in ("session_user", "system_user", "current_user") and not called:
        return f"{low}_()"
    if low == "rlike":
        return "regexp"
    return f"{low}_" if called and low in _RENAMED else word
