"""Draw size, latency and recall of the models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from overproof.report.markup import Html, slug
from overproof.report.svg import Axis, circle, frame, mark, svg, text
from overproof.report.words import percent, size
from overproof.results import Row

LETTER, LINE = 6.4, 13  # pixels that a letter and a line of a label take at most
WIDTH, HEIGHT = 440, 300
GREATEST = 1e300  # a decade above it must still be a number


@dataclass(frozen=True)
class _Box:
    """A place on the picture that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        """Say whether two lie on each other."""
        apart = self.right < other.left or other.right < self.left or self.bottom < other.top or other.bottom < self.top
        return not apart


@dataclass(frozen=True)
class _Point:
    """A model where it lies."""

    title: str
    x: float
    y: float
    radius: float
    missed: float | None
    beaten: str = ""

    @property
    def detected(self) -> str:
        """The share of the attacks that it detects."""
        return "not measured" if self.missed is None else f"{percent(1 - self.missed)} detected"

    @property
    def words(self) -> str:
        """The same, and which model beats it."""
        return f"{self.detected}, beaten by {self.beaten}" if self.beaten else self.detected


def placed(rows: Sequence[Row]) -> list[tuple[Row, int, float]]:
    """List the rows whose size and time were measured, with their bytes and their milliseconds."""
    return [(row, row.bytes, row.p50_ms) for row in rows if row.bytes and row.p50_ms and row.p50_ms > 0]


def beaten_by(rows: Sequence[Row]) -> dict[str, str]:
    """Find who is off the Pareto front: model to the first that is no worse in size, time and misses, better in one."""
    known = [
        (row.name, (length, p50, missed)) for row, length, p50 in placed(rows) if (missed := _missed(row)) is not None
    ]
    return {
        name: next(other for other, better in known if _beats(better, figures))
        for name, figures in known
        if any(_beats(better, figures) for _, better in known)
    }


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _missed(row: Row) -> float | None:
    return None if row.metrics is None else row.metrics.fn_rate


def tradeoff(rows: Sequence[Row]) -> Html:
    """Draw bytes to the right, latency upwards, both logarithmic; the disk grows with the share of attacks missed."""
    found = placed(rows)
    x = _decades([float(length) for _, length, _ in found], 46, WIDTH - 8)
    y = _decades([p50 for _, _, p50 in found], HEIGHT - 36, 22)
    beaten = beaten_by(rows)
    points = [_point(row, x.at(length), y.at(p50), beaten.get(row.name, "")) for row, length, p50 in found]
    drawn = [frame(x, y, ("bytes, logarithmic", size), ("ms for one event (p50), logarithmic", "{:g}".format))]
    drawn += [circle(p.x, p.y, p.radius, f"misses {slug(p.title)}") for p in points]
    drawn += [mark(p.x, p.y, p.title, hollow=bool(p.beaten)) for p in points]
    taken = [_Box(p.x - 7, p.y - 7, p.x + 7, p.y + 7) for p in points]
    for point in points:
        drawn += _label(point, taken)
    described = [
        f"{point.title}: {size(length)}, {p50:.3g} ms, {point.words}"
        for point, (_, length, p50) in zip(points, found, strict=True)
    ]
    return svg("Size, latency and attacks detected", "; ".join(described), drawn, width=WIDTH, height=HEIGHT)


def _point(row: Row, x: float, y: float, beaten: str) -> _Point:
    missed = _missed(row)
    radius = 0.0 if missed is None else 140 * math.sqrt(missed / math.pi)
    return _Point(row.name, x, y, radius, missed, beaten)


def _label(point: _Point, taken: list[_Box]) -> list[Html]:
    """Write name and recall beside a point: at the first side where they stand on nothing, else the first."""
    lines = (point.title, point.detected)
    wide, gap = LETTER * max(map(len, lines)), max(point.radius, 7) + 4
    sides = [
        (point.x + gap, point.y - LINE, "start"),
        (point.x - gap, point.y - LINE, "end"),
        (point.x, point.y + gap - 2, "middle"),
        (point.x, point.y - gap - 2 * LINE, "middle"),
    ]
    boxes = [_box(x, top, wide, anchor) for x, top, anchor in sides]
    free = [
        i
        for i, box in enumerate(boxes)
        if box.left > 30 and box.right < WIDTH and box.top > 12 and not any(box.meets(other) for other in taken)
    ]
    best = free[0] if free else 0
    x, top, anchor = sides[best]
    taken.append(boxes[best])
    return [text(x, top + 10 + LINE * i, words, anchor=anchor, style="label") for i, words in enumerate(lines)]


def _box(x: float, top: float, wide: float, anchor: str) -> _Box:
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    return _Box(left, top, left + wide, top + 2 * LINE)


def _decades(values: Sequence[float], start: float, end: float) -> Axis:
    """Return a logarithmic axis over whole decades."""
    if not values:
        return Axis(1, 10, start, end, log=True)
    values = [min(max(value, 1 / GREATEST), GREATEST) for value in values]
    low = 10.0 ** math.floor(math.log10(min(values) * 0.8))
    return Axis(low, max(10.0 ** math.ceil(math.log10(max(values) * 1.2)), low * 10), start, end, log=True)
