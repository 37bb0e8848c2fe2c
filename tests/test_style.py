"""What CONTRIBUTING.md says of functions is true."""

from __future__ import annotations

import ast
from pathlib import Path

MOST_LINES = 80


def test_no_function_has_more_lines_than_it_may(root: Path) -> None:
    long = [
        f"{path.relative_to(root)}: {node.name} has {length} lines"
        for path in sorted((root / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES
    ]
    assert not long
