"""Training where the machine has no folder for temporary files, or no name for the user: a container's usual state."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TRAINS = """
import getpass, os, tempfile
{without}
import numpy as np
from overproof.distillation.students.encoder import Encoder
from overproof.distillation.students.presets import EncoderConfig
from overproof.distillation.training import TrainingTask, train
from overproof.distillation.training_set import Rows, TrainConfig
rows = Rows([np.array([1, 5, 6]), np.array([1, 7, 8])], np.array([0, 1]))
network = Encoder(EncoderConfig(1, 32, 2, 64, vocabulary=40, positions=16), 2).initialize(0)
train(network, TrainingTask(rows, rows, TrainConfig(epochs=1, batch_rows=2)))
print(os.environ["TORCHINDUCTOR_CACHE_DIR"])
"""
NO_FOLDER = "tempfile._candidate_tempdir_list = lambda: []"
NO_NAME = """
def unknown():
    raise KeyError("getpwuid(): uid not found: 54321")
getpass.getuser, os.getuid = unknown, lambda: 54321
"""


@pytest.mark.parametrize("without", [NO_FOLDER, NO_NAME], ids=["no temporary folder", "no name of the user"])
def test_a_network_is_trained(without: str) -> None:
    """It ended in `No usable temporary directory found`, or with torch before 2.13 in a KeyError."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    words = [sys.executable, "-c", TRAINS.format(without=without)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == os.sep or done.stdout.strip().endswith("torchinductor_54321")
