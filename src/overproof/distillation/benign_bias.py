"""Set the bias of the benign classes so that a network calls as many events benign as are.

Trained on a teacher's answers, a student leans towards benign where it knows too little: what it has not met speaks for
nothing, and what is left is the bias, while an attack's probability is shared among the attack classes. One number,
added to the benign logits, corrects that. It is the maximum of the likelihood of the validation labels with a standard
normal prior, so that few events change little (a bias without the temperature of Alexandari et al. 2020, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logsumexp
from torch import nn

from overproof.bundle.scores import Floats
from overproof.distillation.training_set import UNLABELLED


def benign_shift(logits: Floats, targets: NDArray[np.int64], benign: Sequence[bool]) -> float:
    """Return what is to be added to the benign logits.

    Where the derivative of the penalized log-likelihood is 0: the events that are expected to be benign, and the shift
    itself, are as many as the benign events.

    Parameters
    ----------
    logits, targets
        Shape (n, classes) and (n,): of the validation events; those that are UNLABELLED do not count.
    benign
        For each class, whether it is benign; some are, not all.
    """
    innocent, known = np.asarray(benign), targets != UNLABELLED
    wide = np.asarray(logits[known], dtype=np.float64)
    odds = logsumexp(wide[:, innocent], axis=1) - logsumexp(wide[:, ~innocent], axis=1)
    count = innocent[targets[known]].sum()
    widest = len(odds) + 1.0  # there the prior outweighs all events
    return float(brentq(lambda shift: expit(odds + shift).sum() - count + shift, -widest, widest))


def shift_benign(head: nn.Linear, shift: float, benign: Sequence[bool]) -> None:
    """Add to the benign classes' biases."""
    with torch.no_grad():
        head.bias.add_(torch.tensor(benign, dtype=head.bias.dtype), alpha=shift)
