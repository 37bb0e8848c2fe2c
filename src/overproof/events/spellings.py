"""Find names of classes that are one name in two spellings: a model trained on both would have two classes of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from overproof.errors import InputError

LABEL, FAMILY = "label", "family"
NUMBER = re.compile(r"([-+]?)(\d+)(\.0*)?")


def plain_name(name: str) -> str:
    """Return what all spellings of a name have in common; `1.0` is `1`, as pandas writes it, and `-1` is another."""
    seen = _one_blank(_visible(_one_form(name)))
    if number := NUMBER.fullmatch(seen.lstrip("_ ").rstrip("-_ ")):
        return number[1].strip("+") + number[2]
    return _without("", name)


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _visible(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c) != "Cf")


def _unhyphenated(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _one_blank(name: str) -> str:
    return " ".join(name.split())


_STEPS: dict[str, Callable[[str], str]] = {  # what is left out of a name, in this order, to make it plain
    "the width or form of characters": _one_form,
    "invisible characters": _visible,
    "case": str.casefold,
    "hyphens or underscores": _unhyphenated,
    "blanks": _one_blank,
}


def _without(left_out: str, name: str) -> str:
    """Make a name plain, but for one step."""
    for what, step in _STEPS.items():
        name = name if what == left_out else step(name)
    return name


def alike(one: str, other: str) -> str:
    """Say of two spellings of a name what they differ in."""
    if NUMBER.fullmatch(plain_name(one)):
        return "are one number"
    apart = [step for step in _STEPS if _without(step, one) != _without(step, other)]
    return f"differ in {' and '.join(apart or ('the width or form of characters',))} alone"


def near(names: Sequence[str], others: Sequence[str]) -> list[tuple[str, str]]:
    """Find names of `others` that no name equals and one nearly does: it is another spelling of it.

    Returns
    -------
    list of (str, str)
        The name and the other, for each such pair.
    """
    plain = {plain_name(name): name for name in names}
    return [(plain[plain_name(other)], other) for other in others if other not in names and plain_name(other) in plain]


def require_one_spelling(tables: Sequence[pa.Table | None], names: Sequence[str] = (), whose: str = "") -> None:
    """Require that labels and families stand in one spelling in all tables, labels in that of `names` if one of them.

    Parameters
    ----------
    tables
        Events with `label`, and `family` and `origin` if these are known.
    names, whose
        Labels that are known already, and what has them, in words.

    Raises
    ------
    InputError
        Naming the first event of each of two spellings.
    """
    _require_one(tables, LABEL, names, whose)
    _require_one(tables, FAMILY)


def require_families(table: pa.Table, names: Sequence[str], whose: str) -> None:
    """Require that families stand in the spelling of those that are known; see `require_one_spelling`."""
    _require_one([table], FAMILY, names, whose)


def _require_one(tables: Sequence[pa.Table | None], column: str, names: Sequence[str] = (), whose: str = "") -> None:
    seen: dict[str, tuple[str, pa.Table | None]] = {plain_name(name): (name, None) for name in names}
    for table in tables:
        if table is None or column not in table.column_names:
            continue
        for name in pc.unique(table[column]).drop_null().to_pylist():
            first, where = seen.setdefault(plain_name(name), (name, table))
            if name != first and name not in names:
                raise InputError(
                    f"{_place(table, column, name)}: the {column} {name!r} is another spelling of {first!r} "
                    f"({whose if where is None else _place(where, column, first)}): they "
                    f"{alike(first, name)}; expected one"
                )


def _place(table: pa.Table, column: str, name: str) -> str:
    """Name the first event with the name."""
    row = pc.index(table[column], pa.scalar(name, table[column].type)).as_py()
    origin = table["origin"][row].as_py() if "origin" in table.column_names else None
    return origin or f"event {row + 1}"
