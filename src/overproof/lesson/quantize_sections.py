"""Put the steps of quantization into sections: range and scale, the error, the grid, memory."""

from __future__ import annotations

import numpy as np

from overproof.lesson import printed_values, steps
from overproof.lesson.blocks import Block, Drawing, Rows, Section, Table, as_printed
from overproof.lesson.figures import figures
from overproof.lesson.user_data import UserData
from overproof.quantization.affine import Scheme
from overproof.results.formatting import percent

WIDTH = 73  # of a drawing
NEAR_ZERO = 0.02


def range_section(user: UserData) -> Section:
    on, low, high = steps.on_grid(), float(steps.W.min()), float(steps.W.max())
    qmin, qmax = on.scheme.limits
    return Section(
        "range",
        "Range, scale, zero point",
        (
            "Nine weights:",
            Drawing("\n".join("  " + " ".join(f"{x:>7}" for x in row) for row in printed_values.MATRIX)),
            "The range, divided by the steps that 8 bits have, is the scale; the zero point is the integer of 0.0:",
            Drawing(
                f"  range       {high:g} - ({low:g}) = {high - low:.3f}\n"
                f"  scale       {high - low:.3f} / ({qmax} - {qmin}) = {on.scale[0]:.6f}\n"
                f"  zero point  round({qmin} - ({low:g}) / {on.scale[0]:.6f}) = {on.zero_point[0]}\n"
                f"  grid        {on.low[0]:.6f} … {on.high[0]:.6f}"
            ),
            f"The grid is the range moved until 0.0 lies on a line, here by {(on.low[0] - low) / on.scale[0]:.2f} of a "
            f"step: so far {low:g} is clipped.",
        ),
        _own_range(user),
    )


def _own_range(user: UserData) -> tuple[Block, ...]:
    if user.layer is None:
        return (f"Of {user.name}: {user.tensor}, {user.scheme}: {_cost(user)}",)
    return (f"Of {user.name}: {user.tensor}. {user.layer.why}", Drawing(user.layer.grid()))


def quantize_section(user: UserData) -> Section:
    on, by_name = steps.on_grid(), {f.what: f for f in figures()}
    rows: Rows = [("weight", "q", "printed", "back", "printed", "error", "printed", "relative", "printed")]
    for k, x in enumerate(digits for row in printed_values.MATRIX for digits in row):
        kinds = (f"q of {x}", f"{x} reconstructed", f"error of {x}", f"relative error of {x}")
        printed = [as_printed(by_name[what].printed, by_name[what].right) for what in kinds]
        values = (
            str(on.quantized[k]),
            f"{on.reconstructed[k]:.6f}",
            f"{on.errors[k]:.6f}",
            f"{100 * on.relative[k]:.3f} %",
        )
        rows.append((x, *(cell for pair in zip(values, printed, strict=True) for cell in pair)))
    return Section(
        "quantize",
        "Quantize, dequantize, and the error",
        (
            "q = round(w / scale) + zero point, and back: (q - zero point) · scale. No error is above half a step "
            f"({on.scale[0] / 2:.6f}), so the relative error is largest where the weight is smallest: 0.001 is "
            "rounded to nothing.",
            Table(tuple(rows)),
        ),
        (f"Of {user.name}: the error by magnitude, {user.tensor}:", *_own_errors(user)),
    )


def _own_errors(user: UserData) -> tuple[Block, ...]:
    if user.layer is not None:
        lost, clipped = percent(user.cost.lost), percent(user.cost.saturated)
        share = f"{lost} of the weights that are not 0 became 0, {clipped} are clipped."
        return Drawing(user.layer.errors()), f"The bars are the mean error over |w|. {share}"
    own: Rows = [("steps of the grid", "values", "mean error", "mean relative error")]
    for band in user.cost.bands:
        reach = f"{band.low:g} … {band.high:g}" if np.isfinite(band.high) else f"{band.low:g} …"
        relative = "" if band.mean_relative is None else f"{band.mean_relative:.2%}"
        own.append((reach, f"{band.values:,}", f"{band.mean_error:.3g}", relative))
    return (Table(tuple(own)),)


