"""Train an encoder from texts, teacher or student: the tokenizer, the first windows, the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from torch import nn

from overproof.bundle.tokenizer import CLS, Windowing, encode, train_bpe
from overproof.distillation.augment import Ids, carriers, token_splitter
from overproof.distillation.checkpoint import History
from overproof.distillation.students.encoder import Encoder, new_encoder
from overproof.distillation.students.presets import EncoderConfig
from overproof.distillation.training import Rows, TrainingTask, rare_repeats, train
from overproof.distillation.training_set import Examples, TrainConfig, TrainingSet
from overproof.progress import Console


def student_config(sizes: EncoderConfig, epochs: int | None) -> TrainConfig:
    """Choose the training settings for an encoder of these sizes: narrower networks take larger steps."""
    rate = min(2e-3, 0.2 / sizes.hidden)
    return replace(TrainConfig(learning_rate=rate), **({} if epochs is None else {"epochs": epochs}))


@dataclass(frozen=True)
class TrainedModel:
    """A trained encoder with what it needs to read text."""

    network: Encoder
    tokenizer: tokenizers.Tokenizer
    windowing: Windowing
    history: History


@dataclass(frozen=True)
class TrainingSession:
    """Where a run keeps its checkpoint, and how it shows its progress.

    Attributes
    ----------
    checkpoint
        Folder of `checkpoint.save`; None keeps none.
    what
        Name of what is trained, for the console.
    """

    checkpoint: Path | None
    what: str
    console: Console


def fit(
    sizes: EncoderConfig, training_set: TrainingSet, *, checkpoint: Path | None, what: str, console: Console
) -> TrainedModel:
    """Train tokenizer and encoder, stopping early by the validation loss."""
    examples = training_set.examples
    own = [text for text, kind in zip(examples.texts, examples.kinds, strict=True) if kind is not None]
    tokenizer = train_bpe(own or examples.texts, vocabulary=sizes.vocabulary)
    sizes = replace(sizes, vocabulary=tokenizer.get_vocab_size())
    network = new_encoder(sizes, len(training_set.benign), seed=training_set.config.seed)
    trained = TrainedModel(network, tokenizer, Windowing(size=sizes.positions), History())
    history = learn(network, trained, training_set, TrainingSession(checkpoint, what, console))
    return replace(trained, history=history)


def learn(network: nn.Module, reader: TrainedModel, training_set: TrainingSet, session: TrainingSession) -> History:
    """Train `network` in place on the training set, whose texts are read as `reader` reads them."""
    encoder = partial(first_windows, reader.tokenizer, reader.windowing)
    examples, config = training_set.examples, training_set.config
    rows = rows_of(encoder, examples, repeats=rare_repeats(examples.kinds))
    known = [(ids, target) for ids, target in zip(rows.ids, rows.targets, strict=True) if target >= 0]
    benign = [ids for ids, target in known if training_set.benign[target]]
    surround = carriers(benign, config.carriers, reader.windowing.size)
    split = token_splitter(reader.tokenizer, config.split_tokens, reader.windowing.size)
    task = TrainingTask(
        rows,
        rows_of(encoder, training_set.validation),
        config,
        perturb=lambda ids, random: surround(split(ids, random), random),
    )
    return train_with_progress(network, task, session)


def train_with_progress(network: nn.Module, task: TrainingTask, session: TrainingSession) -> History:
    """Run `training.train` and show its progress on the console."""
    rows, config, what, console = task.rows, task.config, session.what, session.console
    total = len(rows) if rows.repeats is None else round(float(rows.repeats.sum()))

    def say(history: History) -> None:
        console.say(
            f"{what}: epoch {len(history.losses)}/{config.epochs}, loss {history.losses[-1]:.4f}, "
            f"validation {history.validation_losses[-1]:.4f}, accuracy {history.validation_accuracy[-1]:.4f}"
        )

    with console.progress(what, total * config.epochs) as advance:
        history = train(network, task, checkpoint=session.checkpoint, advance=advance, on_epoch=say)
    if history.resumed_at:
        console.say(f"{what}: resumed after epoch {history.resumed_at} of an earlier run that was cut off")
    return history


def first_windows(tokenizer: tokenizers.Tokenizer, windowing: Windowing, texts: Sequence[str]) -> list[list[int]]:
    """Return [CLS] and the first tokens of each text: what the network is trained on."""
    body = windowing.size - 1
    clipped = [text[: windowing.characters] for text in texts]
    return [[CLS, *tokens[:body]] for tokens in encode(tokenizer, clipped)]


def rows_of(
    encoder: Callable[[Sequence[str]], list[list[int]]],
    examples: Examples,
    *,
    repeats: NDArray[np.float64] | None = None,
) -> Rows:
    """Encode examples as rows for the loop."""
    ids: Ids = [np.asarray(i, dtype=np.int64) for i in encoder(examples.texts)]
    return Rows(ids, examples.targets, examples.soft, repeats)
