"""Training where the machine has no folder for temporary files, or no name for the user: a container's usual state."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TRAINS = """
import getpass, os, tempfile
{without}
import overproof.distillation
import torch
weight = torch.nn.Parameter(torch.ones(1))
torch.optim.AdamW([weight]).step()
print(os.environ["TORCHINDUCTOR_CACHE_DIR"])
"""
NO_FOLDER = "tempfile._candidate_tempdir_list = lambda: []"
NO_NAME = """
def unknown():
    raise KeyError("getpwuid(): uid not found: 54321")
getpass.getuser, os.getuid = unknown, lambda: 54321
"""


@pytest.mark.parametrize("without", [NO_FOLDER, NO_NAME], ids=["no temporary folder", "no name of the user"])
def test_an_optimizer_makes_a_step(without: str) -> None:
    """It ended in `No usable temporary directory found`, or with torch before 2.13 in a KeyError."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    words = [sys.executable, "-c", TRAINS.format(without=without)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == os.sep or done.stdout.strip().endswith("torchinductor_54321")
