"""Gates: a file written before the run, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.checks.base import FAILED, PASSED, UNMEASURED, CheckResult, Gate, Measured, decided, unmeasured
from overproof.checks.gates import DEFAULTS, MARGIN, gates_with, template, write_template
from overproof.checks.stats import Interval
from overproof.errors import InputError
from overproof.jobs.config import CheckSettings


def test_the_template_says_what_is_taken_by_default(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    write_template(path)
    assert gates_with(0.02, path) == gates_with(0.02)
    assert all(default.meaning in template() for default in DEFAULTS.values())


def test_the_margin_is_the_bundles_own_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text("[held-out]\nmisses = { limit = 0.03 }\n")
    assert gates_with(CheckSettings.margin)[MARGIN] == Gate(CheckSettings.margin)
    assert gates_with(CheckSettings.margin, path)[MARGIN] == Gate(0.03)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text("[rare]\nfamily = { required = true }\npooled = { limit = 0 }\n")
    changed = {key: gate for key, gate in gates_with(0.005, path).items() if gate != gates_with(0.005)[key]}
    assert changed == {"rare/family": Gate(0.05, True), "rare/pooled": Gate(0.0, True)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[rare]\nfamly = { limit = 0.1 }", "no gate rare/famly"),
        ("rare = 3", "expected a table"),
        ("[rare]\nfamily = 0.1", "expected { limit"),
        ("[rare]\nfamily = { limit = '5 %' }", "expected a share"),
        ("[rare]\nfamily = { limit = 5 }", "expected a share"),
        ("[rare]\nfamily = { limit = true }", "expected a share"),
        ("[rare]\nfamily = { limit = nan }", "expected a share"),
        ("[rare]\nfamily = { required = 1 }", "expected true or false"),
        ("[rare]\nfamily = { limt = 1 }", "expected { limit"),
        ("[rare]\nfamily = { limit = 0x" + "f" * 9000 + " }", "of very many digits"),
        ("[rare]\nfamily = { limit = 10000000000000000000000000000000000000000 }", "expected a share"),
        ("[rare]\nfamily = { limit = 2026-01-01 }", "expected a share"),
        ('[rare]\n"a\\nb\\u001b[2J" = 1', r"no gate rare/a\nb\x1b[2J"),
        ('"a\\nb" = 1', "expected a table"),
        (f"[rare]\n{'x' * 5000} = 1", "no gate rare/xxx"),
        ("[rare]\nfamily = " + "[" * 5000, "not a gate file"),
        ("[rare", "not a gate file"),
    ],
)
def test_what_is_no_gate_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"gates\.toml") as detected:
        gates_with(0.005, path)
    assert told in str(detected.value)
    assert "\n" not in str(detected.value) and len(str(detected.value)) < 3000


def test_bytes_that_are_no_text_are_no_gate_file(tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_bytes(b"[rare]\n# \xff\n")
    with pytest.raises(InputError, match="not a gate file"):
        gates_with(0.005, tmp_path / "gates.toml")


def test_gates_are_written_down_once(tmp_path: Path) -> None:
    write_template(tmp_path / "gates.toml")
    with pytest.raises(InputError, match="exists already"):
        write_template(tmp_path / "gates.toml")
    with pytest.raises(InputError, match="no folder"):
        write_template(tmp_path / "nowhere" / "gates.toml")
    with pytest.raises(InputError, match="--init-gate"):
        gates_with(0.005, tmp_path / "other.toml")


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_interval_passes_fails_or_proves_nothing(value: float, below: float, above: float, limit: float) -> None:
    low, high = value - below, value + above
    found = decided("rare/pooled", "so much", Gate(limit), Measured(Interval(value, low, high), 10, 100))
    assert (found.status == PASSED) == (high <= limit)
    assert (found.status == FAILED) == (low > limit)
    assert found.closed == (found.status != PASSED)
    if found.status == UNMEASURED:
        assert "unmeasured: 10 events, needs 100" in found.message and found.needed == 100


def known(*gates: object) -> CheckResult:
    return CheckResult("rare", "Rare", "?", gates, {})  # type: ignore[arg-type]


def test_a_check_is_as_good_as_its_worst_finding() -> None:
    strict, lax = Gate(0.1), Gate(0.1, required=False)
    good = decided("a/b", "good", strict, Measured(Interval(0, 0, 0), 9))
    bad = decided("a/c", "bad", lax, Measured(Interval(1, 1, 1), 9))
    open_ = unmeasured("a/d", "too few", strict)
    pass_by = unmeasured("a/e", "not asked", lax)
    assert known(good).status == PASSED
    assert known(good, pass_by).status == PASSED
    assert known(pass_by).status == UNMEASURED
    assert (known(good, open_).status, known(good, open_).message) == (UNMEASURED, "unmeasured: too few")
    assert (known(good, open_, bad).status, known(good, open_, bad).message) == (FAILED, "bad")
    assert known().status == UNMEASURED
