"""How portable verdicts read."""

from __future__ import annotations

from overproof.results.portability import PairSums, PortabilityReport, Variation

MEASURED = Variation("batch size", ("1", "2"), 1200, 3, 0.0251)
UNMEASURED = Variation("padding", ("1 more",), unmeasured="the model's length is fixed")
SAFE = PairSums("narrow.weight", 64, 32, bound=32640, largest=20000, total=1000, saturated=0)
RISKY = PairSums("widen.weight", 32, 64, bound=64770, largest=40000, total=1000, saturated=7)


def test_rows_say_what_was_varied_and_what_changed() -> None:
    assert str(MEASURED) == "batch size: 3 of 1,200 verdicts flip, max |Δlogit| 0.025 (1, 2)"
    assert str(UNMEASURED) == "padding: unmeasured: the model's length is fixed"


def test_only_matrices_that_can_saturate_are_listed() -> None:
    assert "none of 1 matrices can saturate: 32,640 of 32,767 at worst" in PortabilityReport((), (SAFE,)).render()
    text = PortabilityReport((MEASURED, UNMEASURED), (SAFE, RISKY)).render()
    assert "1 of 2 matrices can saturate:" in text
    assert "widen.weight 32 x 64: 7 of 1,000 pair sums saturate, largest 40,000, worst case 64,770" in text
    assert "narrow" not in text
    assert "matrices" not in PortabilityReport((UNMEASURED,), ()).render()


def test_json_has_every_row_and_matrix() -> None:
    data = PortabilityReport((MEASURED, UNMEASURED), (SAFE, RISKY)).to_json()
    assert [v["unmeasured"] for v in data["variations"]] == [None, "the model's length is fixed"]
    assert [m["can_saturate"] for m in data["matrices"]] == [False, True]
    assert PortabilityReport((MEASURED, MEASURED, UNMEASURED), ()).flips == 6
