"""Draw the map of the student's embedding, and say in numbers what is seen on it."""

from __future__ import annotations

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.checks.embedding_map import NEAREST, EmbeddingMap, Kind, MapLayer
from overproof.checks.pairs import Share
from overproof.checks.report.outcome import CheckOutcome
from overproof.report.markup import Html, figure, many, paragraph, span
from overproof.report.svg import Axis, dots, element, rect, svg, text, upright
from overproof.report.words import count, interval, percent

WIDTH, HEIGHT = 440, 300
SHAPES: dict[Kind, str] = {  # each from its middle, so that they are told apart without colour
    "benign": "h0",
    "detected": "m0-3.4 3.2 5.6h-6.4z",
    "missed by both": "m-3.4-3.4h6.8v6.8h-6.8z",
    "missed": "m-4.6-4.6 9.2 9.2m0-9.2-9.2 9.2",
}


def embedding_map(found: EmbeddingMap, report: CheckOutcome) -> Html:
    """Draw the picture, its legend, and the sentences."""
    said = in_words(found, report)
    places = (
        f"{count(_placed(found, 'benign'))} of {count(found.benign)} benign events and "
        f"{count(sum(len(layer.x) for layer in found.layers[1:]))} of {count(found.attacks)} attacks. Nearer: by the "
        f"nearest {NEAREST} of {count(found.reference)} of either kind, in all directions."
    )
    caption = f"{places} {found.note}".strip()
    parts = [paragraph(said, "small"), _legend(found, report), figure(_picture(found, said), caption)]
    return many(parts)


def in_words(found: EmbeddingMap, report: CheckOutcome) -> str:
    """Say how many of the misses lie nearer to benign events than to attacks, beside those that are detected."""
    missed, detected = found.missed, found.detected
    alone = " and the full model detects" if _compared(report) else ""
    others = f"{_of(detected)} that it detects"
    if not missed.n:
        return f"There is no attack that {QUANTIZED} misses{alone}. Nearer to benign events than to attacks: {others}."
    return f"Nearer to benign events than to other attacks: {_of(missed)} that {QUANTIZED} misses{alone}, {others}."


def _of(found: Share) -> str:
    return f"{count(found.k)} of {count(found.n)} ({interval(found.share)})"


def _compared(report: CheckOutcome) -> bool:
    return FULL not in report.absent


def _titles(report: CheckOutcome) -> dict[Kind, str]:
    alone = _compared(report)
    return {
        "benign": "benign",
        "detected": "attack, detected",
        "missed by both": "attack, missed by both models",
        "missed": "attack, missed by the student alone" if alone else "attack, missed",
    }


def _placed(found: EmbeddingMap, kind: Kind) -> int:
    return next(len(layer.x) for layer in found.layers if layer.kind == kind)


def _legend(found: EmbeddingMap, report: CheckOutcome) -> Html:
    titles = _titles(report)
    shown = [
        span(span(_sign(layer.kind), f"{titles[layer.kind]} ({count(len(layer.x))})", kind="key"), " ")
        for layer in found.layers
        if layer.x or layer.kind != "missed by both"
    ]
    return paragraph(many(shown), "legend")


def _sign(kind: Kind) -> Html:
    return element(
        "svg", _drawn(kind, [(7.0, 7.0)]), class_="mark", width=14, height=14, viewBox="0 0 14 14", aria_hidden="true"
    )


def _drawn(kind: Kind, places: list[tuple[float, float]]) -> Html:
    return dots(places, SHAPES[kind], f"place {kind.replace(' ', '-')}")


def _picture(found: EmbeddingMap, said: str) -> Html:
    x = _axis([value for layer in found.layers for value in layer.x], 24, WIDTH - 8)
    y = _axis([value for layer in found.layers for value in layer.y], HEIGHT - 26, 8)
    first, second = (percent(held) for held in found.variance)
    parts = [
        rect(16, 0, WIDTH - 16, HEIGHT - 18, "field"),
        text((16 + WIDTH) / 2, HEIGHT - 4, f"first component, {first} of the variance", anchor="middle", style="axis"),
        upright(10, (HEIGHT - 18) / 2, f"second, {second}", anchor="middle", style="axis"),
        *(_drawn(layer.kind, _at(layer, x, y)) for layer in found.layers if layer.x),
    ]
    held = f"The two components hold {first} and {second} of its variance."
    return svg("Map of the student's embedding", f"{said} {held}", parts, width=WIDTH, height=HEIGHT)


def _axis(values: list[float], start: float, end: float) -> Axis:
    return Axis(min(values), max(values), start, end)


def _at(layer: MapLayer, x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [(x.at(a), y.at(b)) for a, b in zip(layer.x, layer.y, strict=True)]
