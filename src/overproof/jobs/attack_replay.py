"""Hold a bundle to the cases that an attack found: those that fooled another one, or itself before it was mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overproof.bundle.manifest import open_bundle
from overproof.bundle.signing import Trust
from overproof.errors import InputError
from overproof.jobs.attack_victims import deployed
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.open_cascade import open_cascade
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.result import Replayed, read_cases

ALONE = "blind-spot"  # what an objective between two models comes to where there is one


def replay(
    bundle: Path | str,
    cases: Path | str,
    *,
    check: Path | str | None = None,
    max_escalations: str | None = None,
    trust: Trust | None = None,
) -> Replayed:
    """Put the cases of attack.jsonl to a bundle as it is deployed.

    The full model is not asked: a case is an attack that it detected (or a benign event that it left alone).

    Parameters
    ----------
    cases
        attack.jsonl of `overproof attack`.
    check, max_escalations
        How the bundle is deployed, as for `attack`.
    trust
        Whose signature the bundle has to have; None asks for none.

    Raises
    ------
    InputError, BundleError, TamperedBundle
        Cases or a bundle that cannot be used.
    """
    found = read_cases(Path(cases))
    if not found:
        raise InputError(f"{cases}: holds no case; expected attack.jsonl of an attack that found some")
    opened = open_bundle(bundle, trust)
    config = CascadeConfig(check=None if check is None else Path(check), max_escalations=max_escalations)
    now = deployed(open_cascade(opened, config))([case.edited for case in found])
    named = {name: OBJECTIVES[ALONE if one.differs else name] for name, one in OBJECTIVES.items()}
    fooled = {name: objective.fooled(now, now) for name, objective in named.items()}
    again = np.array([fooled[case.objective][row] for row, case in enumerate(found)])
    return Replayed(str(opened.path), len(found), tuple(found[row] for row in np.flatnonzero(again).tolist()))
