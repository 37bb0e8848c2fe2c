"""The lesson as sections of text, tables and drawings: the terminal and the page show the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overproof.lesson import printed_values, steps, table
from overproof.lesson.figures import figures
from overproof.lesson.user_data import Point, Yours
from overproof.quantization.affine import Scheme
from overproof.results.boundary_events import SoftLabel
from overproof.results.compression import SIMULATED
from overproof.results.formatting import percent

WIDTH = 73  # of a drawing
NEAR_ZERO = 0.02
NOT_MEASURED = "not measured"
CLASSES_SHOWN, TEXT_SHOWN = 3, 100


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first one the head; `prose` if its last column is sentences."""

    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


@dataclass(frozen=True)
class Drawing:
    """Text whose columns matter."""

    text: str


Block = str | Table | Drawing
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """One step: what it shows of the tutorial, and the same of one's own.

    Attributes
    ----------
    key
        Its name in the page.
    own
        The blocks about one's own data.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    own: tuple[Block, ...] = ()


def sections(yours: Yours) -> tuple[Section, ...]:
    """Every section, in the tutorial's order."""
    return (
        _soft(yours),
        _hard(yours),
        _temperature(yours),
        _loss(yours),
        _sizes(yours),
        _range(yours),
        _quantize(yours),
        _grid(yours),
        _memory(yours),
        _combined(yours),
        _errata(),
    )


def _soft(yours: Yours) -> Section:
    rows: Rows = [("packet", *(f"P({name})" for name in printed_values.CLASSES), "sum", "hard label")]
    for packet, info in zip(printed_values.PACKETS, steps.information(), strict=True):
        cells = [f"{p:.2f}" for p in packet.probabilities]
        rows.append((f"{packet.name}: {packet.text}", *cells, f"{info.total:.2f}", info.label))
    return Section(
        "soft",
        "Soft labels",
        (
            "A large teacher answers with a probability for each class. The hard label keeps only the largest.",
            Table(tuple(rows)),
        ),
        (
            f"Of {yours.name}: {yours.model} judged {yours.events:,} simulated events. These it can hardly decide:",
            *(block for event in yours.boundary for block in _event(event)),
        ),
    )


def _event(event: SoftLabel) -> tuple[Block, ...]:
    """An event that is hard to decide, and its likeliest classes at each temperature."""
    first = next(iter(event.probabilities.values()))
    best = sorted(range(len(first)), key=lambda i: -first[i])[:CLASSES_SHOWN]
    rows: Rows = [("", *(event.classes[i] for i in best), "entropy")]
    for t, p in event.probabilities.items():
        rows.append((f"T = {t}", *(f"{p[i]:.3f}" for i in best), _bits(event.bits[t])))
    return f"{event.text[:TEXT_SHOWN]!r}, hard label {event.label}", Table(tuple(rows))


def _hard(yours: Yours) -> Section:
    rows: Rows = [("packet", "soft: entropy", "surprise at the winner", "between the others")]
    for info in steps.information():
        rows.append((info.name, _bits(info.entropy), _bits(info.surprise), _bits(info.relations)))
    most, classes = np.log2(len(printed_values.CLASSES)), len(yours.boundary[0].classes) if yours.boundary else 0
    return Section(
        "hard",
        "Why they beat hard labels",
        (
            "As a distribution a hard label has an entropy of 0 bits; naming one of "
            f"{len(printed_values.CLASSES)} classes tells {_bits(most)} at most. The soft label's entropy says how "
            "undecided the teacher is. The last column "
            "is the cross information: what it tells beyond the winner and its share, KL to a label that spreads the "
            "rest evenly.",
            Table(tuple(rows)),
            "Packet D is nearly as suspicious as malicious, and surely not normal. Its hard label says neither.",
        ),
        (
            f"Of {yours.name}: mean entropy {_bits(yours.entropy['1'])} over {yours.events:,} simulated events"
            + (f"; {classes} classes could hold {_bits(float(np.log2(classes)))}." if classes else "."),
        ),
    )


def _temperature(yours: Yours) -> Section:
    printed = {f.what: f for f in figures() if f.where == "Part 1, step 4"}
    rows: Rows = [("packet D", *(f"P({name})" for name in printed_values.CLASSES), "entropy", "the tutorial prints")]
    for soft in steps.softened(steps.PACKET_LOGITS[3]):
        found = [printed.get(f"P({name}) of packet D at T = {soft.temperature:g}") for name in printed_values.CLASSES]
        cells = [f"{p:.3f}" for p in soft.probabilities]
        told = " / ".join(_told(f.printed, f.right) for f in found if f is not None)
        rows.append((f"T = {soft.temperature:g}", *cells, _bits(soft.entropy), told))
    own: Rows = [("T", "mean entropy"), *((t, _bits(bits)) for t, bits in yours.entropy.items())]
    return Section(
        "temperature",
        "Temperature",
        (
            "softmax(z / T) spreads the probabilities, so that the small ones are seen too. T divides logits, not "
            "probabilities; the logits here are log p of the printed row. ≠ marks what the arithmetic does not give.",
            Table(tuple(rows)),
        ),
        (f"Of {yours.name}, over {yours.events:,} simulated events:", Table(tuple(own))),
    )


