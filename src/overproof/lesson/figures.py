"""Compare every figure that the tutorial prints with what its own arithmetic gives.

A figure is right if the exact value, rounded as far as the printed one, is the printed one. Where it is not, `why`
says so in words, and `slip`, where there is one, is the value of the mistake that the words name: the tests check
that it gives the printed figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from overproof.lesson import printed_values, steps
from overproof.quantization.affine import Scheme


@dataclass(frozen=True)
class Figure:
    """One printed figure.

    Attributes
    ----------
    where, what
        Which step prints it, and what it is the value of.
    printed
        Its digits; `unit` follows them.
    exact
        What the arithmetic gives, in that unit; None for a given, which nothing is computed from.
    why
        What went wrong, if anything did.
    slip
        The value that the named mistake gives; None where no simple one is known.
    """

    where: str
    what: str
    printed: str
    exact: float | None
    unit: str = ""
    why: str = ""
    slip: float | None = None

    @property
    def decimals(self) -> int:
        """Digits behind the point."""
        return len(self.printed.partition(".")[2])

    def rounded(self, value: float) -> str:
        """Write a value with as many decimals as are printed."""
        text = f"{value:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text

    @property
    def right(self) -> bool:
        """True if the exact value rounds to the printed one, or the figure is a given."""
        return self.exact is None or self.rounded(self.exact) == self.printed

    @property
    def exact_text(self) -> str:
        """The exact value with two digits more than are printed, trailing zeros left out."""
        if self.exact is None:
            return ""
        text = f"{self.exact:,.{self.decimals + 2}f}".rstrip("0").rstrip(".")
        return f"{text}{self.unit}"


def figures() -> tuple[Figure, ...]:
    """Return every printed figure, in the tutorial's order."""
    return (*_distillation(), *_quantization(), *_comparison())


def _distillation() -> Iterator[Figure]:
    step = "Part 1, step 1"
    for packet in printed_values.PACKETS:
        for name, printed in zip(printed_values.CLASSES, packet.printed, strict=True):
            yield Figure(step, f"P({name}) of packet {packet.name}", printed, None)
    step, packet_d = "Part 1, step 2", steps.information()[3]
    yield Figure(
        step,
        "most that a hard label of 3 classes can tell",
        printed_values.HARD_BITS,
        math.log2(len(printed_values.CLASSES)),
        " bit",
        f"A hard label of three classes tells up to log2 3 bits, and as a distribution it holds 0. 1 bit would be two "
        f"even classes; or the surprise at the winner of someone who already held the teacher's "
        f"{max(printed_values.PACKETS[3].printed)}.",
        packet_d.surprise,
    )
    t2 = steps.softened(steps.PACKET_LOGITS[3], (2,))[0]
    yield Figure(
        step,
        "entropy of packet D",
        printed_values.ENTROPY_D,
        packet_d.entropy,
        " bit",
        f"-Σ p log2 p of the printed row. {printed_values.ENTROPY_D} is what the same packet has at T = 2 "
        f"({t2.entropy:.2f}).",
        t2.entropy,
    )
    for t in printed_values.TEMPERATURES:
        yield Figure("Part 1, step 3", "usual temperature", str(t), None)
    yield from _temperatures()
    yield from _sizes("Part 1, step 5")


def _temperatures() -> Iterator[Figure]:
    step = "Part 1, step 4"
    for soft in steps.softened(steps.PACKET_LOGITS[3], tuple(printed_values.SOFTENED)):
        printed = printed_values.SOFTENED[int(soft.temperature)]
        normal, suspicious, malicious = map(float, printed)
        high, low = _temperature_of(suspicious, malicious, 1, 2), _temperature_of(normal, suspicious, 0, 1)
        why = (
            f"No temperature gives the printed row: Malicious to Suspicious as printed needs T = {high:.2f}, "
            f"Suspicious to Normal T = {low:.2f}."
        )
        slip = None
        if soft.temperature == max(printed_values.SOFTENED):
            slip = 1 - normal - suspicious
            why = f"The other two as printed, {normal} and {suspicious}, filled up to a sum of 1."
        for name, digits, exact in zip(printed_values.CLASSES, printed, soft.probabilities, strict=True):
            yield Figure(step, f"P({name}) of packet D at T = {soft.temperature:g}", digits, exact, "", why, slip)


