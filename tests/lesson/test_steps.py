"""The steps: computed by the product's functions, and consistent with what is printed and with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from overproof.distillation.students.encoder import Encoder, parameter_count
from overproof.distillation.students.presets import preset
from overproof.lesson import printed_values, steps
from overproof.quantization.affine import Scheme


def test_soft_labels_sum_to_one_and_their_winner_is_the_hard_label() -> None:
    for packet, info in zip(printed_values.PACKETS, steps.information(), strict=True):
        assert info.total == pytest.approx(1)
        assert info.label == packet.label


def test_what_the_soft_label_of_packet_d_tells() -> None:
    d = steps.information()[3]
    p, even = np.array([0.05, 0.45, 0.5]), np.array([0.25, 0.25, 0.5])
    assert d.entropy == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-6)
    assert d.surprise == 1
    assert d.relations == pytest.approx((p * np.log2(p / even)).sum(), abs=1e-6)
    assert steps.information()[1].relations == pytest.approx(0, abs=1e-6)  # packet B's others are even


def test_the_loss_fades_without_t_squared_and_its_gradient_is_the_slope() -> None:
    student, teacher = np.array([steps.STUDENT], dtype=np.float32), steps.PACKET_LOGITS[3:]
    first, *_, last = steps.losses(student, teacher)
    assert np.linalg.norm(last.gradient_plain) < 0.1 * np.linalg.norm(first.gradient_plain)
    assert np.linalg.norm(last.gradient) == pytest.approx(np.linalg.norm(first.gradient), rel=0.1)
    up = student + np.array([[0, 0, 0.01]], dtype=np.float32)
    slope = (steps.losses(up, teacher)[0].loss - first.loss) / 0.01
    assert slope == pytest.approx(first.gradient[2], abs=2e-3)


def test_layer_parameters_are_those_of_the_network() -> None:
    for name in ("tutorial-teacher", "tutorial-student"):
        config = preset(name)
        config = replace(config, feed_forward=4 * config.hidden)  # as drawn; the student's own is narrower
        with torch.device("meta"):
            layers = Encoder(config, 3).layers
        assert parameter_count(layers) == config.layers * steps.layer_parameters(config.hidden)


def test_narrower_ranges_clip_and_rows_have_their_own_grids() -> None:
    assert steps.on_grid(share=0.5).cost.saturated > 0 == steps.on_grid().cost.saturated
    rows = steps.on_grid(Scheme(symmetric=True, signed=True), per_row=True)
    assert len(rows.scale) == 3
    assert rows.zero_point == (0, 0, 0)
    assert rows.cost.bytes_after == 9 + 3 * 4 + 3
    assert rows.cost.mean_error < steps.on_grid().cost.mean_error


def test_float32_values_are_counted_by_their_bits() -> None:
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    assert steps.float32_values(-tiny, tiny) == 3
    assert steps.float32_values(-1.0, float(np.nextafter(np.float32(1), np.float32(2)))) == 2 * 0x3F800000 + 2
