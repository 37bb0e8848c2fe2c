"""Write tables as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(table: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Write a table as plain text, its first line a head: columns of `left` to the left, the others to the right."""
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def markdown(table: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Write a Markdown table, the first line a head: the columns of `left` to the left, the others to the right."""
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in table]
    rule = ["---" if i in left else "---:" for i in range(len(table[0]))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [escaped[0], rule, *escaped[1:]])
