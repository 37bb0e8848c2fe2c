"""Put the lesson into sections, in the tutorial's order: the terminal and the page show the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.lesson import steps, table
from overproof.lesson.blocks import NOT_MEASURED, Block, Drawing, Rows, Section, Table, count
from overproof.lesson.distil_sections import (
    hard_section,
    loss_section,
    sizes_section,
    soft_section,
    temperature_section,
)
from overproof.lesson.quantize_sections import grid_section, memory_section, quantize_section, range_section
from overproof.lesson.user_data import Point, UserData
from overproof.results.compression import SIMULATED


def sections(user: UserData) -> tuple[Section, ...]:
    """Return every section, in the tutorial's order."""
    return (
        soft_section(user),
        hard_section(user),
        temperature_section(user),
        loss_section(user),
        sizes_section(user),
        range_section(user),
        quantize_section(user),
        grid_section(user),
        memory_section(user),
        _combined(user),
        _errata(),
    )


def _combined(user: UserData) -> Section:
    parity = (f"Of {user.name}, what each step of the conversion changed:", Drawing("\n".join(user.parity)))
    changed = (f"What quantization changed on held-back events: {user.precision_search}.",)
    own: tuple[Block, ...] = (f"Of {user.name}, on {user.points_of}:", _comparison(user.points))
    return Section(
        "combined",
        "Distilled, then quantized",
        (
            "The two work on different things and are used together. As the tutorial draws it:",
            _comparison(tutorial_points()),
        ),
        (
            *own,
            *(parity if user.parity else ()),
            *(changed if user.precision_search else ()),
            *((SIMULATED,) if "SIMULATED" in user.points_of else ()),
        ),
    )


def tutorial_points() -> tuple[Point, ...]:
    """Return the models that the tutorial compares, as printed."""
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


def _comparison(points: Sequence[Point]) -> Table:
    rows: Rows = [("model", "parameters", "bytes", "ms an event", "accuracy")]
    for p in points:
        ms = NOT_MEASURED if p.ms is None else f"{p.ms:.3g}"
        accuracy = NOT_MEASURED if p.accuracy is None else f"{p.accuracy:.2%}"
        rows.append((p.name, count(p.parameters), count(p.bytes), ms, accuracy))
    return Table(tuple(rows))


def _errata() -> Section:
    rows = (table.HEAD, *(e.cells for e in table.errata()))
    return Section(
        "errata",
        "Where the tutorial's figures do not hold",
        (table.counted(), Table(tuple(rows), prose=True)),
    )
