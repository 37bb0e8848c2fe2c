"""Edit addresses: request targets with parameters (remote file inclusion), and addresses of other sites (redirects)."""

from __future__ import annotations

from overproof.redteam.base import Mutators
from overproof.redteam.mutate import url_address, url_target

MUTATORS: Mutators = {**url_target.MUTATORS, **url_address.MUTATORS}
