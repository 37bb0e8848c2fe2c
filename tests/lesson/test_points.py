"""Both steps together: what each gave, and what the combined model says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overproof.bundle.manifest import COMPARISON
from overproof.bundle.model_names import DISTILLED, FULL, QUANTIZED
from overproof.bundle.tiers import open as open_student
from overproof.lesson import sections, walk
from overproof.lesson.combined import combined_section
from overproof.lesson.points import Point, gains, tutorial_points
from overproof.lesson.terminal import render

if TYPE_CHECKING:
    from .conftest import Bundled

POINTS = (
    Point(FULL, 100, 4000, 50.0, 0.95),
    Point(DISTILLED, 10, 400, 10.0, 0.9),
    Point(QUANTIZED, 10, 100, 4.0, 0.88),
    Point("another", 1, 1, 1.0, 0.1),
)


def test_what_both_gave_is_the_product() -> None:
    distilling, quantizing, both = gains(POINTS)
    assert (distilling.step, distilling.smaller, distilling.faster) == ("distilling", 10, 5)
    assert (quantizing.step, quantizing.smaller, quantizing.faster) == ("quantizing", 4, 2.5)
    assert (both.step, both.smaller, both.faster) == ("both", 40, 12.5)
    assert both.accuracy == pytest.approx(0.88 - 0.95)
    assert distilling.accuracy == pytest.approx(-0.05)


def test_the_tutorials_own_figures_multiply() -> None:
    distilling, quantizing, both = gains(tutorial_points())
    assert both.smaller == distilling.smaller * quantizing.smaller == 40  # type: ignore[operator]


@pytest.mark.parametrize("missing", ["bytes", "ms", "accuracy"])
def test_what_was_not_measured_gives_nothing(missing: str) -> None:
    some = (POINTS[0], replace(POINTS[1], **{missing: None}), POINTS[2])
    name = {"bytes": "smaller", "ms": "faster"}.get(missing, missing)
    assert [getattr(gain, name) is None for gain in gains(some)] == [True, True, False]


@pytest.mark.parametrize(
    ("there", "steps"),
    [((0, 1), ["distilling"]), ((1, 2), ["quantizing"]), ((0, 2), ["both"]), ((0, 3), [])],
    ids=["no-int8", "no-full", "no-float", "alone"],
)
def test_a_step_lacks_where_a_model_lacks(there: tuple[int, ...], steps: list[str]) -> None:
    assert [gain.step for gain in gains([POINTS[k] for k in there])] == steps


def test_the_last_step_is_of_the_users_bundle(bundled: Bundled) -> None:
    lesson = walk(bundled.path)
    assert [section.key for section in lesson.sections][-2:] == ["combined", "real"]
    shown = " ".join(render([lesson.sections[-2]]).split())
    full, int8 = (next(p for p in lesson.user_data.points if p.name == name) for name in (FULL, QUANTIZED))
    assert full.bytes and int8.bytes and full.ms and int8.ms
    assert f"both ÷ {full.bytes / int8.bytes:,.2f} ÷ {full.ms / int8.ms:,.2f} +0.00 points" in shown


def test_the_combined_model_judges_the_events_at_the_boundary(bundled: Bundled) -> None:
    user = walk(bundled.path).user_data
    judged = open_student(bundled.path).judge([event.text for event in user.boundary])
    assert [(j.verdict, j.attack) for j in user.judged] == [(v.label, v.attack) for v in judged]
    assert user.judged
    shown = " ".join(render([combined_section(user)]).split())
    assert all(f"{verdict.attack:.3f}" in shown for verdict in judged)


def test_the_built_in_traffics_is_the_quantized_one() -> None:
    user = walk().user_data
    assert {j.verdict for j in user.judged} <= {"normal", "suspicious", "malicious"}
    assert all((j.attack > 0.5) == (j.verdict != "normal") for j in user.judged)
    assert QUANTIZED in user.points_of


def test_a_bundle_without_a_comparison_has_no_gains(bundled: Bundled) -> None:
    user = walk(bundled.rewritten({COMPARISON: None})).user_data
    assert "distilling" not in render([combined_section(user)]).split("Of the bundle")[1]
    assert sections(user)[-1].key == "real"
