"""A teacher on a Ray cluster: the logits of the one here, one cache for both, files of models only."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.distillation.teachers.ray import CHUNK, on_ray
from overproof.errors import InputError
from overproof.events.schema import event_table

from ...conftest import write_small
from ...inference.engines.conftest import batches_of

if TYPE_CHECKING:
    from ...conftest import Made

SCRIPT = """
import json, os, shutil, sys
import numpy as np
from pathlib import Path
from overproof.distillation.teachers.ray import on_ray
from overproof.errors import InputError
from overproof.events.schema import event_table

texts = json.loads(Path("texts.json").read_text())
specs = json.loads(sys.argv[1])
reported = []
teacher = on_ray(specs)
np.save("logits.npy", teacher.logits(event_table({"text": texts}), reported.append))
assert sum(reported) == len(texts) and len(reported) > 3
shutil.move("teacher", "moved")
shutil.copytree("other", "teacher")
try:
    teacher.logits(event_table({"text": texts}))
except InputError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'overproof[ray]'")
def test_logits_are_those_of_the_teacher_here(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path / "teacher", made, precision="fp32")
    write_small(tmp_path / "other", made, precision="int8")
    texts = [text for batch in batches_of(9, rows=1000) for text in batch.column("text").to_pylist()]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    specs = ["teacher@2", "other"]
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(specs)], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert "a node of the Ray cluster has another one under this name" in done.stdout
    (tmp_path / "teacher").rename(tmp_path / "gone")
    (tmp_path / "moved").rename(tmp_path / "teacher")
    logits = np.load(tmp_path / "logits.npy", allow_pickle=False)
    np.testing.assert_array_equal(logits, load_teacher(specs).logits(event_table({"text": texts})))


def test_few_events_are_answered_here_and_the_cache_is_one(made: Made, tmp_path: Path) -> None:
    """As the cluster must not be asked: there is none at that address."""
    spec = str(write_small(tmp_path / "teacher", made, precision="fp32"))
    here, there = load_teacher([spec]), on_ray([spec], address="192.0.2.1:1")
    assert (there.card, there.classes, there.labels_new_events) == (here.card, here.classes, True)
    few = event_table({"text": ["select 1"] * CHUNK})
    np.testing.assert_array_equal(there.logits(few), here.logits(few))
    many = event_table({"text": ["select 1"] * (CHUNK + 1)})
    np.testing.assert_array_equal(
        cached_logits(here, many, tmp_path / "cache"), cached_logits(there, many, tmp_path / "cache")
    )


def test_only_files_of_models_can_be_asked_there(tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,p_benign,p_sqli\na,0.8,0.2\n")
    with pytest.raises(InputError, match=r"soft\.csv: soft labels; on a Ray cluster only files of models"):
        on_ray([str(tmp_path / "soft.csv")])
    with pytest.raises(InputError, match=r"columns:p_: soft labels; on a Ray cluster"):
        on_ray(["columns:p_"], columns=["text", "p_benign", "p_sqli"])
