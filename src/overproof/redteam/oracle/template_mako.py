"""Read Mako's expressions as the Python that they are: the same tree, however it is spelled. None is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence


def trees(expressions: Sequence[str]) -> list[str] | None:
    """Write the tree of every expression in one way; None where one is no Python, or none begins at the template."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that Python does not know is kept as it stands
            parsed = [ast.parse(expression.strip(), mode="eval") for expression in expressions]
            read = [_Plain().visit(tree) for tree in parsed]
            written = [ast.dump(tree) for tree in read]
    except (SyntaxError, ValueError, MemoryError):
        return None
    return written if any("Attribute(value=Name(id='self'" in tree for tree in written) else None


class _Plain(ast.NodeTransformer):
    """Write attributes alike, and a chosen item of a list of constants alone."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) == 2 and not node.keywords:
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                return ast.Attribute(value=node.args[0], attr=name.value, ctx=ast.Load())
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.value, ast.List) or not isinstance(node.slice, ast.Constant):
            return node
        place, items = node.slice.value, node.value.elts
        if type(place) is not int or not 0 <= place < len(items):
            return node
        idle = all(isinstance(one, ast.Constant) for number, one in enumerate(items) if number != place)
        return items[place] if idle and len(items) > 1 else node
