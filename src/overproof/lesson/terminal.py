"""Write the lesson as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from overproof.lesson.blocks import Block, Command, CommandList, Drawing, Section, Table
from overproof.report.layout import aligned, line_width, within

INDENT = "  "


def render(sections: Sequence[Section]) -> str:
    """Write every section under its number and title."""
    return "\n\n\n".join(step(k, section) for k, section in enumerate(sections, 1))


def step(number: int, section: Section) -> str:
    """Write a section under its number and title."""
    title = f"{number}. {section.title}"
    real = [f"For real:\n{_commands(section.commands)}"] if section.commands else []
    return "\n\n".join([f"{title}\n{'=' * len(title)}", *map(_block, (*section.blocks, *section.own)), *real])


def _block(block: Block) -> str:
    if isinstance(block, Drawing):
        return block.text
    if isinstance(block, Table):
        return "\n".join(_entries(block)) if block.prose else _table(block)
    if isinstance(block, CommandList):
        return "\n".join(f"{title}\n{_commands(commands)}" for _, title, commands in block.steps)
    return textwrap.fill(block, line_width())


def _commands(commands: Sequence[Command]) -> str:
    """Write commands as they are typed, and what each does below it."""
    width = line_width()
    return "\n".join(
        "\n".join(
            [
                *(f"{INDENT}{line}" for line in command.lines(width - len(INDENT))),
                textwrap.fill(command.does, width, initial_indent=2 * INDENT, subsequent_indent=2 * INDENT),
            ]
        )
        for command in commands
    )


def _table(table: Table) -> str:
    with within(line_width() - len(INDENT)):
        return textwrap.indent(aligned(table.rows), INDENT)


def _entries(table: Table) -> Iterator[str]:
    """Yield rows with sentences, a few lines each."""
    place = ""
    for where, what, printed, exact, why in table.rows[1:]:
        if where != place:
            place = where
            yield f"{where}:"
        yield f"  {what}: printed {printed}, exact {exact}"
        yield textwrap.fill(why, line_width(), initial_indent="      ", subsequent_indent="      ")