def _loss(yours: Yours) -> Section:
    student, teacher = np.array([steps.STUDENT], dtype=np.float32), steps.PACKET_LOGITS[3:]
    head = ("T", "KL", "KL · T²", "gradient of KL · T²", "its length", "without T²")
    rows: Rows = [head]
    for loss in steps.losses(student, teacher):
        gradient = " ".join(f"{g:+.3f}" for g in loss.gradient)
        lengths = (float(np.linalg.norm(g)) for g in (loss.gradient, loss.gradient_plain))
        rows.append(
            (f"{loss.temperature:g}", f"{loss.plain:.4f}", f"{loss.loss:.4f}", gradient, *(f"{x:.4f}" for x in lengths))
        )
    own: Rows = [("T", "KL", "KL · T²", "length of its gradient", "without T²")]
    for loss in yours.losses:
        values = (loss.plain, loss.loss, loss.gradient[0], loss.gradient_plain[0])
        own.append((f"{loss.temperature:g}", *(f"{v:.4f}" for v in values)))
    return Section(
        "loss",
        "The distillation loss",
        (
            "KL(teacher ‖ student) at T, times T², in nats. Its gradient is T · (student - teacher), both softened: "
            "without T² it would fade as T grows, and the hard labels' gradient would drown it. Packet D, and a "
            f"student whose logits are {', '.join(f'{z:g}' for z in steps.STUDENT)}:",
            Table(tuple(rows)),
        ),
        (
            f"Of {yours.name}: {yours.model} as teacher, a student that knows nothing (logits 0), "
            f"mean over {yours.events:,} simulated events:",
            Table(tuple(own)),
        ),
    )


def _sizes(yours: Yours) -> Section:
    rows: Rows = [("model", "parameters", "in layers", "embedding rows left", "memory", "the tutorial prints")]
    for size in steps.sizes()[:2]:
        layers = "" if size.in_layers is None else f"{size.in_layers:,}"
        left = "" if size.rows is None else f"{size.rows:,}"
        memory, printed = f"{size.bytes / 1e6:g} MB", f"{size.model.megabytes} MB"
        told = _told(printed, memory == printed)
        rows.append((size.model.name, f"{size.parameters:,}", layers, left, memory, told))
    own: Rows = [
        ("model", "parameters", "bytes"),
        *((p.name, _count(p.parameters), _count(p.bytes)) for p in yours.points),
    ]
    return Section(
        "sizes",
        "Teacher and student",
        (
            "Four bytes a parameter. A transformer layer of width h has 12 h² + 13 h of them; what is left of the "
            "printed total must be the embedding.",
            Table(tuple(rows)),
            "A smaller model cannot hold everything: rare and novel families are lost first.",
        ),
        (f"Of {yours.name}:", Table(tuple(own))),
    )


def _range(yours: Yours) -> Section:
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
        _own_range(yours),
    )


def _own_range(yours: Yours) -> tuple[Block, ...]:
    if yours.layer is None:
        return (f"Of {yours.name}: {yours.tensor}, {yours.scheme}: {_cost(yours)}",)
    return (f"Of {yours.name}: {yours.tensor}. {yours.layer.why}", Drawing(yours.layer.grid()))


def _quantize(yours: Yours) -> Section:
    on, known = steps.on_grid(), {f.what: f for f in figures()}
    rows: Rows = [("weight", "q", "printed", "back", "printed", "error", "printed", "relative", "printed")]
    for k, x in enumerate(digits for row in printed_values.MATRIX for digits in row):
        kinds = (f"q of {x}", f"{x} reconstructed", f"error of {x}", f"relative error of {x}")
        told = [_told(known[what].printed, known[what].right) for what in kinds]
        values = (
            str(on.quantized[k]),
            f"{on.reconstructed[k]:.6f}",
            f"{on.errors[k]:.6f}",
            f"{100 * on.relative[k]:.3f} %",
        )
        rows.append((x, *(cell for pair in zip(values, told, strict=True) for cell in pair)))
    return Section(
        "quantize",
        "Quantize, dequantize, and the error",
        (
            "q = round(w / scale) + zero point, and back: (q - zero point) · scale. No error is above half a step "
            f"({on.scale[0] / 2:.6f}), so the relative error is largest where the weight is smallest: 0.001 is "
            "rounded to nothing.",
            Table(tuple(rows)),
        ),
        (f"Of {yours.name}: the error by magnitude, {yours.tensor}:", *_own_errors(yours)),
    )


