"""The report of `overproof check`, from its JSON alone (docs/check-schema.md): HTML, Markdown, SARIF and plain text."""

from __future__ import annotations

from overproof.report.check.markdown import to_markdown
from overproof.report.check.page import page
from overproof.report.check.sarif import to_sarif
from overproof.report.check.text import render
from overproof.report.check.write import require_place, write_all

__all__ = ["page", "render", "require_place", "to_markdown", "to_sarif", "write_all"]
