"""Sizes the tutorial names, and initialization by seed alone."""

from __future__ import annotations

import pytest
import torch

from overproof.distillation.students.encoder import Encoder, new_encoder, parameter_count
from overproof.distillation.students.presets import preset
from overproof.errors import InputError


def test_the_tutorials_sizes() -> None:
    with torch.device("meta"):
        teacher, student = (parameter_count(Encoder(preset(f"tutorial-{who}"), 3)) for who in ("teacher", "student"))
    assert teacher == pytest.approx(100e6, rel=0.12)
    assert student < 5e6  # the tutorial's has five million


def test_the_tutorials_shapes() -> None:
    teacher, student = preset("tutorial-teacher"), preset("tutorial-student")
    assert (teacher.layers, teacher.hidden) == (12, 768)
    assert (student.layers, student.hidden) == (3, 256)


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"tutorial-teacher.*tiny-student"):
        preset("huge")


def test_weights_come_from_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    a, b, c = (new_encoder(preset("tiny-student"), 3, seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])
    assert torch.equal(before, torch.random.get_rng_state())