def grid_section(user: UserData) -> Section:
    coarse = steps.on_grid(Scheme(bits=3))
    on = steps.on_grid()
    return Section(
        "grid",
        "The grid",
        (
            f"Weights (o) go to the nearest line. With {coarse.scheme.bits} bits, {2**coarse.scheme.bits} lines; 0.0 "
            "is one of them:",
            Drawing(drawn(coarse, min(coarse.low[0], steps.W.min()), max(coarse.high[0], steps.W.max()))),
            f"With {on.scheme.bits} bits, {2**on.scheme.bits} lines; these are the ones near zero, {on.scale[0]:.6f} "
            "apart:",
            Drawing(drawn(on, -NEAR_ZERO, NEAR_ZERO)),
        ),
        _own_grid(user),
    )


def _own_grid(user: UserData) -> tuple[Block, ...]:
    if user.layer is None:
        return ()
    return (
        f"Of {user.name}: how many weights of {user.tensor} went to each line of the grid, a column for "
        f"{user.layer.column}:",
        Drawing(user.layer.integers()),
    )


def drawn(on: steps.OnGrid, low: float, high: float) -> str:
    """Draw the lines of a grid from low to high, and the weights above them, as text."""

    def at(value: float) -> int:
        return round((value - low) / (high - low) * (WIDTH - 1))

    above, line = [" "] * WIDTH, ["-"] * WIDTH
    for value in map(float, steps.W.flat):
        if low <= value <= high:
            above[at(value)] = "o"
    qmin, qmax = on.scheme.limits
    for q in range(qmin, qmax + 1):
        value = (q - on.zero_point[0]) * on.scale[0]
        if low <= value <= high:
            line[at(value)] = "0" if q == on.zero_point[0] else "|"
    ends = f"{low:.3f}".ljust(WIDTH - 6) + f"{high:.3f}".rjust(6)
    return "\n".join(f"  {''.join(part)}".rstrip() for part in (above, line, ends))


def memory_section(user: UserData) -> Section:
    rows: Rows = [("bits", "values", "scale and zero point", "bytes", "saved", "largest error")]
    for bits in (8, 4, 2):
        on = steps.on_grid(Scheme(bits=bits))
        before, after = on.cost.bytes_before, on.cost.bytes_after
        values = -(-on.cost.values * bits // 8)
        extra = str(after - values)
        rows.append((str(bits), str(values), extra, str(after), f"{1 - after / before:.0%}", f"{max(on.errors):.4f}"))
    printed = {f.what: f for f in figures()}["saved"]
    c, layer = user.cost, user.layer
    model = []
    if layer is not None:
        before, after = layer.model_before, layer.model_after
        model = [f"The whole model's file: {before:,} bytes become {after:,} ({_saved(before, after)})."]
    return Section(
        "memory",
        "Memory",
        (
            f"{steps.W.size} weights in FP32 take {steps.on_grid().cost.bytes_before} bytes. A scale is a float, four "
            "bytes; a zero point takes as many bits as a weight.",
            Table(tuple(rows)),
            f"The tutorial prints {printed.printed} %, with the zero point as a second float. Three rows of three are "
            "too few to pay for a scale; a real matrix has thousands of values for each.",
        ),
        (
            f"Of {user.name}: {user.tensor}: {c.bytes_before:,} bytes become {c.bytes_after:,} "
            f"({_saved(c.bytes_before, c.bytes_after)}).",
            *model,
        ),
    )


def _saved(before: int, after: int) -> str:
    return f"{1 - after / max(1, before):.0%} saved"


def _cost(user: UserData) -> str:
    c = user.cost
    sqnr = "nothing lost" if c.sqnr_db is None else f"SQNR {c.sqnr_db:.1f} dB"
    return f"largest error {c.max_error:.3g}, {sqnr}, {c.lost:.2%} of what is not 0 became 0."
