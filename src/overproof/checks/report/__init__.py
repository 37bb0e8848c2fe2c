"""Report what a check came to: check.json (docs/check-schema.md), HTML, Markdown, SARIF and plain text."""

from __future__ import annotations

from overproof.checks.report.check_report import CheckReport
from overproof.checks.report.markdown import to_markdown
from overproof.checks.report.page import page
from overproof.checks.report.sarif import to_sarif
from overproof.checks.report.text import render
from overproof.checks.report.write import require_place, write_all

__all__ = ["CheckReport", "page", "render", "require_place", "to_markdown", "to_sarif", "write_all"]
