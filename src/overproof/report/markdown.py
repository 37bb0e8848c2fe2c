"""Write Markdown that holds text from outside: as text, and as nothing else.

Names stand in code spans; in sentences every character that Markdown could read is escaped, and what a forge would
turn into a mention or a link is broken up by an empty comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from overproof.progress import one_line
from overproof.report.words import short

BREAK = "<!-- -->"


def prose(text: str) -> str:
    """Write a sentence that may hold anything, as nothing but text."""
    line = re.sub(r"[\\`*_\[\]<>|~#&$]", r"\\\g<0>", one_line(text))
    line = line.replace("@", f"@{BREAK}").replace("://", f":{BREAK}//")
    line = re.sub(r"www\.", lambda found: f"{found[0][:3]}{BREAK}.", line, flags=re.IGNORECASE)
    return re.sub(r"^(\d*)([.)-](?= )|[-+=])", r"\1\\\2", line)


def code(text: str) -> str:
    """Write a name in a code span that it cannot end, in a table's cell or outside of one."""
    line = short(text).replace("|", "\\|") or " "
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if "`" in (line[0], line[-1]) else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Write a table; its cells are Markdown already."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])


def fold(title: str, body: str) -> str:
    """Fold a part away under its title; nothing where it is empty."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""