def _own_errors(yours: Yours) -> tuple[Block, ...]:
    if yours.layer is not None:
        lost, clipped = percent(yours.cost.lost), percent(yours.cost.saturated)
        told = f"{lost} of the weights that are not 0 became 0, {clipped} are clipped."
        return Drawing(yours.layer.errors()), f"The bars are the mean error over |w|. {told}"
    own: Rows = [("steps of the grid", "values", "mean error", "mean relative error")]
    for band in yours.cost.bands:
        reach = f"{band.low:g} … {band.high:g}" if np.isfinite(band.high) else f"{band.low:g} …"
        relative = "" if band.mean_relative is None else f"{band.mean_relative:.2%}"
        own.append((reach, f"{band.values:,}", f"{band.mean_error:.3g}", relative))
    return (Table(tuple(own)),)


def _grid(yours: Yours) -> Section:
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
        _own_grid(yours),
    )


def _own_grid(yours: Yours) -> tuple[Block, ...]:
    if yours.layer is None:
        return ()
    return (
        f"Of {yours.name}: how many weights of {yours.tensor} went to each line of the grid, a column for "
        f"{yours.layer.column}:",
        Drawing(yours.layer.integers()),
    )


def drawn(on: steps.OnGrid, low: float, high: float) -> str:
    """The lines of a grid from low to high, and the weights above them, as text."""

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


def _memory(yours: Yours) -> Section:
    rows: Rows = [("bits", "values", "scale and zero point", "bytes", "saved", "largest error")]
    for bits in (8, 4, 2):
        on = steps.on_grid(Scheme(bits=bits))
        before, after = on.cost.bytes_before, on.cost.bytes_after
        values = -(-on.cost.values * bits // 8)
        extra = str(after - values)
        rows.append((str(bits), str(values), extra, str(after), f"{1 - after / before:.0%}", f"{max(on.errors):.4f}"))
    printed = {f.what: f for f in figures()}["saved"]
    c, layer = yours.cost, yours.layer
    whole = []
    if layer is not None:
        before, after = layer.model_before, layer.model_after
        whole = [f"The whole model's file: {before:,} bytes become {after:,} ({_saved(before, after)})."]
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
            f"Of {yours.name}: {yours.tensor}: {c.bytes_before:,} bytes become {c.bytes_after:,} "
            f"({_saved(c.bytes_before, c.bytes_after)}).",
            *whole,
        ),
    )


def _combined(yours: Yours) -> Section:
    parity = (f"Of {yours.name}, what each step of the conversion changed:", Drawing("\n".join(yours.parity)))
    changed = (f"What quantization changed on held-back events: {yours.quantizing}.",)
    own: tuple[Block, ...] = (f"Of {yours.name}, on {yours.points_of}:", _strip(yours.points))
    return Section(
        "combined",
        "Distilled, then quantized",
        (
            "The two work on different things and are used together. As the tutorial draws it:",
            _strip(tutorial_points()),
        ),
        (
            *own,
            *(parity if yours.parity else ()),
            *(changed if yours.quantizing else ()),
            *((SIMULATED,) if "SIMULATED" in yours.points_of else ()),
        ),
    )


def tutorial_points() -> tuple[Point, ...]:
    """The strip that the tutorial draws, as printed."""
    return tuple(
        Point(
            s.model.name,
            s.parameters,
            int(float(s.model.megabytes) * 1e6),
            float(s.model.milliseconds),
            float(s.model.percent) / 100,
        )
        for s in steps.sizes()
        if s.model.where == "Comparison"
    )


def _strip(points: Sequence[Point]) -> Table:
    rows: Rows = [("model", "parameters", "bytes", "ms an event", "accuracy")]
    for p in points:
        ms = NOT_MEASURED if p.ms is None else f"{p.ms:.3g}"
        accuracy = NOT_MEASURED if p.accuracy is None else f"{p.accuracy:.2%}"
        rows.append((p.name, _count(p.parameters), _count(p.bytes), ms, accuracy))
    return Table(tuple(rows))


def _errata() -> Section:
    rows = (table.HEAD, *(e.cells for e in table.errata()))
    return Section(
        "errata",
        "Where the tutorial's figures do not hold",
        (table.counted(), Table(tuple(rows), prose=True)),
    )


def _saved(before: int, after: int) -> str:
    return f"{1 - after / max(1, before):.0%} saved"


def _cost(yours: Yours) -> str:
    c = yours.cost
    sqnr = "nothing lost" if c.sqnr_db is None else f"SQNR {c.sqnr_db:.1f} dB"
    return f"largest error {c.max_error:.3g}, {sqnr}, {c.lost:.2%} of what is not 0 became 0."


def _bits(value: float) -> str:
    return f"{value:.3f} bits"


def _count(value: int | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,}"


def _told(printed: str, right: bool) -> str:
    return printed if right else f"≠ {printed}"
