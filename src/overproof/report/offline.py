"""Keep a page to itself: no network, no font, no script at all.

The policy allows the page's own style by its hash and nothing else, so that whatever an attacker's text might become,
it neither runs nor loads anything.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from overproof.report.markup import Html

STYLE = files("overproof.report") / "templates" / "page.css"


def offline() -> dict[str, Html]:
    """Return the style of every page, and the policy that allows it alone, as a template takes them."""
    style = STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {"style": Html(style), "policy": Html(policy)}
