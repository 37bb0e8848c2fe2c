"""Figures in words: the same in every format of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overproof.progress import one_line
from overproof.report.reading import Span, number, span, status, string, tally, whole

NOT_MEASURED = "not measured"
LONGEST = 80  # characters of a name that are shown
DISTANCES = ("own-data/score-drift", "own-data/field-drift", "calibration/error", "calibration/against-full")

Text = Callable[[float], str]


def percent(value: float) -> str:
    """A share; one too small for two digits gets the digits that it takes."""
    figure = 100 * value
    text = f"{figure:.2f}" if figure == 0 or abs(figure) >= 0.005 else f"{figure:.4f}"
    while len(text.partition(".")[2]) > 2 and text.endswith("0"):
        text = text[:-1]
    return f"{_minus(text)} %"


def decimal(value: float) -> str:
    """A distance, an error: four digits behind the point, or the two first where those would be zeros."""
    return _minus(f"{value:.4f}" if value == 0 or abs(value) >= 0.00005 else f"{value:.1e}")


def count(value: float) -> str:
    """A number of things."""
    return _minus(f"{value:,.0f}")


def size(value: float) -> str:
    """Bytes, in the unit that leaves three digits or four."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:,.0f} B" if unit == "B" else f"{value:.3g} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def milliseconds(value: float) -> str:
    """A time."""
    return f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms"


def probability(value: object) -> str:
    """A p-value."""
    found = number(value)
    return NOT_MEASURED if found is None else "< 0.001" if found < 0.001 else f"{found:.3f}"


def figure(value: object, text: Text = percent) -> str:
    """A number, or that there is none."""
    found = number(value)
    return NOT_MEASURED if found is None else text(found)


def interval(value: object, text: Text = percent) -> str:
    """A figure with its interval: `1.20 % [0.80, 1.90]`."""
    found = value if isinstance(value, Span) else span(value)
    if found is None:
        return NOT_MEASURED
    if found.low is None or found.high is None:
        return text(found.value)
    low, high = (text(end).removesuffix(" %") for end in (found.low, found.high))
    return f"{text(found.value)} [{low}, {high}]"


def ratio(value: Mapping[str, Any], k: str = "k", n: str = "n") -> str:
    """`k/n`, or that nothing was counted."""
    of, out_of = whole(value.get(k)), whole(value.get(n))
    return NOT_MEASURED if of is None or out_of is None else f"{of:,}/{out_of:,}"


def pairs(value: Mapping[str, Any]) -> str:
    """Flips against and for the student: `b : c`."""
    b, c = whole(value.get("b")), whole(value.get("c"))
    return NOT_MEASURED if b is None or c is None else f"{b:,} : {c:,}"


def unit(key: str) -> Text:
    """How the figure of a gate is written: some are distances, most are shares."""
    return decimal if key.partition(":")[0] in DISTANCES else percent


def of_finding(finding: Mapping[str, Any]) -> str:
    """A finding's figure."""
    return interval(finding, unit(string(finding.get("key"))))


def limit(finding: Mapping[str, Any]) -> str:
    """A finding's limit."""
    return figure(finding.get("limit"), unit(string(finding.get("key"))))


def support(finding: Mapping[str, Any]) -> str:
    """On how many events, and how many it would take."""
    events, needed = whole(finding.get("events")), whole(finding.get("needed"))
    said = "not counted" if events is None else f"{events:,}"
    return said if needed is None else f"{said}, needs {needed:,}"


def state(finding: Mapping[str, Any]) -> str:
    """A finding's status, and whether the gate is closed by it."""
    found = status(finding)
    if not finding.get("closed"):
        return found
    return f"{found}, gate closed"


def gates(check: Mapping[str, Any]) -> str:
    """How the gates of a check ended."""
    return ", ".join(f"{k} {name}" for name, k in tally(check).items())


def short(text: object, longest: int = LONGEST) -> str:
    """A name on one line; of an endless one its beginning."""
    line = one_line(string(text))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _minus(text: str) -> str:
    return "0" + text[2:] if text.startswith("-0") and not text.strip("-0.,") else text.replace("-", "\N{MINUS SIGN}")
