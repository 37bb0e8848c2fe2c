"""Estimate to first order how a network's log-odds of an attack change when a text is edited.

HotFlip (Ebrahimi et al. 2018) rates the exchange of one token by the gradient with respect to its embedding. Edits that
keep a meaning insert and shift whole phrases, for which no token stands in the place of another; what they change is
what the window is made of. So the derivative is taken with respect to the *mean* of the tokens' embeddings (all moved
alike), and to the sums over n-grams, which are such a mean already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from overproof.bundle.readers import Reader
from overproof.bundle.scores import Floats
from overproof.bundle.tokenizer import PAD
from overproof.bundle.windows import Windows
from overproof.distillation.batches import padded
from overproof.distillation.students.encoder import Encoder
from overproof.distillation.students.ngrams import NgramNetwork, NgramPart

REMEMBERED = 512  # texts that are edited again and again: a search goes on from few at a time


@dataclass(frozen=True)
class FirstOrder:
    """The log-odds of windows, to first order around those of one.

    Attributes
    ----------
    tokens
        What each token of the vocabulary adds where a window holds no other; None for a network that reads none.
    ngrams
        The gradient with respect to the sums over n-grams; None for a network that reads none.
    constant
        What is added to both.
    """

    tokens: Floats | None
    ngrams: Floats | None
    constant: float = 0.0

    def odds(self, windows: Windows) -> Floats:
        """Estimate the log-odds of windows."""
        found = np.full(len(windows), self.constant, dtype=np.float32)
        if self.tokens is not None and windows.ids is not None:
            found += [_mean(self.tokens, ids) for ids in windows.ids]
        if self.ngrams is not None and windows.ngrams is not None:
            found += windows.ngrams @ self.ngrams
        return found


class DifferentiableOdds:
    """The log-odds that texts are attacks, and their first order; the window that is most like an attack decides.

    Parameters
    ----------
    network
        It is changed: its n-gram part takes sums from here on, as the reader makes them.
    benign
        For each class, whether it is benign.
    """

    def __init__(self, network: Encoder | NgramNetwork, reader: Reader, benign: Sequence[bool]) -> None:
        if network.ngrams is not None:
            network.set_submodule("ngrams", _Sums(network.ngrams))
        self.network = network.eval().requires_grad_(False)
        self.reader = reader
        self._benign = torch.tensor(list(benign))
        self._remembered = lru_cache(maxsize=REMEMBERED)(self.around)

    def exact(self, texts: Sequence[str]) -> list[float]:
        """Compute the log-odds of texts."""
        windows = self.reader.read(texts)
        with torch.no_grad():
            return _most(self._odds(*self._inputs(windows)).numpy(), windows)

    def estimate(self, text: str, edited: Sequence[str]) -> list[float]:
        """Estimate the log-odds of edited texts to first order around a text."""
        windows = self.reader.read(edited)
        return _most(self._remembered(text).odds(windows), windows)

    def around(self, text: str) -> FirstOrder:
        """Differentiate the log-odds of a text's deciding window."""
        windows, network = self.reader.read([text]), self.network
        ids, sums = self._inputs(windows)
        moved = [] if sums is None else [sums.requires_grad_()]
        hooks = []
        if isinstance(network, Encoder):
            moved.insert(0, torch.zeros(len(windows), 1, network.config.hidden, requires_grad=True))
            hooks.append(network.tokens.register_forward_hook(_moving(moved[0])))
        try:
            odds = self._odds(ids, sums)
        finally:
            for hook in hooks:
                hook.remove()
        first = int(odds.argmax())
        slopes = [slope[first].numpy().reshape(-1) for slope in torch.autograd.grad(odds[first], moved)]
        tokens = network.tokens.weight.numpy() @ slopes[0] if isinstance(network, Encoder) else None
        found = FirstOrder(tokens, None if sums is None else slopes[-1])
        return replace(found, constant=float(odds[first].detach()) - float(found.odds(windows)[first]))

    def _inputs(self, windows: Windows) -> tuple[Tensor | None, Tensor | None]:
        """Return what the network reads of windows: padded tokens, and sums over n-grams."""
        ids = (
            None if windows.ids is None else padded([np.array(some) for some in windows.ids], PAD, self._benign.device)
        )
        return ids, None if windows.ngrams is None else torch.from_numpy(windows.ngrams)

    def _odds(self, ids: Tensor | None, sums: Tensor | None) -> Tensor:
        """Compute the log-odds of windows, shape (windows,)."""
        read = [] if ids is None else [ids]
        if sums is not None:
            read += [sums, sums]  # the second stands for their places, which `_Sums` does not read
        logits = self.network(*read)
        return torch.logsumexp(logits[:, ~self._benign], 1) - torch.logsumexp(logits[:, self._benign], 1)


class _Sums(nn.Module):
    """The n-gram part behind its sums, which the reader has made already from the same table."""

    def __init__(self, part: NgramPart) -> None:
        super().__init__()
        self.hidden, self.relu = part.hidden, part.relu

    def forward(self, sums: Tensor, places: Tensor) -> Tensor:
        return self.relu(self.hidden(sums))  # type: ignore[no-any-return]


def _moving(by: Tensor) -> Callable[[nn.Module, object, Tensor], Tensor]:
    """Move the embeddings of all tokens behind [CLS] alike."""
    return lambda module, inputs, embedded: torch.cat([embedded[:, :1], embedded[:, 1:] + by], dim=1)


def _mean(tokens: Floats, ids: Sequence[int]) -> float:
    """Return the mean over a window's tokens behind [CLS]; 0 of none."""
    return float(tokens[ids[1:]].mean()) if len(ids) > 1 else 0.0


def _most(odds: Floats, windows: Windows) -> list[float]:
    """Return of each event the largest of its windows' numbers."""
    found = np.full(len(windows.overflow), -np.inf, dtype=np.float32)
    np.maximum.at(found, windows.owner, odds)
    return found.tolist()
