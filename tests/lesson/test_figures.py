"""The tutorial's printed figures: kept where they are right, and explained where they are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overproof.lesson import printed_values, steps, table
from overproof.lesson.figures import Figure, figures

FIGURES = figures()
COMPUTED = [figure for figure in FIGURES if figure.exact is not None]
WRONG = [figure for figure in COMPUTED if not figure.right]
RENEW = "python -c 'from overproof.lesson.table import markdown; print(markdown(), end=\"\")' > docs/tutorial-errata.md"


def named(what: str) -> Figure:
    (found,) = {figure for figure in FIGURES if figure.what == what}
    return found


def test_what_is_wrong_is_known_and_all_else_is_right() -> None:
    by_step = {where: [f.what for f in WRONG if f.where == where] for where in {f.where for f in WRONG}}
    relative = "0.127 -0.891 0.342 0.505 0.012 -0.234 -0.667 0.789".split()
    assert by_step == {
        "Part 1, step 2": ["most that a hard label of 3 classes can tell", "entropy of packet D"],
        "Part 1, step 4": [
            *(f"P({name}) of packet D at T = 2" for name in printed_values.CLASSES),
            "P(Malicious) of packet D at T = 4",
        ],
        "Part 2, step 3": ["q of -0.234", "bytes of scale and zero point", "bytes in all", "saved"],
        "Part 2, step 5": [
            f"relative error of {relative[0]}",
            *(f"{what} -0.891".replace("back -0.891", "-0.891 reconstructed") for what in ("back", "error of")),
            *(f"relative error of {x}" for x in relative[1:5]),
            "-0.234 reconstructed",
            *(f"relative error of {x}" for x in relative[5:]),
        ],
        "Part 2, the drawn grid": ["lowest line", "highest line"],
    }


@pytest.mark.parametrize("figure", WRONG, ids=lambda figure: figure.what)
def test_a_wrong_figure_is_explained_and_the_named_slip_gives_it(figure: Figure) -> None:
    assert figure.why.endswith(".")
    if figure.slip is None:
        assert figure.what.endswith("at T = 2")  # no temperature gives that row, so no one slip does
    else:
        assert figure.rounded(figure.slip) == figure.printed


@pytest.mark.parametrize(
    ("what", "exact"),
    [
        ("entropy of packet D", 1.2345),
        ("most that a hard label of 3 classes can tell", 1.5850),
        ("P(Normal) of packet D at T = 2", 0.1396),
        ("P(Suspicious) of packet D at T = 2", 0.4189),
        ("P(Malicious) of packet D at T = 2", 0.4415),
        ("P(Malicious) of packet D at T = 4", 0.3943),
        ("scale", 0.006588),
        ("q of -0.234", 99),
        ("-0.891 reconstructed", -0.8894),
        ("-0.234 reconstructed", -0.2372),
        ("relative error of 0.012", 9.804),
        ("bytes in all", 14),
        ("saved", 61.11),
    ],
)
def test_exact_values(what: str, exact: float) -> None:
    assert named(what).exact == pytest.approx(exact, abs=6e-5 if abs(exact) < 9 else 6e-3)


def test_every_number_that_the_tutorial_prints_is_among_the_figures(shared_data: Path) -> None:
    tutorial = shared_data.parent / "tutorial.txt"
    if not tutorial.is_file():
        pytest.skip("the tutorial is not on this machine")
    known = {float(f.printed) for f in FIGURES} | {9, 3, 2}  # nine weights, three by three; two floats
    text = re.sub(r"(Part|Step|P/T|INT|FP|0x|seed) ?\d+|0-day", "", tutorial.read_text())
    printed = {float(number) for number in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text.replace("\u2212", "-"))}
    # a hyphen of a range (2-4, 10-100, 5-15) is no minus
    assert {abs(number) for number in printed} - {abs(number) for number in known} == set()


def test_the_committed_table_is_what_the_code_makes(root: Path) -> None:
    committed = (root / "docs" / "tutorial-errata.md").read_text()
    assert committed == table.markdown(), f"renew it: {RENEW}"


def test_claims_beside_the_figures() -> None:
    whats = {erratum.what for erratum in table.errata()}
    assert {"the loss", "what T divides", "the backward pass", "the distilled model"} <= whats
    assert {"points lost at INT8", "distance of its labels", "precision of FP32"} <= whats
    assert all(erratum.why for erratum in table.errata())
    parts = [erratum.where[:6] for erratum in table.errata()]
    assert parts == sorted(parts, key=["Part 1", "Part 2", "Compar"].index)


def test_a_label_between_two_lines_would_be_seen() -> None:
    """The check can fail: another printed digit makes a right figure wrong."""
    right = named("q of 0.127")
    assert right.right
    assert not Figure(right.where, right.what, "155", right.exact).right
    assert not Figure("", "", "0.129", steps.on_grid().reconstructed[0]).right
