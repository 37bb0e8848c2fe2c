"""The check.json that `triage --check` takes: read whole by its types, or refused in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.report import CheckReport
from overproof.checks.report.check_report import sealed
from overproof.errors import InputError
from overproof.jobs.checked import read_checked


def written(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "check.json"
    path.write_text(json.dumps(sealed(data)))
    return path


def test_the_threshold_and_its_promise(everything: CheckReport, tmp_path: Path) -> None:
    data = everything.to_json()
    threshold = data["checks"][5]["data"]["threshold"]
    checked = read_checked(written(tmp_path, data), with_full=True)
    found = checked.guarantee
    assert found is not None
    assert (found.threshold, found.promise.limit, found.promise.confidence) == tuple(
        threshold[key] for key in ("value", "limit", "confidence")
    )
    assert found.promise.source == str(tmp_path / "check.json")
    assert checked.proof == everything.proof


def test_a_check_that_decides_not_to_deploy(nothing: CheckReport, tmp_path: Path) -> None:
    for with_full in (True, False):
        with pytest.raises(InputError, match=r"check\.json: its decision is 'do not deploy', so that nothing can be"):
            read_checked(written(tmp_path, nothing.to_json()), with_full=with_full)


def test_what_is_no_check(stored: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file or directory; expected check\.json"):
        read_checked(tmp_path / "nowhere.json", with_full=True)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match=r"list\.json: expected an object"):
        read_checked(tmp_path / "list.json", with_full=True)
    stored["checks"][5]["data"]["threshold"]["escalted"] = stored["checks"][5]["data"]["threshold"].pop("escalated")
    with pytest.raises(InputError, match=r"check\.json: checks\.5\..*escal"):
        read_checked(written(tmp_path, stored), with_full=True)
    stored["schema"] = "overproof.check/2"
    with pytest.raises(InputError, match="run `overproof check` again"):
        read_checked(written(tmp_path, stored), with_full=True)


def test_reading_one_needs_no_scipy(everything: CheckReport, tmp_path: Path) -> None:
    path = written(tmp_path, everything.to_json())
    code = (
        "import sys; from pathlib import Path; from overproof.jobs.checked import read_checked\n"
        f"read_checked(Path({str(path)!r}), with_full=True)\n"
        f"print(sorted({{'scipy', 'torch', 'onnx'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("value", ["NaN", "-1.0", "1.5", "0.5", "Infinity"])
def test_a_threshold_that_is_none_or_another(everything: CheckReport, tmp_path: Path, value: str) -> None:
    data = everything.to_json()
    places = [data["checks"][5]["data"]["threshold"], data["verdict"], data["checks"][7]["data"]["attacks"]]
    for place in (*places, data["proof"]["policy"]):
        for name in {"value", "threshold", "confidence"} & set(place):
            if name != "confidence" or place is data["proof"]["policy"]:
                place[name] = "VALUE"
        path = tmp_path / "check.json"
        path.write_text(json.dumps(data).replace('"VALUE"', value))
        # in all four places another threshold contradicts nothing but the file's own hash
        agrees = value == "0.5" and place is data["proof"]["policy"]
        with pytest.raises(InputError, match="its own sha256 differs" if agrees else r"threshold|confidence"):
            read_checked(path, with_full=True)


@pytest.mark.parametrize("key", ["guarantee", "verified", "budget", "deferred"])
@pytest.mark.parametrize("status", ["failed", "unmeasured"])
def test_a_gate_of_the_escalation_that_did_not_pass(
    everything: CheckReport, tmp_path: Path, key: str, status: str
) -> None:
    data = everything.to_json()
    gate = next(gate for gate in data["checks"][5]["gates"] if gate["key"] == f"escalation/{key}")
    with pytest.raises(
        InputError, match="'deploy with escalation' contradicts the gates, which come to 'do not deploy'"
    ):
        read_checked(written(tmp_path, restated(data, gate, status)), with_full=True)


@pytest.mark.parametrize("status", ["failed", "unmeasured"])
def test_a_status_that_its_figures_do_not_give(everything: CheckReport, tmp_path: Path, status: str) -> None:
    data = everything.to_json()
    gate = data["checks"][5]["gates"][0]
    figures = {name: gate[name] for name in ("low", "value", "high")}
    restated(data, gate, status)
    gate.update(figures)
    with pytest.raises(InputError, match=f"the status '{status}' contradicts its figures, which come to 'passed'"):
        read_checked(written(tmp_path, data), with_full=True)


def test_a_gate_that_is_gone(everything: CheckReport, tmp_path: Path) -> None:
    """A check without its gate on the full model is one that says nothing of it."""
    data = everything.to_json()
    own = data["checks"][0]
    own["gates"] = [gate for gate in own["gates"] if gate["key"] != "own-data/full-model"]
    with pytest.raises(InputError, match="contradicts the gates, which come to 'do not deploy'"):
        read_checked(written(tmp_path, data), with_full=True)


def test_a_report_that_was_changed(everything: CheckReport, tmp_path: Path) -> None:
    path = written(tmp_path, everything.to_json())
    path.write_text(path.read_text().replace("march.jsonl", "april.jsonl"))
    with pytest.raises(InputError, match=r"check\.json: changed since `overproof check` wrote it"):
        read_checked(path, with_full=True)


def restated(data: dict[str, Any], gate: dict[str, Any], status: str) -> dict[str, Any]:
    """The same report with another status of one gate, and all that follows from it."""
    gate["status"], gate["closed"] = status, True
    limit = gate["limit"]
    gate["low"], gate["value"], gate["high"] = (
        (2 * limit, 3 * limit, 4 * limit) if status == "failed" else (0.0, limit, 2 * limit)
    )
    check = data["checks"][5]
    check["status"] = "failed" if status == "failed" else "unmeasured"
    check["message"] = gate["message"]
    data["gates"]["closed"] = [g["key"] for c in data["checks"] for g in c["gates"] if g["closed"]]
    return data
