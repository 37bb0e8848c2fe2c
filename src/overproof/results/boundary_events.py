"""Find the events at the boundary between two classes, where soft labels say what a hard label cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats, entropy_bits, softmax

TEMPERATURES = (1, 2, 4)
LONGEST = 400  # characters of an event that is shown


@dataclass(frozen=True)
class SoftLabel:
    """A boundary event as the teacher sees it.

    Attributes
    ----------
    text, label
        The event and its hard label.
    classes
        Class names, in the order of the probabilities.
    probabilities, bits
        Temperature (as written) to class probabilities, and to their entropy in bits.
    """

    text: str
    label: str | None
    classes: tuple[str, ...]
    probabilities: Mapping[str, tuple[float, ...]]
    bits: Mapping[str, float]

    def render(self, classes_shown: int = 3) -> str:
        """Write the event, and a line for each temperature with its likeliest classes."""
        first = next(iter(self.probabilities.values()))
        best = sorted(range(len(first)), key=lambda i: -first[i])[:classes_shown]
        lines = [f"  {self.text[:100]!r}  hard label: {self.label}"]
        for temperature, p in self.probabilities.items():
            shares = "  ".join(f"{self.classes[i]} {p[i]:.3f}" for i in best)
            lines.append(f"    T = {temperature}:  {shares}  (entropy {self.bits[temperature]:.2f} bits)")
        return "\n".join(lines)


def boundary_events(events: pa.Table, logits: Floats, classes: Sequence[str], count: int = 4) -> tuple[SoftLabel, ...]:
    """Find the events whose two best classes the model tells apart least, one for each pair of classes.

    Source of the insight: Hinton, Vinyals, Dean 2015, section 1 ("dark knowledge").
    """
    probabilities = softmax(logits)
    two = np.argsort(-probabilities, axis=1)[:, :2]
    rows = np.arange(len(two))
    gap = probabilities[rows, two[:, 0]] - probabilities[rows, two[:, 1]]
    texts, labels = events["text"], events["label"]
    found: dict[tuple[int, ...], SoftLabel] = {}
    for i in map(int, np.argsort(gap, kind="stable")):
        pair = tuple(sorted(two[i].tolist()))
        if pair in found or len(texts[i].as_py()) > LONGEST:
            continue
        found[pair] = _soft_label(texts[i].as_py(), labels[i].as_py(), logits[i : i + 1], classes)
        if len(found) == count:
            break
    return tuple(found.values())


def _soft_label(text: str, label: str | None, logits: Floats, classes: Sequence[str]) -> SoftLabel:
    """Soften one event's logits, shape (1, classes), at every temperature."""
    soft = {f"{t:g}": softmax(logits, t) for t in TEMPERATURES}
    return SoftLabel(
        text,
        label,
        tuple(classes),
        {t: tuple(map(float, p[0])) for t, p in soft.items()},
        {t: float(entropy_bits(p)[0]) for t, p in soft.items()},
    )
