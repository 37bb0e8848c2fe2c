"""Train a network: the one loop that teachers and students share."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overproof.distillation.augment import Ids, Perturb
from overproof.distillation.batches import Trainable, shuffled
from overproof.distillation.checkpoint import History, TrainingState, resume, save
from overproof.distillation.compiled import name_compiled
from overproof.distillation.deciding_windows import WindowCutter, predict_rows
from overproof.distillation.losses import mixed_loss
from overproof.distillation.rare_families import below, is_better, more_often, repeats_of, watch
from overproof.distillation.training_set import UNLABELLED, Rows, TrainConfig
from overproof.errors import InputError


@dataclass(frozen=True)
class TrainingTask:
    """What one run of the loop learns from, is validated on, and by which settings.

    Attributes
    ----------
    perturb
        Changes the rows anew each epoch; None leaves them as they are.
    cutter
        Cuts rows into windows, of which the deciding one learns; None takes each row as one.
    """

    rows: Rows
    validation: Rows
    config: TrainConfig
    perturb: Perturb | None = None
    cutter: WindowCutter | None = None


def use_bf16() -> bool:
    """Return whether this CPU multiplies bf16 in hardware (AVX512-BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def train(
    network: Trainable,
    task: TrainingTask,
    *,
    checkpoint: Path | None = None,
    advance: Callable[[int], None] = lambda rows: None,
    on_epoch: Callable[[History], None] = lambda history: None,
) -> History:
    """Train `network` in place and leave it with the weights of the best epoch.

    That is the one with the least validation loss, of those that have lost no rare family (`rare_families`).

    Parameters
    ----------
    network
        forward(ids (rows, tokens) int64, padded with its `pad_id` or PAD) -> logits (rows, classes).
    checkpoint
        Folder written after every epoch and read at the start if it belongs to the same run: a killed run
        loses at most one epoch. It stays until `checkpoint.discard`.
    advance
        Called with the rows just done, for progress.

    Raises
    ------
    InputError
        If the loss stops being finite.
    """
    run, config = _Run(network, task), task.config
    history = History()
    fingerprint = "" if checkpoint is None else run.fingerprint()  # of the network as it is before it learns
    if checkpoint is not None:
        history, run.best = resume(checkpoint, fingerprint, network, run.optimizer)
    for epoch in range(len(history.losses), config.epochs):
        if epoch - max(history.best_epoch, history.least_loss) > config.patience:
            break
        with torch.random.fork_rng():  # dropout has no generator of its own; the caller's stays untouched
            loss = run.one_epoch(epoch, history.below[-1] if history.below else [], advance)
        if not math.isfinite(loss):
            raise InputError(f"training diverged in epoch {epoch + 1}: the loss is {loss}; lower the learning rate")
        history, kept = run.judged(history, loss)
        if kept:
            run.keep_best()
        if checkpoint is not None:
            save(checkpoint, fingerprint, TrainingState(history, network, run.optimizer, run.best))
        on_epoch(history)
    run.restore_best()
    return history


class _Run:
    """State of one training run: optimizer and best weights."""

    def __init__(self, network: Trainable, task: TrainingTask) -> None:
        config = task.config
        self.network, self.rows, self.config, self.perturb = network, task.rows, config, task.perturb
        self.cutter = task.cutter
        self.validation, self.families = task.validation, watch(task.rows, task.validation)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network.to(self.device)
        self.bf16 = self.device.type == "cuda" or use_bf16()
        self.rates: list[float] = []
        name_compiled()
        self.optimizer = torch.optim.AdamW(
            self._groups(),
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.repeats = repeats_of(task.rows)
        self.best: dict[str, Tensor] = {}

    def _groups(self) -> list[dict[str, Any]]:
        """Part the parameters: matrices decay and vectors do not; an n-gram part takes steps of its own size."""
        found = []
        for of_ngrams in (False, True):
            own = [p for name, p in self.network.named_parameters() if ("ngrams." in name) == of_ngrams]
            for decay, some in (
                (self.config.weight_decay, [p for p in own if p.ndim > 1]),
                (0.0, [p for p in own if p.ndim <= 1]),
            ):
                if some:
                    found.append({"params": some, "weight_decay": decay})
                    self.rates.append(self.config.learning_rate * (self.config.ngram_rate if of_ngrams else 1.0))
        return found

    def one_epoch(self, epoch: int, lost: list[str], advance: Callable[[int], None]) -> float:
        """Train for one pass, which shows the families in `lost` more often.

        All randomness comes from (seed, epoch), so that a resumed run takes the same path.
        """
        random = np.random.default_rng((self.config.seed, epoch))
        torch.manual_seed(self.config.seed * 1_000_003 + epoch)
        self.network.train()
        repeats = more_often(self.repeats, self.rows.kinds, lost)
        counts = np.floor(repeats).astype(np.int64)
        counts += random.random(len(counts)) < repeats - counts
        chosen = np.repeat(np.arange(len(counts)), counts)
        ids = [self.rows.ids[k] for k in chosen]
        if self.perturb is not None:
            ids = self.perturb(ids, random)
        total = 0.0
        batches = list(shuffled(ids, self.config.batch_rows, random))
        for step, batch in enumerate(batches):
            self._set_rate(epoch + step / len(batches))
            total += self._step([ids[k] for k in batch], chosen[batch]) * len(batch)
            advance(len(batch))
        return total / max(1, len(chosen))

    def judged(self, history: History, loss: float) -> tuple[History, bool]:
        """Add the epoch that was just trained to the history; returns also whether it is to be kept."""
        logits = predict_rows(self.network, self.validation.ids, self.cutter)
        validation_loss, accuracy = _judge(logits, self.validation, self.config)
        losses, right = [*history.validation_losses, validation_loss], [*history.right, self._right(logits)]
        kept = is_better(self.families, losses, right, history.best_epoch if history.losses else None)
        history = replace(
            history,
            losses=[*history.losses, loss],
            validation_losses=losses,
            validation_accuracy=[*history.validation_accuracy, accuracy],
            best_epoch=len(losses) - 1 if kept else history.best_epoch,
            right=right,
            below=[*history.below, below(self.families, losses, right)],
        )
        return history, kept

    def _right(self, validation: NDArray[np.float32]) -> dict[str, int]:
        """Count of each rare family the rows that are given their own label."""
        learned = [of.rows for of in self.families.values() if not of.validation]
        hits = {True: validation.argmax(-1) == self.validation.targets, False: np.zeros(len(self.rows), dtype=bool)}
        if learned:
            rows = np.concatenate(learned)
            told = predict_rows(self.network, [self.rows.ids[row] for row in rows], self.cutter).argmax(-1)
            hits[False][rows] = told == self.rows.targets[rows]
        return {name: int(hits[of.validation][of.rows].sum()) for name, of in self.families.items()}

    def _step(self, ids: Ids, chosen: NDArray[np.int64]) -> float:
        targets = torch.from_numpy(self.rows.targets[chosen]).to(self.device)
        teacher = None
        if self.rows.teacher is not None:
            teacher = torch.from_numpy(self.rows.teacher[chosen]).to(self.device)
        windows, owner = (ids, None) if self.cutter is None else self.cutter.cut(ids)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            answers = self.network.answers(*self.network.batch(windows)).float()
        if self.cutter is not None and owner is not None:
            answers = answers[:, self.cutter.deciding(answers[0].detach().cpu().numpy(), owner)]
        weights = {"temperature": self.config.temperature, "hard_weight": self.config.hard_weight}
        loss = torch.stack([mixed_loss(logits, teacher, targets, **weights) for logits in answers]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        return float(loss.detach())

    def _set_rate(self, epochs_done: float) -> None:
        at = epochs_done / self.config.epochs
        warm = self.config.warmup
        share = (at + 1e-3) / warm if at < warm else 0.5 * (1 + math.cos(math.pi * (at - warm) / (1 - warm)))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * min(1.0, max(share, 0.01))

    def keep_best(self) -> None:
        self.best = {k: v.detach().cpu().clone() for k, v in self.network.state_dict().items()}

    def restore_best(self) -> None:
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.to("cpu").eval()

    def fingerprint(self) -> str:
        """Identify config, data and the network's weights, so that another run's checkpoint is not resumed."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        for rows in (self.rows, self.validation):
            for ids in rows.ids:
                digest.update(ids.tobytes() + b"|")
            digest.update(rows.targets.tobytes())
            digest.update(json.dumps([*rows.kinds]).encode())
            digest.update(b"" if rows.teacher is None else rows.teacher.tobytes())
            digest.update(b"" if rows.weights is None else rows.weights.tobytes())
        digest.update(str(self.cutter).encode())
        for name, weights in self.network.state_dict().items():
            digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
            digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def _judge(logits: NDArray[np.float32], rows: Rows, config: TrainConfig) -> tuple[float, float]:
    """Compute the validation loss (the same mixture as in training) and the accuracy over labelled rows."""
    teacher = None if rows.teacher is None else torch.from_numpy(rows.teacher)
    loss = mixed_loss(
        torch.from_numpy(logits),
        teacher,
        torch.from_numpy(rows.targets),
        temperature=config.temperature,
        hard_weight=config.hard_weight,
    )
    labelled = rows.targets != UNLABELLED
    right = logits.argmax(-1)[labelled] == rows.targets[labelled]
    return float(loss), float(right.mean()) if labelled.any() else math.nan
