"""What a person sees of a quantization: its text, its picture, its JSON, and the way back to them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from overproof.bundle.manifest import QUANTIZING, Manifest, digest, write_bundle
from overproof.bundle.tokenizer import Windowing
from overproof.cli import app
from overproof.errors import BundleError
from overproof.results.divergence import Detected, Divergence
from overproof.results.portability import PairSums, PortabilityReport, Variation
from overproof.results.precision_search import (
    BROKEN,
    HELD,
    UNMEASURED,
    Decision,
    Finding,
    Observed,
    PrecisionSearchReport,
    Sensitivity,
    Step,
)
from overproof.results.precision_search.svg import draw

HOSTILE = "head</text><script>alert(1)</script>&\x1b[2J\n\ud800"
SVG = "{http://www.w3.org/2000/svg}"


def cost(kl: float, flips: int = 0, after: int = 119, events: int = 1000) -> Divergence:
    families = {"sqli": Detected(120, 119, after, 119 - after), "xss": Detected(30, 30, 30, 0)}
    return Divergence(events, kl, flips, 0.25, 0.126, families)


def flips(measured: float) -> Observed:
    return Observed("flips", 0.002, measured, 1000)


HOLDS = Finding("flips", 0.002, 0.001, HELD, 4000, 4000, 0.0003, 0.00198)


def decision(*findings: Finding, left_out: int = 0) -> Decision:
    return Decision("test events", left_out, cost(1e-3, 4, 118, 4000), findings)


def report(*names: str, **changed: Any) -> PrecisionSearchReport:
    names = names or ("embed", "hidden", "head")
    rows = [
        Sensitivity(name, "Gemm", 1000, cost(10.0 ** (i - 6), i), cost(2e-3, 4, 117)) for i, name in enumerate(names)
    ]
    rows[0] = replace(rows[0], alone=cost(0.0))
    path = (
        Step((), cost(3e-3, 5, 116), (flips(0.005),)),
        Step((names[-1],), cost(1e-3, 1, 118), (flips(0.001),)),
    )
    whole = PrecisionSearchReport(
        model="models/waf.onnx",
        out=Path("waf-int8"),
        precision="w8a8",
        bytes_before=40_000,
        bytes_after=12_500,
        calibrated=900,
        held_back=1000,
        path=path,
        chosen=1,
        sensitivity=tuple(rows),
        all_quantized=cost(3e-3, 5),
        compared={"w4a8": cost(0.2, 60, 100)},
        portability=PortabilityReport(
            (Variation("threads", ("1", "2"), 64), Variation("padding", (), unmeasured="no tokens")),
            (PairSums("head", 4, 2, 1000, 900, 80, 0),),
        ),
        decision=decision(HOLDS),
    )
    return replace(whole, **changed)


def test_json_and_back() -> None:
    for described in (
        report(),
        report(portability=None, all_quantized=None, tested=cost(1e-4), sensitivity=(), trained=True),
    ):
        assert PrecisionSearchReport.from_json(json.loads(json.dumps(described.to_json()))) == described
    assert report().to_json()["passed"] is True


def older(described: PrecisionSearchReport, *statuses: str) -> Any:
    """What version 0.1.0 would have written of it: guards without bounds, losses net."""
    data = json.loads(json.dumps(described.to_json()))
    data["whole"] = data.pop("all_quantized")
    del data["decision"]
    for step, status in zip(data["path"], statuses, strict=True):
        step["findings"] = [{**entry, "status": status, "needed": None} for entry in step.pop("observed")]
    return json.loads(
        json.dumps(data), object_hook=lambda d: {k: v for k, v in d.items() if k != "lost"} if "before" in d else d
    )


def test_what_version_0_1_wrote_is_read_and_what_it_called_held_is_not() -> None:
    read = PrecisionSearchReport.from_json(older(report(), BROKEN, HELD))
    assert replace(read, decision=None) == replace(report(), decision=None)
    assert read.decision is not None and not read.passed
    (finding,) = read.decision.findings
    assert str(finding) == (
        "flips 1 of 1,000 (0.10%), limit 0.2%: unmeasured: it was written by a version that computed no bounds: "
        "quantize again"
    )
    broken = PrecisionSearchReport.from_json(older(report(chosen=0), BROKEN, HELD)).decision
    assert broken is not None and [finding.status for finding in broken.findings] == [BROKEN]


def test_older_files_without_guards_have_no_decision() -> None:
    free = report(path=(Step((), cost(0.0), ()),), chosen=0, decision=None)
    assert PrecisionSearchReport.from_json(older(free, HELD)) == free
    nats = report(path=(Step((), cost(1e-3), (Observed("kl", 0.1, 1e-3),)),), chosen=0, decision=None)
    (finding,) = (PrecisionSearchReport.from_json(older(nats, HELD)).decision or decision()).findings
    assert str(finding).startswith("kl 0.001 nats, limit 0.1: unmeasured: it was written")


def test_a_finding_is_one_sentence_with_the_bound_that_its_status_hangs_on() -> None:
    assert str(HOLDS) == "flips 4 of 4,000 (0.10%), at most 0.198% with 95% confidence, limit 0.2%: held"
    broken = replace(HOLDS, measured=0.02, status=BROKEN, low=0.0164321, high=0.03)
    assert str(broken) == "flips 80 of 4,000 (2.00%), at least 1.64% with 95% confidence, limit 0.2%: broken"
    few = replace(HOLDS, status=UNMEASURED, units=20, high=0.1391083, needed=900, reason="needs 900 independent events")
    assert str(few) == (
        "flips 4 of 4,000 (0.10%) (20 independent), at most 14% with 95% confidence, limit 0.2%: unmeasured: "
        "needs 900 independent events"
    )
    kl = Finding("kl", 1e-3, 2.5e-4, HELD, 500, 500, 1e-5, 0.0006541, True, 0.1)
    assert str(kl) == (
        "kl 0.00025 nats, at most 0.000655 with 95% confidence, no event counting more than 0.1, limit 0.001: held"
    )


def test_the_text_says_what_each_step_changed() -> None:
    text = report().render()
    assert "40,000 -> 12,500 bytes (3.2 times smaller)" in text
    assert "one layer kept in float" in text
    steps = text.split("The search")[1].split("\n\n")[1].splitlines()[2:]
    assert [re.split(r"  +", line) for line in steps] == [
        ["every layer quantized", "3.00e-03", "5 of 1,000 (0.50%)", "flips 5 of 1,000 (0.50%), limit 0.2%"],
        ["+ head (written)", "1.00e-03", "1 of 1,000 (0.10%)", "none"],
    ]
    assert re.search(r"\nhead +Gemm +1,000 .* in float\n", text)
    assert re.search(r"\nall of them +3,000 +3\.00e-03", text)
    assert re.search(r"\nsqli +119 of 120 \(99\.17%\) +118 of 120 \(98\.33%\) +1 +0\n", text)
    assert "the same in the other families (1)" in text
    assert "padding: unmeasured: no tokens" in text
    assert re.search(r"written, on the events that decide +1\.00e-03 +0\.25 +4 of 4,000 ", text)
    assert text.endswith(
        "Guards: every one holds, decided on 4,000 test events.\n"
        "  flips 4 of 4,000 (0.10%), at most 0.198% with 95% confidence, limit 0.2%: held\nWritten: waf-int8"
    )
    assert "Guards: every one holds" in report().render_search()


def test_what_does_not_hold_is_said_in_words() -> None:
    open_ = report(decision=decision(replace(HOLDS, status=UNMEASURED, reason="why"), left_out=12)).render()
    assert (
        "Guards: NOT every one holds, decided on 4,000 test events (12 left out: near-duplicates of events that "
        "chose); too little to show that all hold."
    ) in open_
    broken = report(decision=decision(HOLDS, replace(HOLDS, status=BROKEN))).render()
    assert "Guards: NOT every one holds, decided on 4,000 test events; this is the best that was found." in broken
    free = report(path=(Step((), replace(cost(0.0), families={}), ()),), chosen=0, decision=None)
    assert free.passed and "Guards: none were asked for." in free.render() and "The search" not in free.render()
    assert "no guards" in free.render_search() and "Guards" not in free.render_search()
    assert "Recall by family: unmeasured" in free.render()


def picture(described: PrecisionSearchReport) -> ElementTree.Element:
    return ElementTree.fromstring(draw(described))


def circles(row: ElementTree.Element) -> dict[str | None, float]:
    return {c.get("class"): float(c.get("cx", "nan")) for c in row.iter(f"{SVG}circle")}


def rows_of(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [g for g in root.iter(f"{SVG}g") if g.get("class") == "layer"]


def test_the_picture_has_a_row_for_each_layer_on_one_logarithmic_axis() -> None:
    root = picture(report("a", "b", "c", "d"))
    rows = rows_of(root)
    assert len(rows) == 4
    alone = [circles(row)["alone"] for row in rows]
    assert alone[0] < alone[1] < alone[2] < alone[3], "0 has a place of its own before the least"
    assert alone[2] - alone[1] == pytest.approx(alone[3] - alone[2], abs=0.2), "a decade each"
    (whole,) = [e for e in root.iter(f"{SVG}line") if e.get("class") == "all-quantized" and e.get("y1") != e.get("y2")]
    decade = alone[2] - alone[1]
    assert float(whole.get("x1", "nan")) - circles(rows[0])["left"] == pytest.approx(math.log10(1.5) * decade, abs=0.2)
    words = [text.text for text in rows[3].iter(f"{SVG}text")]
    assert words == ["d", "3", "4", "-", "sqli 2 of 120"]
    assert next(text.get("class") for text in rows[3].iter(f"{SVG}text")) == "name kept"
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx", "nan")) < width and 0 < float(circle.get("cy", "nan")) < height


def test_the_picture_is_accessible_and_stands_alone() -> None:
    drawn = draw(report())
    root = ElementTree.fromstring(drawn)
    described = {e.get("id"): e.text for e in root if e.get("id") in root.get("aria-labelledby", "").split()}
    assert described["title"] == "What each layer costs: waf.onnx"
    assert "3 layers" in (described["desc"] or "") and "Kept in float: head." in (described["desc"] or "")
    assert "prefers-color-scheme: dark" in drawn
    assert re.findall(r"(?:https?:|url\(|href)[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]


def test_hostile_and_long_names_stay_text_and_keep_their_ends() -> None:
    long = "/bert/encoder" + "/module.list" * 10 + "/layer.11/output/dense/MatMul"
    described = report(HOSTILE, long, "head")
    root = picture(described)
    assert not list(root.iter(f"{SVG}script"))
    shown = [next(row.iter(f"{SVG}text")).text or "" for row in rows_of(root)]
    assert shown[1].endswith("/layer.11/output/dense/MatMul") and shown[1].startswith("…")
    assert long in (rows_of(root)[1].findtext(f"{SVG}title") or "")
    assert "\x1b" not in described.render()
    assert any(line.startswith("head</text>") and "\\n\\ud800" in line for line in described.render().splitlines())


@pytest.mark.parametrize("kl", [0.0, -1e-18, math.inf, 1e-300])
def test_any_divergence_can_be_drawn(kl: float) -> None:
    rows = (Sensitivity("w", "Gemm", 4, cost(kl), cost(kl)),)
    root = picture(report("w", sensitivity=rows, all_quantized=cost(kl)))
    assert all(math.isfinite(x) for x in circles(rows_of(root)[0]).values())
    assert picture(report(sensitivity=())).findtext(f"{SVG}desc") == "No layer was measured alone."


def sealed(path: Path, content: bytes | None) -> Path:
    files = {"model.onnx": b"not parsed", "tokenizer.json": b"{}"}
    files |= {} if content is None else {QUANTIZING: content}
    manifest = Manifest(
        1, "9.9", ("benign", "sqli"), ("benign",), Windowing(), "none", {}, 2.0, 0.5, 0, "int8", {}, {}, {}, (), {},
        {name: digest(data) for name, data in files.items()},
    )  # fmt: skip
    write_bundle(path, manifest, files)
    return path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["inspect", *map(str, words)])


def test_inspect_tells_and_draws_the_sensitivity_of_a_bundle(tmp_path: Path) -> None:
    bundle = sealed(tmp_path / "b", json.dumps(report().to_json()).encode())
    shown = run(bundle, "--sensitivity", "--svg", tmp_path / "s.svg")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, report().render() + "\n", "")
    assert (tmp_path / "s.svg").read_text() == draw(report())
    assert json.loads(run(bundle, "--sensitivity", "--json").stdout) == json.loads(json.dumps(report().to_json()))
    both = run(bundle, "--sensitivity", "--layers")
    assert both.exit_code == 2 and "--sensitivity covers all layers" in both.stderr


def test_a_folder_without_a_manifest_is_read_and_said_not_to_be_sealed(tmp_path: Path) -> None:
    (tmp_path / QUANTIZING).write_text(json.dumps(report().to_json()))
    shown = run(tmp_path, "--sensitivity")
    assert shown.exit_code == 0 and shown.stdout == report().render() + "\n"
    assert "not a sealed bundle" in shown.stderr
    (tmp_path / "manifest.json").write_text("{}")
    assert run(tmp_path, "--sensitivity").exit_code == 2, "what has a manifest is held to it"


def test_a_bundle_that_describes_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no quantizing\.json; .*`overproof quantize` write it"):
        PrecisionSearchReport.of_bundle(sealed(tmp_path / "silent", None))
    for content in (b"{}", b"[]", b"no", b'{"path": 3}'):
        with pytest.raises(BundleError, match=r"written by version 9\.9"):
            PrecisionSearchReport.of_bundle(sealed(tmp_path / "other", content))
    assert run(tmp_path, "--sensitivity").exit_code == 2, "neither a bundle nor anything that quantize wrote"
