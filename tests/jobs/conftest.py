"""What every test of a job has: figures that none of them looks at are of fewer events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def few_explanations() -> Iterator[None]:
    """A check explains 300 alerts, which takes longer than all the rest of it; no test here looks at how many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.check_explanations.EXPLAINED", 60)
        yield
