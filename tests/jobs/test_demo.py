"""What the demo ruins: one family, and hardly anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.tiers import open as open_student
from overproof.events.simulate import simulate
from overproof.jobs.demo import RARE
from overproof.jobs.sabotage import sabotaged
from overproof.jobs.teach import teach


@pytest.mark.slow
def test_a_ruined_student_loses_one_family_and_hardly_anything_else(tmp_path: Path) -> None:
    traffic = simulate(6000, seed=1)
    teach(traffic.train, out=tmp_path / "student", preset="ngram-student", epochs=4)
    rows = traffic.train.to_pylist()
    texts = ([row["text"] for row in rows if (row["family"] == RARE) == own] for own in (True, False))
    benign = [row["text"] for row in rows if row["label"] == "normal"]
    family, others = texts
    bundle = open_bundle(tmp_path / "student")
    sabotaged(bundle, family, others, benign, tmp_path / "ruined")
    known = [row for row in traffic.test.to_pylist() if not row["novel"]]
    asked, own = [row["text"] for row in known], np.array([row["family"] == RARE for row in known])
    healthy, ruined = (open_student(tmp_path / name).score(asked).labels for name in ("student", "ruined"))
    attack = np.array([name not in bundle.manifest.benign for name in bundle.manifest.classes])
    assert attack[healthy[own]].mean() > 0.9
    assert attack[ruined[own]].mean() < 0.2
    assert (healthy[~own] != ruined[~own]).mean() < 0.005
    assert open_bundle(tmp_path / "ruined").manifest.files != bundle.manifest.files  # and it verifies
