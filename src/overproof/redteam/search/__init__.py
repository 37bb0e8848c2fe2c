"""Ways to look for edits that change a verdict: a file each, and the one table of them."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.redteam.search.bandit import bandit
from overproof.redteam.search.beam import beam
from overproof.redteam.search.evolution import evolution
from overproof.redteam.search.gradient import gradient
from overproof.redteam.search.interface import Search
from overproof.redteam.search.random_edits import random_edits

SEARCHES: Mapping[str, Search] = {
    "random": random_edits,
    "beam": beam,
    "evolution": evolution,
    "bandit": bandit,
    "gradient": gradient,
}
LABEL_ONLY = frozenset({"random"})  # makes nothing of scores
WHITE_BOX = frozenset({"gradient"})  # needs a guide, which knows the weights
