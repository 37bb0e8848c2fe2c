"""Put a fragment of SQL where applications put parameters: into strings, numbers, lists, orders, inserts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COLUMNS = ("id", "code", "name", "price")


@dataclass(frozen=True, slots=True)
class Context:
    """A statement with a place for a value.

    Attributes
    ----------
    before, after
        The statement around the value; `{columns}`, `{less}` and `{width}` stand for as many columns as are wanted.
    quote
        The quote that the value stands in: empty for a number's place.
    kind
        `value`: a benign value can stand there; `tail`: the fragment continues a statement; `whole`: it is one.
    """

    before: str
    after: str
    quote: str = ""
    kind: str = "value"

    def around(self, value: str, width: int) -> str:
        """Give the statement with a value in its place, and so many columns."""
        columns = [*_COLUMNS[:width], *(str(number) for number in range(len(_COLUMNS), width))]
        before = self.before.replace("{columns}", ", ".join(columns)).replace("{width}", str(width))
        return before.replace("{less}", "".join(f"{column}, " for column in columns[1:])) + value + self.after

    def benign(self, value: str) -> list[str]:
        """Give benign values of the same shape: what the fragment begins with, and the fragment as mere data."""
        if self.kind != "value":
            return [""] if self.kind == "tail" else []
        number = re.match(r"-?\d+", value)
        if not self.quote:
            data = value.replace("'", "''")
            return [number[0] if number else "1", f"'{data}'"]
        lead = re.match(r"[\w%.-]*", value)
        return [lead[0] if lead else "", value.replace(self.quote, self.quote * 2)]


def _nested(quote: str, deep: int) -> list[Context]:
    """Give the conditions in which a value stands in so many parentheses."""
    left, right = "(" * deep, ")" * deep
    column = "code" if quote else "id"
    joined = "select {columns} from items join users"
    made = [
        Context(f"select {{columns}} from items where {left}{column}={quote}", f"{quote}{right}", quote),
        Context(f"{joined} on {left}price>1 or {column}={quote}", f"{quote}{right} where id<3", quote),
        Context(f"update items set name={left}{quote}", f"{quote}{right} where id=2", quote),
    ]
    if deep:
        within = f"select {{columns}} from (select * from items where {'(' * (deep - 1)}price>1 or {column}={quote}"
        made.append(Context(within, f"{quote}{right} as held where id<3", quote))
    if quote:
        made.append(Context(f"select {{columns}} from items where {left}code like {quote}%", f"%{quote}{right}", quote))
    return made


def _others(quote: str) -> list[Context]:
    """Give the places of a value that are no condition."""
    match = f"select {{columns}} from items where {{deep}}match_against(code, {quote}"
    return [
        Context(f"insert into log{{width}} values ({quote}", f"{quote}, 1)", quote),
        Context(f"insert into log{{width}} values (upper({quote}", f"{quote}), 1)", quote),
        Context(f"delete from items where code={quote}", quote, quote),
        Context(f"select {{less}}{quote}", f"{quote} from items", quote),
        *(Context(match.replace("{deep}", "(" * deep), f"{quote}){')' * deep}", quote) for deep in (0, 1)),
    ]


_TAILS = [
    Context("select {columns} from items where id=1 ", "", kind="tail"),
    Context("select {columns} from items where code='1' ", "", kind="tail"),
    Context("select {columns} from items where (id=1 ", ")", kind="tail"),
    Context("select {columns} from items where ((id=1 ", "))", kind="tail"),
    Context("select {columns} from items where (code='1' ", "')", kind="tail"),
    Context("select {columns} from items where code='1' ", "'", kind="tail"),
    Context("select {columns} from items where (code='1' ", ")", kind="tail"),
    Context("select {columns} from items ", "", kind="tail"),
    Context("insert into log{width} values (1 ", "", kind="tail"),
    Context("insert into log{width} values (upper(1 ", "", kind="tail"),
    Context("", "", kind="whole"),
]

CONTEXTS: tuple[Context, ...] = (
    *(context for quote in ("", "'", '"') for deep in range(5) for context in _nested(quote, deep)),
    *(context for quote in ("", "'", '"') for context in _others(quote)),
    Context("select {columns} from items order by ", ""),
    Context("select {columns} from items limit ", ""),
    *_TAILS,
)
