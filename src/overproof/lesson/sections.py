"""Put the lesson into sections, in the tutorial's order: the terminal and the page show the same ones."""

from __future__ import annotations

from dataclasses import replace

from overproof.lesson import table
from overproof.lesson.blocks import Section, Table
from overproof.lesson.combined import combined_section, real_section
from overproof.lesson.commands import commands
from overproof.lesson.distil_sections import (
    hard_section,
    loss_section,
    sizes_section,
    soft_section,
    temperature_section,
)
from overproof.lesson.quantize_sections import grid_section, memory_section, quantize_section, range_section
from overproof.lesson.reading_sections import reading_section
from overproof.lesson.redteam_sections import redteam_section
from overproof.lesson.user_data import UserData


def sections(user: UserData) -> tuple[Section, ...]:
    """Return every section, in the tutorial's order; the last one has the commands of all."""
    real = commands(user)
    steps = (
        soft_section(user),
        hard_section(user),
        temperature_section(user),
        loss_section(user),
        sizes_section(user),
        reading_section(user),
        range_section(user),
        quantize_section(user),
        grid_section(user),
        memory_section(user),
        redteam_section(user),
        _errata(),
        combined_section(user),
    )
    told = tuple(replace(section, commands=real.get(section.key, ())) for section in steps)
    return (*told, real_section(told))


def _errata() -> Section:
    rows = (table.HEAD, *(e.cells for e in table.errata()))
    return Section(
        "errata",
        "Where the tutorial's figures do not hold",
        (table.counted(), Table(tuple(rows), prose=True)),
    )
