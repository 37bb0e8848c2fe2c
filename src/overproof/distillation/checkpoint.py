"""Keep a training run on disk, written whole after every epoch: a killed run loses at most the epoch it was in.

Weights and optimizer state are safetensors, the rest is JSON; nothing here is a pickle.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from overproof.files import atomic_folder, folder_asides, recover_folder, utf8_path


@dataclass(frozen=True)
class History:
    """How a training run went: one entry an epoch.

    Attributes
    ----------
    losses, validation_losses, validation_accuracy
        Of each epoch so far.
    best_epoch
        The epoch, from 0, whose weights are kept.
    right, below
        Of each epoch, rare family to how many of the rows that it is judged by are right, and the families that it left
        below their floors: the next epoch shows them more often (`rare_families`).
    resumed_at
        Epochs that an earlier, cut-off run had done.
    """

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = 0
    right: list[dict[str, int]] = field(default_factory=list)
    below: list[list[str]] = field(default_factory=list)
    resumed_at: int = 0

    @property
    def least_loss(self) -> int:
        """The epoch, from 0, with the least validation loss; 0 before the first."""
        losses = self.validation_losses
        return min(range(len(losses)), key=losses.__getitem__, default=0)

    def sentences(self) -> list[str]:
        """Say what was decided for the sake of rare families; nothing where the validation loss decides as well."""
        kept, least = self.best_epoch, self.least_loss
        pairs = [(name, n, self.right[least][name]) for name, n in self.right[kept].items()] if self.right else []
        lost = [f"{name} ({n} → {m})" for name, n, m in pairs if m < n]
        return (
            []
            if not lost
            else [
                f"kept epoch {kept + 1}: epoch {least + 1} has the least validation loss, but fewer events of rare "
                f"families right: {', '.join(lost)}"
            ]
        )


@dataclass(frozen=True)
class TrainingState:
    """Everything that a resumed run goes on from.

    Attributes
    ----------
    network, optimizer
        As the last epoch left them.
    best
        Weights of the best epoch, by name; empty before the first.
    """

    history: History
    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]


def save(folder: Path, fingerprint: str, state: TrainingState) -> None:
    """Write everything a resumed run needs beside `folder`, then rename it into place."""
    with atomic_folder(folder) as aside:
        save_file({k: v.detach().cpu().contiguous() for k, v in state.network.state_dict().items()}, aside / "now")
        save_file(state.best, aside / "best")
        moments = state.optimizer.state_dict()["state"]
        save_file({f"{i}.{k}": v.detach().cpu() for i, s in moments.items() for k, v in s.items()}, aside / "optimizer")
        history = {"fingerprint": fingerprint, "history": asdict(state.history)}
        (aside / "history.json").write_text(json.dumps(history))


def resume(
    folder: Path, fingerprint: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[History, dict[str, Tensor]]:
    """Load network and optimizer in place; the history and the best weights, empty if the folder is of another run."""
    recover_folder(folder)
    try:
        saved = json.loads((folder / "history.json").read_text())
    except (OSError, ValueError):
        return History(), {}
    if saved["fingerprint"] != fingerprint:
        return History(), {}
    with utf8_path(folder) as name:
        now, moments, best = (load_file(f"{name}/{part}") for part in ("now", "optimizer", "best"))
    network.load_state_dict(now)
    state = optimizer.state_dict()
    for key, value in moments.items():
        index, name = key.split(".", 1)
        state["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(state)
    history = History(**{**saved["history"], "resumed_at": len(saved["history"]["losses"])})
    return history, best


def discard(folder: Path) -> None:
    """Remove a checkpoint, once what was made of the run is safely written."""
    for path in (folder, *folder_asides(folder)):
        shutil.rmtree(path, ignore_errors=True)
