"""Write figures in words: the same in every format of the report."""

from __future__ import annotations

from collections.abc import Callable

from overproof.progress import one_line
from overproof.report.estimate import Estimate

NOT_MEASURED = "not measured"
LONGEST = 80  # characters of a name that are shown

Text = Callable[[float], str]


def percent(value: float) -> str:
    """Write a share; one too small for two digits gets the digits that it takes."""
    figure = 100 * value
    text = f"{figure:.2f}" if figure == 0 or abs(figure) >= 0.005 else f"{figure:.4f}"
    while len(text.partition(".")[2]) > 2 and text.endswith("0"):
        text = text[:-1]
    return f"{_minus(text)} %"


def decimal(value: float) -> str:
    """Write a distance or an error: four digits behind the point, or the two first where those would be zeros."""
    return _minus(f"{value:.4f}" if value == 0 or abs(value) >= 0.00005 else f"{value:.1e}")


def count(value: float) -> str:
    """Write a number of things."""
    return _minus(f"{value:,.0f}")


def size(value: float) -> str:
    """Write bytes in the unit that leaves three digits or four."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:,.0f} B" if unit == "B" else f"{value:.3g} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def milliseconds(value: float) -> str:
    """Write a time."""
    return f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms"


def probability(value: float | None) -> str:
    """Write a p-value."""
    return NOT_MEASURED if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def figure(value: float | None, text: Text = percent) -> str:
    """Write a number, or that there is none."""
    return NOT_MEASURED if value is None else text(value)


def interval(value: Estimate | None, text: Text = percent) -> str:
    """Write a figure with its interval: `1.20 % [0.80, 1.90]`."""
    if value is None:
        return NOT_MEASURED
    low, high = (text(end).removesuffix(" %") for end in (value.low, value.high))
    return f"{text(value.value)} [{low}, {high}]"


def short(text: str, longest: int = LONGEST) -> str:
    """Write a name on one line; of an endless one its beginning."""
    line = one_line(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _minus(text: str) -> str:
    return "0" + text[2:] if text.startswith("-0") and not text.strip("-0.,") else text.replace("-", "\N{MINUS SIGN}")
