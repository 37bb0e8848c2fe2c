"""The check.json that `triage --check` takes: read whole by its types, or refused in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.report import CheckReport
from overproof.errors import InputError
from overproof.jobs.open_cascade import read_guarantee


def written(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "check.json"
    path.write_text(json.dumps(data))
    return path


def test_the_threshold_and_its_promise(everything: CheckReport, tmp_path: Path) -> None:
    data = everything.to_json()
    threshold = data["checks"][5]["data"]["threshold"]
    found = read_guarantee(written(tmp_path, data))
    assert (found.threshold, found.limit, found.confidence) == tuple(
        threshold[key] for key in ("value", "limit", "confidence")
    )
    assert found.model == data["bundle"]["sha256"] and found.source == str(tmp_path / "check.json")


def test_a_check_without_a_threshold(nothing: CheckReport, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"check\.json: it found no threshold: "):
        read_guarantee(written(tmp_path, nothing.to_json()))


def test_what_is_no_check(stored: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file or directory; expected check\.json"):
        read_guarantee(tmp_path / "nowhere.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match=r"list\.json: expected an object"):
        read_guarantee(tmp_path / "list.json")
    stored["checks"][5]["data"]["threshold"]["escalted"] = stored["checks"][5]["data"]["threshold"].pop("escalated")
    with pytest.raises(InputError, match=r"check\.json: checks\.5\..*escal"):
        read_guarantee(written(tmp_path, stored))
    stored["schema"] = "overproof.check/1"
    with pytest.raises(InputError, match="run `overproof check` again"):
        read_guarantee(written(tmp_path, stored))


def test_reading_one_needs_no_scipy(everything: CheckReport, tmp_path: Path) -> None:
    path = written(tmp_path, everything.to_json())
    code = (
        "import sys; from pathlib import Path; from overproof.jobs.open_cascade import read_guarantee\n"
        f"read_guarantee(Path({str(path)!r})); print(sorted({{'scipy', 'torch', 'onnx'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