def _temperature_of(lower: float, upper: float, i: int, j: int) -> float:
    """Return the T at which packet D's classes i and j stand to each other as lower to upper."""
    p = printed_values.PACKETS[3].probabilities
    return math.log(p[j] / p[i]) / math.log(upper / lower)


def _sizes(where: str) -> Iterator[Figure]:
    for size in steps.sizes():
        model = size.model
        if model.where == where:
            yield Figure(where, f"memory of the {model.name}", model.megabytes, size.bytes / 1e6, " MB")
            yield Figure(where, f"parameters of the {model.name}", model.millions, None, " M")
            yield Figure(where, f"time of the {model.name}", model.milliseconds, None, " ms")
            yield Figure(where, f"accuracy of the {model.name}", model.percent, None, " %")
            yield Figure(where, f"bits of the {model.name}'s weights", str(model.bits), None)
            if model.layers is not None:
                yield Figure(where, f"layers of the {model.name}", str(model.layers), None)
                yield Figure(where, f"width of the {model.name}", str(model.hidden), None)


def _quantization() -> Iterator[Figure]:
    weights = [digits for row in printed_values.MATRIX for digits in row]
    on, part = steps.on_grid(), "Part 2, "
    yield from (Figure(part + "setup", f"weight {digits}", digits, None) for digits in weights)
    yield Figure(part + "setup", "bits of the matrix", printed_values.BITS_BEFORE, on.cost.bytes_before * 8)
    yield Figure(part + "setup", "bytes of the matrix", printed_values.BYTES_BEFORE, on.cost.bytes_before)
    yield Figure(part + "step 1", "min(W)", printed_values.LOW, steps.W.min())
    yield Figure(part + "step 1", "max(W)", printed_values.HIGH, steps.W.max())
    yield Figure(part + "step 1", "range", printed_values.RANGE, float(steps.W.max() - steps.W.min()))
    for scheme, printed in ((Scheme(signed=True), printed_values.SIGNED), (Scheme(), printed_values.UNSIGNED)):
        for end, digits, exact in zip(("least", "greatest"), printed, scheme.limits, strict=True):
            yield Figure(part + "step 2", f"{end} integer of {scheme}", digits, exact)
    yield Figure(part + "step 2", "scale", printed_values.SCALE, on.scale[0])
    yield Figure(part + "step 2", "zero point", printed_values.ZERO_POINT, on.zero_point[0])
    yield from _integers(weights, on)
    yield from _memory(on)
    yield Figure(
        part + "step 4", "q - zero point of 0.127", printed_values.STEPS_OF_0_127, on.quantized[0] - on.zero_point[0]
    )
    yield from _errors(weights, on)
    yield from _drawn(on)


def _integers(weights: Sequence[str], on: steps.OnGrid) -> Iterator[Figure]:
    printed = [digits for row in printed_values.QUANTIZED for digits in row]
    for digits, q, exact in zip(weights, printed, on.quantized, strict=True):
        x = float(digits) / on.scale[0]
        why = f"{digits} / scale is {x:.2f}, which rounds to {np.rint(x):.0f}; cut off to {math.trunc(x)} it gives {q}."
        yield Figure("Part 2, step 3", f"q of {digits}", q, exact, "", why, math.trunc(x) + on.zero_point[0])


