"""Put the steps of distillation into sections: soft labels, temperature, the loss, teacher and student."""

from __future__ import annotations

import numpy as np

from overproof.lesson import printed_values, steps
from overproof.lesson.blocks import Block, Rows, Section, Table, as_printed, bits, count
from overproof.lesson.figures import figures
from overproof.lesson.user_data import UserData
from overproof.results.boundary_events import SoftLabel

CLASSES_SHOWN, TEXT_SHOWN = 3, 100


def soft_section(user: UserData) -> Section:
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
            f"Of {user.name}: {user.model} judged {user.events:,} simulated events. These it can hardly decide:",
            *(block for event in user.boundary for block in _event(event)),
        ),
    )


def _event(event: SoftLabel) -> tuple[Block, ...]:
    """Show an event that is hard to decide, and its likeliest classes at each temperature."""
    first = next(iter(event.probabilities.values()))
    best = sorted(range(len(first)), key=lambda i: -first[i])[:CLASSES_SHOWN]
    rows: Rows = [("", *(event.classes[i] for i in best), "entropy")]
    for t, p in event.probabilities.items():
        rows.append((f"T = {t}", *(f"{p[i]:.3f}" for i in best), bits(event.bits[t])))
    return f"{event.text[:TEXT_SHOWN]!r}, hard label {event.label}", Table(tuple(rows))


def hard_section(user: UserData) -> Section:
    rows: Rows = [("packet", "soft: entropy", "surprise at the winner", "between the others")]
    for info in steps.information():
        rows.append((info.name, bits(info.entropy), bits(info.surprise), bits(info.relations)))
    most, classes = np.log2(len(printed_values.CLASSES)), len(user.boundary[0].classes) if user.boundary else 0
    return Section(
        "hard",
        "Why they beat hard labels",
        (
            "As a distribution a hard label has an entropy of 0 bits; naming one of "
            f"{len(printed_values.CLASSES)} classes tells {bits(most)} at most. The soft label's entropy says how "
            "undecided the teacher is. The last column "
            "is the cross information: what it tells beyond the winner and its share, KL to a label that spreads the "
            "rest evenly.",
            Table(tuple(rows)),
            "Packet D is nearly as suspicious as malicious, and surely not normal. Its hard label says neither.",
        ),
        (
            f"Of {user.name}: mean entropy {bits(user.entropy['1'])} over {user.events:,} simulated events"
            + (f"; {classes} classes could hold {bits(float(np.log2(classes)))}." if classes else "."),
        ),
    )


def temperature_section(user: UserData) -> Section:
    printed = {f.what: f for f in figures() if f.where == "Part 1, step 4"}
    rows: Rows = [("packet D", *(f"P({name})" for name in printed_values.CLASSES), "entropy", "the tutorial prints")]
    for soft in steps.softened(steps.PACKET_LOGITS[3]):
        found = [printed.get(f"P({name}) of packet D at T = {soft.temperature:g}") for name in printed_values.CLASSES]
        cells = [f"{p:.3f}" for p in soft.probabilities]
        row = " / ".join(as_printed(f.printed, f.right) for f in found if f is not None)
        rows.append((f"T = {soft.temperature:g}", *cells, bits(soft.entropy), row))
    own: Rows = [("T", "mean entropy"), *((t, bits(entropy)) for t, entropy in user.entropy.items())]
    return Section(
        "temperature",
        "Temperature",
        (
            "softmax(z / T) spreads the probabilities, so that the small ones are seen too. T divides logits, not "
            "probabilities; the logits here are log p of the printed row. ≠ marks what the arithmetic does not give.",
            Table(tuple(rows)),
        ),
        (f"Of {user.name}, over {user.events:,} simulated events:", Table(tuple(own))),
    )


def loss_section(user: UserData) -> Section:
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
    for loss in user.losses:
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
            f"Of {user.name}: {user.model} as teacher, a student that knows nothing (logits 0), "
            f"mean over {user.events:,} simulated events:",
            Table(tuple(own)),
        ),
    )


def sizes_section(user: UserData) -> Section:
    rows: Rows = [("model", "parameters", "in layers", "embedding rows left", "memory", "the tutorial prints")]
    for size in steps.sizes()[:2]:
        layers = "" if size.in_layers is None else f"{size.in_layers:,}"
        left = "" if size.rows is None else f"{size.rows:,}"
        memory, printed = f"{size.bytes / 1e6:g} MB", f"{size.model.megabytes} MB"
        shown = as_printed(printed, memory == printed)
        rows.append((size.model.name, f"{size.parameters:,}", layers, left, memory, shown))
    own: Rows = [
        ("model", "parameters", "bytes"),
        *((p.name, count(p.parameters), count(p.bytes)) for p in user.points),
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
        (f"Of {user.name}:", Table(tuple(own))),
    )
