"""Write what models miss at the same false-positive rate, as tables and sentences, and say who wins.

Somebody wins where the paired 95 % interval of the attacks missed, both flagging as many benign events, excludes zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.report import words
from overproof.report.not_measured import NotMeasured
from overproof.results.metrics import Share
from overproof.results.operating_points import (
    FAMILY_RATE,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
)

Cells = list[list[str]]
UNMEASURED = "unmeasured"


class Outcome(Enum):
    """How the quantized student compares with another model at one false-positive rate."""

    STUDENT = "it misses fewer attacks"
    OTHER = "it misses more attacks"
    NEITHER = "no difference is measured"
    UNMEASURED = "not measured"


def outcome(found: Difference | NotMeasured | None) -> Outcome:
    """Decide by the interval alone."""
    if not isinstance(found, Difference):
        return Outcome.UNMEASURED
    if found.missed.high < 0:
        return Outcome.STUDENT
    return Outcome.OTHER if found.missed.low > 0 else Outcome.NEITHER


def rate_in_words(rate: float) -> str:
    """Write a false-positive rate: `0.5 %`."""
    return f"{100 * rate:g} %"


def tables(points: OperatingPoints | NotMeasured) -> list[Cells]:
    """Write attacks missed at each rate with the rate that was achieved, then the families; heads come first."""
    if isinstance(points, NotMeasured) or not points.at:
        return []
    head = ["at the same false-positive rate"]
    for at in points.at:
        head += [f"missed at {rate_in_words(at.rate)} [95 %]", "achieved [95 %]"]
    body = [[name, *(cell for at in points.at for cell in _cells(at.models.get(name)))] for name in names(points)]
    family = family_table(points)
    return [[head, *body], *([family] if family else [])]


def names(points: OperatingPoints) -> list[str]:
    """List the models, in their order."""
    return list(dict.fromkeys(name for at in points.at for name in at.models))


def _cells(point: OperatingPoint | NotMeasured | None) -> list[str]:
    if not isinstance(point, OperatingPoint):
        return [UNMEASURED, UNMEASURED]
    figures = (point.missed, point.flagged)
    return [UNMEASURED if isinstance(found, NotMeasured) else words.interval(found) for found in figures]


def family_table(points: OperatingPoints) -> Cells:
    """Write each family's recall at 0.5 % false positives, where some model misses an attack of it; empty if none."""
    at, measured = _of_families(points)
    missed = _families(measured.values(), whole=False)
    if at is None or not missed:
        return []
    rival = at.against.get(BASELINE)
    paired = rival.families if isinstance(rival, Difference) else {}
    head = [
        f"recall at {rate_in_words(at.rate)} false positives",
        *measured,
        "INT8 \N{MINUS SIGN} baseline, points [95 %]",
    ]
    recall = ([_recall(point.families.get(family)) for point in measured.values()] for family in missed)
    rows = zip(missed, recall, strict=True)
    return [head, *([family, *cells, _gained(paired.get(family))] for family, cells in rows)]


def _of_families(points: OperatingPoints) -> tuple[RatePoints | None, dict[str, OperatingPoint]]:
    at = next((at for at in points.at if at.rate == FAMILY_RATE), None)
    models = {} if at is None else at.models
    return at, {name: point for name, point in models.items() if isinstance(point, OperatingPoint)}


def _families(measured: Iterable[OperatingPoint], *, whole: bool) -> list[str]:
    """List the families of which every model detects all attacks, or the others."""
    shares: dict[str, list[Share]] = {}
    for point in measured:
        for family, share in point.families.items():
            shares.setdefault(family, []).append(share)
    return [family for family, found in shares.items() if all(share.k == share.n for share in found) == whole]


def _recall(share: Share | None) -> str:
    if share is None or share.rate is None:
        return UNMEASURED
    return f"{100 * share.rate:.1f} % ({share.k}/{share.n})"


def _gained(missed: PairedDifference | None) -> str:
    """Write by how much the student's recall is higher than the other's: what it misses less."""
    if missed is None:
        return UNMEASURED
    return f"{_points(-missed.value)} [{_points(-missed.high)}, {_points(-missed.low)}]"


def footnotes(points: OperatingPoints | NotMeasured) -> list[str]:
    """Say what the thresholds are, what no model missed, and why figures are missing."""
    if isinstance(points, NotMeasured):
        return [f"{words.NOT_MEASURED} at the same false-positive rate: {points.unmeasured}"]
    notes = [
        "At the same false-positive rate each model has a threshold of its own, above which that share of the benign "
        "validation events lies; missed, achieved: on the test events, 95 % intervals in independent units.",
        "Differences are measured where the student flags as many benign test events as the other model behind its "
        "threshold; their intervals allow for how well that can be told.",
    ]
    at, measured = _of_families(points)
    whole = _families(measured.values(), whole=True)
    if at is not None and whole:
        notes.append(f"At {rate_in_words(at.rate)} false positives every model detects all of: {', '.join(whole)}.")
    return [*notes, *_gaps(points)]


def _gaps(points: OperatingPoints) -> list[str]:
    """Say why figures are missing: a line for each reason, with its models and rates."""
    gaps: dict[tuple[str, str], list[str]] = {}
    for at in points.at:
        for why, models in _reasons(at).items():
            gaps.setdefault((why, ", ".join(models)), []).append(rate_in_words(at.rate))
    return [
        f"At {_joined(rates)} false positives {UNMEASURED}: {why} ({models})" for (why, models), rates in gaps.items()
    ]


