"""Keep a page to itself: no network, no font, no script at all.

The policy allows the page's own style by its hash and nothing else, so that whatever an attacker's text might become,
it neither runs nor loads anything.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from overproof.report.markup import Html, head

STYLE = files("overproof.report") / "templates" / "page.css"


def page_head(title: str) -> Html:
    """Draw the head of a page: its title, the style of every page, and the policy that allows it alone."""
    style = STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = Html(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    return head(title, policy, Html(style))
