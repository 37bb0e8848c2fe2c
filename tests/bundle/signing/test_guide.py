"""The guide's commands, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_keys_and_certificates_are_made_as_the_guide_says(root: Path, bundle: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    page = (root / "docs" / "guide" / "sign.md").read_text()
    part = page.partition("## A key, or certificates")[2].partition("\n## ")[0]
    commands = re.findall(r"^\$ (.*)$", part, re.MULTILINE)
    assert [command.split()[0] for command in commands].count("overproof") == 4
    place = bundle.parent
    (place / "password.txt").write_text("a password\n")
    program = f"{sys.executable} -m overproof "
    for command in commands:
        line = re.sub("^overproof ", lambda _: program, command)
        environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        done = subprocess.run(line, shell=True, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (command, done.stderr)
    assert "certificate CN=Release pipeline" in done.stdout
