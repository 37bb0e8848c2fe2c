"""Compute the losses of distillation, as plain functions of logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from overproof.distillation.training_set import UNLABELLED


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Compute KL(softmax(z_t / T) ‖ softmax(z_s / T)) · T², the mean over rows.

    T² keeps the gradient's size independent of T. Source: Hinton, Vinyals, Dean 2015, section 2.

    Parameters
    ----------
    student, teacher
        Logits, shape (rows, classes).
    temperature
        T > 0.
    """
    log_student = functional.log_softmax(student / temperature, dim=-1)
    log_teacher = functional.log_softmax(teacher / temperature, dim=-1)
    divergence = functional.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def mixed_loss(
    student: Tensor, teacher: Tensor | None, targets: Tensor, *, temperature: float, hard_weight: float
) -> Tensor:
    """Compute hard_weight · cross-entropy + (1 - hard_weight) · distillation loss.

    Rows whose target is UNLABELLED take part through the teacher alone; without a teacher only labelled
    rows take part.

    Parameters
    ----------
    student, teacher
        Logits, shape (rows, classes); `teacher` may be None.
    targets
        Shape (rows,), class indices or UNLABELLED.
    """
    labelled = targets != UNLABELLED
    hard = functional.cross_entropy(student, targets, ignore_index=UNLABELLED, reduction="sum")
    if teacher is None:
        return hard / labelled.sum().clamp(min=1)
    hard = hard / len(targets)
    return hard_weight * hard + (1 - hard_weight) * distillation_loss(student, teacher, temperature)
