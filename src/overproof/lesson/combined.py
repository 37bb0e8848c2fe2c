"""Put both steps together in the last section: on the tutorial's figures, on the user's own, and as commands."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.lesson.blocks import NOT_MEASURED, Block, CommandList, Drawing, Rows, Section, Table, count
from overproof.lesson.points import Point, gains, tutorial_points
from overproof.lesson.user_data import UserData
from overproof.results.compression import SIMULATED

TEXT_SHOWN = 60


def combined_section(user: UserData) -> Section:
    """Return what both steps come to."""
    parity = (f"Of {user.name}, what each step of the conversion changed:", Drawing("\n".join(user.parity)))
    changed = (f"What quantization changed on held-back events: {user.precision_search}.",)
    return Section(
        "combined",
        "Distilled, then quantized",
        (
            "The two work on different things and are used together: what each gives multiplies. As the tutorial "
            "draws it:",
            *_compared(tutorial_points()),
        ),
        (
            f"Of {user.name}, on {user.points_of}:",
            *_compared(user.points),
            *(parity if user.parity else ()),
            *(changed if user.precision_search else ()),
            *((SIMULATED,) if "SIMULATED" in user.points_of else ()),
            *_verdicts(user),
        ),
    )


def real_section(before: Sequence[Section]) -> Section:
    """Return the commands of the sections before, in their order."""
    listed = tuple((section.key, section.title, section.commands) for section in before if section.commands)
    return Section("real", "The same for real", ("The commands of all steps, in their order.",), (CommandList(listed),))


def _verdicts(user: UserData) -> tuple[Block, ...]:
    """Show what is deployed in the end at work, on the events that the first step could hardly decide."""
    rows: Rows = [("event", "simulated as", "verdict", "P(attack)")]
    for event in user.judged:
        text = repr(event.text)
        shown = text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"
        rows.append((shown, event.label or "", event.verdict, f"{event.attack:.3f}"))
    if not user.judged:
        return ()
    return ("What is deployed in the end says of the events that are hardest to decide:", Table(tuple(rows)))


def _compared(points: Sequence[Point]) -> tuple[Block, ...]:
    """Show the models, and what lies between them where that can be said."""
    rows: Rows = [("model", "parameters", "bytes", "ms an event", "accuracy")]
    for p in points:
        ms = NOT_MEASURED if p.ms is None else f"{p.ms:.3g}"
        accuracy = NOT_MEASURED if p.accuracy is None else f"{p.accuracy:.2%}"
        rows.append((p.name, count(p.parameters), count(p.bytes), ms, accuracy))
    gained: Rows = [("step", "size", "time", "accuracy")]
    for g in gains(points):
        moved = NOT_MEASURED if g.accuracy is None else f"{100 * g.accuracy:+.2f} points"
        gained.append((g.step, _times(g.smaller), _times(g.faster), moved))
    return (Table(tuple(rows)), *((Table(tuple(gained)),) if len(gained) > 1 else ()))


def _times(ratio: float | None) -> str:
    return NOT_MEASURED if ratio is None else f"÷ {ratio:,.2f}"
