"""Make the table printed | exact | why: what the tutorial prints and its own arithmetic does not give.

It is made here for the lesson and for docs/tutorial-errata.md alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from overproof.bundle.scores import distillation_loss, entropy_bits, softmax
from overproof.lesson import printed_values, steps
from overproof.lesson.figures import figures
from overproof.report import layout

PARTS = ("Part 1", "Part 2", "Comparison")
HEAD = ("where", "what", "printed", "exact", "why")


@dataclass(frozen=True)
class Erratum:
    """One row of the table."""

    where: str
    what: str
    printed: str
    exact: str
    why: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's cells, as HEAD names them."""
        return (self.where, self.what, self.printed, self.exact, self.why)


def errata() -> tuple[Erratum, ...]:
    """Return the figures that are wrong, and the claims that do not hold, in the tutorial's order."""
    wrong = [Erratum(f.where, f.what, f"{f.printed}{f.unit}", f.exact_text, f.why) for f in figures() if not f.right]
    return tuple(
        sorted((*wrong, *_claims()), key=lambda e: ([e.where.startswith(p) for p in PARTS].index(True), e.where))
    )


def counted() -> str:
    """Say how many figures were checked."""
    every = figures()
    computed = [f for f in every if f.exact is not None]
    wrong = sum(not f.right for f in computed)
    return (
        f"{len(every)} printed figures: {len(every) - len(computed)} are given, {len(computed)} can be computed; "
        f"of these {len(computed) - wrong} are right and {wrong} are not."
    )


def markdown() -> str:
    """Write docs/tutorial-errata.md."""
    return f"""# Where the tutorial's figures do not hold

Made by `overproof.lesson.table`, from the functions that quantize and distil; do not edit.
A figure is right if the exact value, rounded as far as the printed one, is the printed one.

{counted()}
The table adds claims that are no figures, or right alone and wrong beside another.

{layout.markdown([HEAD, *(e.cells for e in errata())], left=(0, 1, 4))}
"""


def _claims() -> Iterator[Erratum]:
    """Yield what is no printed figure, or is right as a figure and wrong beside another."""
    yield from _claims_of_the_loss()
    yield from _claims_of_the_training_loop()
    yield from _claims_of_the_sizes()
    yield from _claims_of_the_grid()
    yield from _claims_of_the_comparison()


def _claims_of_the_loss() -> Iterator[Erratum]:
    """Yield what the formula of the loss leaves out or gets wrong."""
    step = "Part 1, step 3"
    d, student = steps.PACKET_LOGITS[3:], np.array([steps.STUDENT], dtype=np.float32)
    one, two = steps.losses(student, d, (1, 4))
    length = [float(np.linalg.norm(g)) for g in (one.gradient, two.gradient, two.gradient_plain)]
    yield Erratum(
        step,
        "the loss",
        "KL",
        "KL · T²",
        f"T² is missing. Without it the gradient fades as 1/T²: on packet D, for the student {steps.STUDENT}, its "
        f"length is {length[0]:.3f} at T = 1 and {length[2]:.3f} at T = 4; with T², {length[1]:.3f}.",
    )
    p = np.array([printed_values.PACKETS[3].probabilities], dtype=np.float32)
    again = softmax(p, 2)[0]
    yield Erratum(
        step,
        "what T divides",
        "teacher(packet)",
        "logits",
        "softmax(teacher(packet) / T) is right only if the model gives logits. Step 1 shows probabilities, and softmax "
        f"of those at T = 2 gives packet D {' / '.join(f'{x:.3f}' for x in again)}, "
        f"{entropy_bits(again[None])[0]:.2f} bits: nearly nothing is left.",
    )


def _claims_of_the_training_loop() -> Iterator[Erratum]:
    """Yield what the code of the training loop gets wrong."""
    step, d, student = "Part 1, step 3", steps.PACKET_LOGITS[3:], np.array([steps.STUDENT], dtype=np.float32)
    there, back = distillation_loss(student, d), distillation_loss(d, student)
    yield Erratum(
        step,
        "arguments of KL_divergence",
        "teacher, student",
        "log of the student's, teacher's",
        "As mathematics the order is right. torch's kl_div takes the student's log-probabilities first; swapped, it is "
        f"another loss: {there:.3f} against {back:.3f} nats for the student {steps.STUDENT} on packet D.",
    )
    yield Erratum(
        step,
        "the backward pass",
        "student.backward(loss)",
        "loss.backward()",
        "The loss is differentiated, not the model; and an optimizer must clear the gradient before and step after.",
    )


def _claims_of_the_sizes() -> Iterator[Erratum]:
    """Yield where the sizes of drawn models do not fit each other."""
    teacher, student_size = steps.sizes()[:2]
    first, second = teacher.model, student_size.model
    for size in (teacher, student_size):
        if size.in_layers is None or size.rows is None:
            continue
        yield Erratum(
            "Part 1, step 5",
            f"{size.model.layers} layers of width {size.model.hidden}",
            f"{size.model.millions} M",
            f"{size.in_layers / 1e6:.2f} M",
            f"That is what the layers hold; the printed total needs an embedding of {size.rows:,} rows more.",
        )
    distilled, _ = _small_models()
    yield Erratum(
        "Comparison",
        "the distilled model",
        f"{distilled.millions} M, {distilled.megabytes} MB, {distilled.milliseconds} ms",
        f"{second.millions} M, {second.megabytes} MB, {second.milliseconds} ms",
        f"Part 1 draws the student of the same {first.millions} M teacher, with the same {distilled.percent} %, half "
        "as large. Each is right for itself; they are not one model.",
    )


def _claims_of_the_grid() -> Iterator[Erratum]:
    """Yield what the drawing of the grid gets wrong."""
    count = steps.float32_values(float(steps.W.min()), float(steps.W.max()))
    yield Erratum(
        "Part 2, the drawn grid",
        "precision of FP32",
        "infinite",
        f"{count:,} values",
        "So many float32 numbers lie from min(W) to max(W). It is a grid too, a finer one, and finest near 0.",
    )
    gaps = [b - a for a, b in pairwise(map(float, printed_values.GRID_LABELS))]
    even = (steps.on_grid().high[0] - steps.on_grid().low[0]) / len(gaps)
    yield Erratum(
        "Part 2, the drawn grid",
        "distance of its labels",
        " ".join(f"{gap:.2f}" for gap in gaps),
        f"{even:.3f} each",
        f"{len(printed_values.GRID_LABELS)} labels drawn at even distances divide the range evenly; "
        "those printed do not.",
    )


def _claims_of_the_comparison() -> Iterator[Erratum]:
    """Yield what the comparison says in one place and not in another."""
    distilled, small = _small_models()
    yield Erratum(
        "Comparison",
        "points lost at INT8",
        f"< {printed_values.LOST_AT_INT8} %",
        f"{float(distilled.percent) - float(small.percent):g} %",
        f"The drawing under it goes from {distilled.percent} % to {small.percent} %: that is not less.",
    )
    yield Erratum(
        "Comparison, red team",
        "what the student saw",
        "outputs alone",
        "events and outputs",
        "Part 1's own loop runs over the training data; the student sees each event and the teacher's answer to it.",
    )


def _small_models() -> tuple[printed_values.Model, printed_values.Model]:
    """Return the distilled and the quantized model of the comparison, as printed."""
    distilled, quantized = (m for m in printed_values.MODELS if m.where == "Comparison" and m.name != "full")
    return distilled, quantized