def _memory(on: steps.OnGrid) -> Iterator[Figure]:
    where, values = "Part 2, step 3", on.cost.values
    extra = on.cost.bytes_after - values
    before, after = on.cost.bytes_before, on.cost.bytes_after
    why = "The zero point is an integer of the same 8 bits, one byte; counted as a second float it takes four."
    yield Figure(where, "bits of the quantized matrix", printed_values.BITS_AFTER, values * on.scheme.bits)
    yield Figure(where, "bytes of the quantized matrix", printed_values.BYTES_AFTER, values)
    yield Figure(
        where, "bytes of scale and zero point", printed_values.SCALE_BYTES, extra, "", why, 2 * steps.FLOAT_BYTES
    )
    slip = values + 2 * steps.FLOAT_BYTES
    yield Figure(where, "bytes in all", printed_values.TOTAL_BYTES, after, "", why, slip)
    percent, slipped = (100 * (1 - n / before) for n in (after, slip))
    why = f"{why} {printed_values.SMALLER} % follows from the printed {printed_values.TOTAL_BYTES}."
    yield Figure(where, "saved", printed_values.SMALLER, percent, " %", why, slipped)


def _errors(weights: Sequence[str], on: steps.OnGrid) -> Iterator[Figure]:
    """Yield step 5; each slip is what follows from the figures printed before it."""
    where, scale, zero = "Part 2, step 5", float(printed_values.SCALE), int(printed_values.ZERO_POINT)
    integers = [int(q) for row in printed_values.QUANTIZED for q in row]
    for k, digits in enumerate(weights):
        x, q = float(digits), integers[k]
        why = f"Computed with the scale rounded to {printed_values.SCALE}."
        if q != on.quantized[k]:
            why = f"Follows from the wrong q, {q}."
        printed, exact = printed_values.RECONSTRUCTED[k], on.reconstructed[k]
        yield Figure(where, f"{digits} reconstructed", printed, exact, "", why, (q - zero) * scale)
        why, slip = f"Computed from the reconstruction as printed, {printed}.", abs(float(printed) - x)
        printed, exact = printed_values.ERRORS[k], on.errors[k]
        yield Figure(where, f"error of {digits}", printed, exact, "", why, slip)
        why, slip = f"Computed from the error as printed, {printed}.", 100 * float(printed) / abs(x)
        printed, exact = printed_values.RELATIVE[k], 100 * on.relative[k]
        yield Figure(where, f"relative error of {digits}", printed, exact, " %", why, slip)


def _drawn(on: steps.OnGrid) -> Iterator[Figure]:
    where, labels = "Part 2, the drawn grid", printed_values.GRID_LABELS
    for digits in printed_values.FLOAT_LABELS:
        yield Figure(where, "label of the float line", digits, None)
    yield Figure(where, "values of 8 bits", printed_values.GRID_VALUES, float(np.ptp(on.scheme.limits)) + 1)
    for digits in labels[1:-1]:
        yield Figure(
            where, f"line nearest to {digits}", digits, on.scale[0] * float(np.rint(float(digits) / on.scale[0]))
        )
    ends = (
        (labels[0], on.low[0], printed_values.LOW, "lowest"),
        (labels[-1], on.high[0], printed_values.HIGH, "highest"),
    )
    for digits, exact, slip, which in ends:
        why = f"That is the weight; its line stands {abs(exact / on.scale[0]):.0f} steps from 0."
        yield Figure(where, f"{which} line", digits, exact, "", why, float(slip))
    yield Figure(where, "integer of the lowest line", "0", on.scheme.limits[0])
    yield Figure(where, "integer of 0.0", printed_values.ZERO_POINT, on.zero_point[0])
    yield Figure(where, "spacing", printed_values.SCALE, on.scale[0])


def _comparison() -> Iterator[Figure]:
    where = "Comparison"
    yield from _sizes(where)
    for what, printed in (
        ("times fewer parameters", printed_values.FEWER_PARAMETERS),
        ("times smaller", printed_values.SMALLER_FILE),
        ("points lost by distillation", printed_values.CAPABILITY_LOST),
        ("points lost at INT8, less than", (printed_values.LOST_AT_INT8,)),
    ):
        for digits in printed:
            yield Figure(where, what, digits, None)
