"""What a person reads at the end of a compression."""

from __future__ import annotations

import json
from pathlib import Path

from overproof.results import Comparison
from overproof.results.boundary_events import SoftLabel
from overproof.results.compression import Report
from overproof.results.parity import Parity

PACKET_D = SoftLabel(
    "port scan",
    "malicious",
    ("normal", "suspicious", "malicious"),
    {"1": (0.05, 0.45, 0.50), "2": (0.14, 0.42, 0.44)},
    {"1": 1.23, "2": 1.45},
)


def report(**data: object) -> Report:
    parity = (Parity("FP32 → INT8", 100, 0.25, 1),)
    return Report(Path("bundle"), Comparison((), 0), parity, (PACKET_D,), data, 1234, 7)


def test_soft_labels_read_as_in_the_tutorial() -> None:
    text = report().render()
    assert "T = 1:  malicious 0.500  suspicious 0.450  normal 0.050  (entropy 1.23 bits)" in text
    assert "hard label: malicious" in text


def test_simulated_traffic_is_called_that() -> None:
    assert "SIMULATED" in report(simulated=True).render()
    assert "SIMULATED" not in report(simulated=False).render()


def test_json_holds_what_the_text_says() -> None:
    data = json.loads(json.dumps(report(simulated=False).to_json()))
    assert data["parity"][0]["flips"] == 1
    assert data["soft_labels"][0]["bits"]["1"] == 1.23
    assert (data["bundle"], data["bundle_bytes"], data["seed"]) == ("bundle", 1234, 7)


def test_an_attack_in_the_text_cannot_steer_the_terminal() -> None:
    nasty = SoftLabel("\x1b[2J\x07", None, ("a", "b"), {"1": (0.5, 0.5)}, {"1": 1.0})
    assert "\x1b" not in nasty.render()
