"""Two checks compared: which gates closed, what moved beyond chance, and what else is not the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overproof.checks.base import GateResult
from overproof.checks.rare.result import Rare
from overproof.checks.report import CheckReport
from overproof.checks.report.compared import compare, moved
from overproof.checks.report.compared_page import compared_page
from overproof.checks.report.compared_text import headline
from overproof.checks.stats import Interval
from overproof.cli import app

from ...browser import Browser
from .figures import EVIL, result
from .test_page import OURS, seen

PASSED = result("held-out/misses", "passed", 0.001, 0.001, 0.005)
FAILED = result("held-out/misses", "failed", 0.02, 0.004, 0.005)
FEW = result("held-out/misses", "unmeasured", 0.005, 0.004, 0.005)


def with_gates(report: CheckReport, *gates: GateResult) -> CheckReport:
    first, *rest = report.checks
    return replace(report, checks=(replace(first, gates=gates), *(replace(check, gates=()) for check in rest)))


@pytest.mark.parametrize(
    ("before", "after", "change", "shown"),
    [
        (PASSED, FAILED, "closed", "worse"),
        (PASSED, FEW, "closed", "no difference shown"),
        (None, FAILED, "closed", "not measured"),
        (FAILED, PASSED, "opened", "better"),
        (FAILED, FEW, "same", "better"),
        (None, PASSED, "new", "not measured"),
        (FAILED, None, "gone", "not measured"),
        (PASSED, PASSED, "same", "no difference shown"),
    ],
    ids=["failed", "too few", "new and failed", "opened", "closed still", "new", "gone", "as it was"],
)
def test_what_became_of_a_gate(
    everything: CheckReport, before: GateResult | None, after: GateResult | None, change: str, shown: str
) -> None:
    reports = (with_gates(everything, *([] if gate is None else [gate])) for gate in (before, after))
    found = compare(*reports)
    assert [(gate.change, gate.moved) for gate in found.gates] == [(change, shown)]
    assert found.passed is (change != "closed")


def test_a_figure_moved_where_the_intervals_lie_apart() -> None:
    low, high, wide = Interval(0.1, 0.0, 0.2), Interval(0.3, 0.21, 0.4), Interval(0.3, 0.2, 0.4)
    assert (moved(low, high), moved(high, low), moved(low, wide)) == ("worse", "better", "no difference shown")
    assert moved(None, low) == moved(low, None) == "not measured"


def test_a_worse_verdict_is_worse_without_any_gate(everything: CheckReport) -> None:
    bare = with_gates(everything, PASSED)
    refused = replace(bare, verdict=replace(bare.verdict, decision="do not deploy"))
    assert not compare(bare, refused).passed and compare(refused, bare).passed
    assert headline(compare(bare, refused)) == (
        "WORSE: deploy with escalation before, do not deploy now; 0 gates closed that were not, 0 gates opened"
    )


def test_nothing_differs_from_itself(everything: CheckReport) -> None:
    found = compare(everything, everything)
    assert found.passed and found.bundle == found.conditions == ()
    assert {gate.change for gate in found.gates} == {"same"}
    assert "the bundle is the same" in found.render() and "closed still" in found.render()


def test_what_else_is_not_the_same_is_said(everything: CheckReport) -> None:
    proof = everything.proof
    assert proof.full is not None
    policy = replace(proof.policy, budget=0.01)
    changed = replace(
        with_gates(everything, replace(PASSED, limit=0.03)),
        events=replace(everything.events, sha256="0" * 64, rows=77),
        overproof="9.9",
        proof=replace(
            proof,
            full=replace(proof.full, fingerprint="other"),
            policy=policy,
            attack=replace(proof.attack, queries=1),
            bundle=replace(proof.bundle, sha256="1" * 64, files={**proof.bundle.files, "model.onnx": "2" * 64}),
        ),
    )
    found = compare(with_gates(everything, PASSED), changed)
    told = "\n".join(found.conditions)
    for words in (
        "the events are others: 11,401 before, 77 now",
        "its fingerprint differs",
        "the gate held-out/misses has another limit",
        "--max-escalations: checked 0.05, now 0.01",
        "the red team had other settings",
        "checked by overproof 0.1.0 before, by 9.9 now",
    ):
        assert words in told
    assert found.bundle[0].startswith("its model.onnx is another file")
    bare = replace(everything, proof=replace(proof, full=None))
    assert compare(bare, everything).conditions == ("there was no full model before",)
    assert compare(everything, bare).conditions == ("there is no full model now",)
    assert compare(bare, bare).conditions == ()


def test_families_that_moved_come_first(everything: CheckReport) -> None:
    def lost(report: CheckReport, **losses: Interval) -> CheckReport:
        rare = next(check for check in report.checks if isinstance(check.data, Rare))
        rows = tuple(replace(rare.data.families[0], name=name, loss=loss) for name, loss in losses.items())
        return replace(report, checks=(replace(rare, data=replace(rare.data, families=rows)),))

    few, many, some = Interval(0.0, -0.01, 0.01), Interval(0.5, 0.4, 0.6), Interval(0.02, 0.0, 0.1)
    before = lost(everything, steady=some, fell=few, gone=few, rose=many)
    found = compare(before, lost(everything, steady=some, fell=many, new=few, rose=few))
    assert [(row.name, row.moved) for row in found.families] == [
        ("fell", "worse"),
        ("rose", "better"),
        ("steady", "no difference shown"),
        ("new", "not measured"),
        ("gone", "not measured"),
    ]


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_the_command_reads_files_and_folders(everything: CheckReport, sabotaged: CheckReport, tmp_path: Path) -> None:
    for name, report in (("last", everything), ("now", sabotaged)):
        report.write(tmp_path / name)
    done = run(tmp_path / "last", tmp_path / "now" / "check.json", "--html", tmp_path / "compared.html")
    assert done.exit_code == 1 and done.stdout.startswith("WORSE: deploy with escalation before, do not deploy now; ")
    page = (tmp_path / "compared.html").read_text("utf-8")
    assert "Gates that changed, or are closed still" in page and EVIL not in page
    told = json.loads(run(tmp_path / "now", tmp_path / "now", "--json").stdout)
    assert told["worse"] is False and told["before"] == told["after"] and told["bundle"] == []
    assert told["after"]["closed"] == [gate.key for gate in sabotaged.closed]
    assert run(tmp_path / "now", tmp_path / "now").exit_code == 0


def test_what_is_no_check_is_refused(everything: CheckReport, tmp_path: Path) -> None:
    path = everything.write(tmp_path / "last")[0]
    for words in ((path, tmp_path / "none.json"), (tmp_path, path)):
        done = run(*words)
        assert done.exit_code == 2 and "expected check.json of `overproof check`" in done.stderr
    done = run(path, path, "--html", path)
    assert done.exit_code == 2 and "which would be lost" in done.stderr
    path.write_text(path.read_text("utf-8").replace("11401", "11402"), "utf-8")
    assert run(path, path).exit_code == 2


def test_the_page_is_markup_that_nothing_breaks(everything: CheckReport, sabotaged: CheckReport) -> None:
    found = seen(compared_page(compare(sabotaged, everything)))
    assert {tag for tag, _ in found.elements} <= OURS
    assert EVIL in "".join(found.text)
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 768, 1280])
def test_the_page_fits_and_shuts_nobody_out(
    browser: Browser, everything: CheckReport, sabotaged: CheckReport, tmp_path: Path, width: int, dark: bool
) -> None:
    path = tmp_path / "compared.html"
    path.write_text(compared_page(compare(everything, sabotaged)), "utf-8")
    browser.open(path, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.violations() == []