def _reasons(at: RatePoints) -> dict[str, list[str]]:
    """Return reason to the models, or pairs of them, that were not measured for it."""
    found: dict[str, list[str]] = {}
    for name, point in at.models.items():
        parts = [point] if isinstance(point, NotMeasured) else [point.missed, point.flagged]
        for why in dict.fromkeys(part.unmeasured for part in parts if isinstance(part, NotMeasured)):
            found.setdefault(why, []).append(name)
    pairs: dict[str, list[str]] = {}
    for name, apart in at.against.items():
        if isinstance(apart, NotMeasured) and apart.unmeasured not in found:
            pairs.setdefault(apart.unmeasured, []).append(f"{QUANTIZED} against {_named(name)}")
    return found | pairs


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([*([", ".join(parts[:-1])] if parts[1:] else []), *parts[-1:]])


def decisive(points: OperatingPoints | NotMeasured) -> str:
    """Say in a sentence whether the quantized student beats the linear baseline, or the other way round."""
    found = {} if isinstance(points, NotMeasured) else {at.rate: outcome(at.against.get(BASELINE)) for at in points.at}
    if isinstance(points, NotMeasured) or set(found.values()) <= {Outcome.UNMEASURED}:
        return f"Who wins at the same false-positive rate, {QUANTIZED} or the {BASELINE}, was not measured."
    for who in (Outcome.OTHER, Outcome.STUDENT):
        won = [at for at in points.at if found[at.rate] is who]
        if won:
            return _won(won, who, {rate: how for rate, how in found.items() if how is not who})
    shown = [at for at in points.at if found[at.rate] is Outcome.NEITHER]
    middle = next((at for at in shown if at.rate == FAMILY_RATE), shown[-1])
    return f"Neither {QUANTIZED} nor the {BASELINE} wins: at {_sentence(middle, BASELINE)}"


def _won(won: Sequence[RatePoints], who: Outcome, others: Mapping[float, Outcome]) -> str:
    """Say who wins at some rates, by which figures, and what came of the other rates."""
    student = who is Outcome.STUDENT
    names = (QUANTIZED, f"the {BASELINE}") if student else (f"The {BASELINE}", QUANTIZED)
    missed = {rate_in_words(at.rate): _matched(at, BASELINE)[:: 1 if student else -1] for at in won}
    figures = ", ".join(f"{' against '.join(pair)} at {rate}" for rate, pair in missed.items())
    rest: dict[str, list[str]] = {}
    for rate, how in others.items():
        came_to = {Outcome.STUDENT: f"{QUANTIZED} wins", Outcome.UNMEASURED: UNMEASURED}.get(how, "no winner")
        rest.setdefault(came_to, []).append(rate_in_words(rate))
    parts = [f"{names[0]} beats {names[1]} at the same false-positive rate, in attacks missed: {figures}"]
    parts += [f"{how} at {_joined(rates)}" for how, rates in rest.items()]
    parts += [] if student else [f"where the {BASELINE} wins it is the better choice"]
    return f"{'; '.join(parts)}."


def in_words(points: OperatingPoints | NotMeasured) -> list[str]:
    """Compare the quantized student with the linear baseline, then with the full model, at each rate measured."""
    if isinstance(points, NotMeasured):
        return []
    pairs = [(at, rival) for rival in (BASELINE, FULL) for at in points.at]
    return [f"At {line}" for at, rival in pairs if (line := _sentence(at, rival))]


def _sentence(at: RatePoints, rival: str) -> str:
    """Say who misses fewer attacks at a rate, by which figures; nothing where that was not measured."""
    found = at.against.get(rival)
    if not isinstance(found, Difference):
        return ""
    rate, who = f"{rate_in_words(at.rate)} false positives", outcome(found)
    ends = f"{_points(found.missed.low)} … {_points(found.missed.high)}"
    where = f"where both flag as many benign events (95 % interval of the difference {ends} points)"
    missed = _matched(at, rival)
    if who is Outcome.NEITHER:
        models = f"{QUANTIZED} and {_named(rival)}"
        return f"{rate} no difference is measured between {models}: {' and '.join(missed)} of attacks missed {where}."
    if who is Outcome.STUDENT:
        return f"{rate} {QUANTIZED} misses fewer attacks than {_named(rival)}: {' against '.join(missed)} {where}."
    return f"{rate} {_named(rival)} misses fewer attacks than {QUANTIZED}: {' against '.join(missed[::-1])} {where}."


def _named(model: str) -> str:
    return {FULL: f"the {FULL} model", BASELINE: f"the {BASELINE}"}.get(model, model)


def _matched(at: RatePoints, rival: str) -> tuple[str, str]:
    """Write what the student misses where it flags as many benign events as the other, and what that misses."""
    point, found = at.models.get(rival), at.against.get(rival)
    if not (isinstance(point, OperatingPoint) and isinstance(found, Difference)) or isinstance(
        point.missed, NotMeasured
    ):
        return UNMEASURED, UNMEASURED
    other = point.missed.value
    return words.percent(other + found.missed.value), words.percent(other)


def _points(share: float) -> str:
    return words.percent(share).removesuffix(" %")
