"""Train a network from texts, teacher or student: what it reads, what it learns of each, the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tokenizers

from overproof.bundle.readers import Reader, make_reader
from overproof.bundle.scores import Floats
from overproof.bundle.tokenizer import BEFORE, CLS, TOKEN_CHARACTERS, TokenBytes, Windowing, encode, train_bpe
from overproof.distillation.augment import Ids, carriers, token_splitter
from overproof.distillation.batches import Trainable
from overproof.distillation.checkpoint import History
from overproof.distillation.deciding_windows import WindowCutter, predict_rows
from overproof.distillation.rare_families import repeats_of
from overproof.distillation.students.encoder import Encoder, new_encoder
from overproof.distillation.students.ngrams import NgramNetwork, new_ngram_network
from overproof.distillation.students.presets import NetworkConfig, NgramConfig
from overproof.distillation.training import TrainingTask, train
from overproof.distillation.training_set import Examples, Rows, TrainConfig, TrainingSet
from overproof.progress import Console

NGRAM_RATE = 5e-3  # most of an n-gram part are table rows that few events touch: larger steps
BYTE_WINDOWS = 160  # of one event at most
TAUGHT_BYTES, TAUGHT_TOKENS = 512, 254  # of an event, by what reads n-grams: which window holds an attack is not known
HYBRID_WINDOWS = 32  # of one event at most
LEAST_STEPS = 1000  # of an n-gram network: twelve passes over 600 events are 57, and teach it next to nothing


def student_config(sizes: NetworkConfig, epochs: int | None, rows: int) -> TrainConfig:
    """Choose the training settings for a network of these sizes: narrower ones take larger steps.

    Parameters
    ----------
    epochs
        Passes at most; None takes the usual number, and for an n-gram network as many as make up `LEAST_STEPS`.
    rows
        What it learns from.
    """
    if not isinstance(sizes, NgramConfig):
        usual = TrainConfig(learning_rate=min(2e-3, 0.2 / sizes.hidden))
        if sizes.ngrams is not None:
            usual = replace(usual, carriers=0.0, ngram_rate=NGRAM_RATE / usual.learning_rate)
        return usual if epochs is None else replace(usual, epochs=epochs)
    # Benign text around an attack is left out where n-grams are read: it tripled what is missed (docs/log.md).
    usual = TrainConfig(epochs=8, learning_rate=NGRAM_RATE, split_tokens=0.0, carriers=0.0)
    least = max(usual.epochs, -(-LEAST_STEPS * usual.batch_rows // max(1, rows)))
    passes = least if epochs is None else epochs
    # Passes over few events are short, and the first ones, which warm up, hardly lower the loss.
    return replace(usual, epochs=passes, patience=max(usual.patience, passes // 4))


@dataclass(frozen=True)
class TrainedModel:
    """A trained network with what it needs to read text.

    Attributes
    ----------
    tokenizer
        None for a network that reads bytes.
    """

    network: Encoder | NgramNetwork
    tokenizer: tokenizers.Tokenizer | None
    windowing: Windowing
    history: History

    @property
    def reader(self) -> Reader:
        """What turns texts into the exported model's input."""
        table = None if self.network.ngrams is None else self.network.ngrams.stored()
        return make_reader(self.tokenizer, table, self.windowing)


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
    sizes: NetworkConfig, training_set: TrainingSet, *, checkpoint: Path | None, what: str, console: Console
) -> TrainedModel:
    """Train a network and what it reads with, stopping early by the validation loss."""
    untrained = _untrained(sizes, training_set)
    history = learn(untrained.network, untrained, training_set, TrainingSession(checkpoint, what, console))
    return replace(untrained, history=history)


def predict_taught(model: TrainedModel, texts: Sequence[str], benign: Sequence[bool]) -> Floats:
    """Compute a network's own logits of as much of texts as it learns from, shape (n, classes)."""
    rows = [np.asarray(ids, dtype=np.int64) for ids in beginnings(model.tokenizer, _taught(model), texts)]
    return predict_rows(model.network, rows, WindowCutter(model.windowing, tuple(benign)))


def _untrained(sizes: NetworkConfig, training_set: TrainingSet) -> TrainedModel:
    """Make the network, and train its tokenizer where it has one."""
    examples, classes, seed = training_set.examples, len(training_set.benign), training_set.config.seed
    windowing = Windowing(sizes.positions, overlap=sizes.positions // 4)
    if isinstance(sizes, NgramConfig):
        # Short windows: in a long one a sum over n-grams lets benign text drown an attack (docs/log.md).
        windowing = Windowing(sizes.positions, overlap=3 * sizes.positions // 8, limit=BYTE_WINDOWS)
        return TrainedModel(new_ngram_network(sizes, classes, seed=seed), None, windowing, History())
    own = [text for text, kind in zip(examples.texts, examples.kinds, strict=True) if kind is not None]
    tokenizer = train_bpe(own or examples.texts, vocabulary=sizes.vocabulary)
    sizes = replace(sizes, vocabulary=tokenizer.get_vocab_size())
    if sizes.ngrams is None:
        spelled = None
    else:
        spelled, windowing = TokenBytes.of_tokenizer(tokenizer), replace(windowing, limit=HYBRID_WINDOWS)
    network = new_encoder(sizes, classes, seed=seed, token_bytes=spelled)
    return TrainedModel(network, tokenizer, windowing, History())


def learn(network: Trainable, reader: TrainedModel, training_set: TrainingSet, session: TrainingSession) -> History:
    """Train `network` in place on the training set, whose texts are read as `reader` reads them."""
    examples, config = training_set.examples, training_set.config
    longest = _taught(reader)
    encoder = partial(beginnings, reader.tokenizer, longest)
    rows = rows_of(encoder, examples)
    known = [(ids, target) for ids, target in zip(rows.ids, rows.targets, strict=True) if target >= 0]
    benign = [ids for ids, target in known if training_set.benign[target]]
    surround, split = carriers(benign, config.carriers, longest), None
    if reader.tokenizer is not None:
        split = token_splitter(reader.tokenizer, config.split_tokens, longest)
    task = TrainingTask(
        rows,
        rows_of(encoder, training_set.validation),
        config,
        perturb=lambda ids, random: surround(ids if split is None else split(ids, random), random),
        cutter=WindowCutter(reader.windowing, tuple(training_set.benign)),
    )
    return train_with_progress(network, task, session)


def train_with_progress(network: Trainable, task: TrainingTask, session: TrainingSession) -> History:
    """Run `training.train` and show its progress on the console."""
    rows, config, what, console = task.rows, task.config, session.what, session.console
    total = round(float(repeats_of(rows).sum()))

    def say(history: History) -> None:
        console.say(
            f"{what}: epoch {len(history.losses)}/{config.epochs}, loss {history.losses[-1]:.4f}, "
            f"validation {history.validation_losses[-1]:.4f}, accuracy {history.validation_accuracy[-1]:.4f}"
        )

    with console.progress(what, total * config.epochs) as advance:
        history = train(network, task, checkpoint=session.checkpoint, advance=advance, on_epoch=say)
    for sentence in history.sentences():
        console.say(f"{what}: {sentence}")
    if history.resumed_at:
        console.say(f"{what}: resumed after epoch {history.resumed_at} of an earlier run that was cut off")
    return history


def _taught(model: TrainedModel) -> int:
    """Count the tokens or bytes of a row at most, its marker included.

    An encoder alone learns from one window, which benign surroundings fill.
    """
    if model.tokenizer is None:
        return 1 + TAUGHT_BYTES
    return model.windowing.size if model.network.ngrams is None else 1 + TAUGHT_TOKENS


def beginnings(tokenizer: tokenizers.Tokenizer | None, longest: int, texts: Sequence[str]) -> list[list[int]]:
    """Return what a network is trained on: [CLS] and the first tokens of each text, or the marker and first bytes."""
    body = longest - 1
    if tokenizer is None:
        return [[BEFORE, *text[:body].encode("utf-8", "surrogatepass")[:body]] for text in texts]
    clipped = [text[: TOKEN_CHARACTERS * body] for text in texts]
    return [[CLS, *tokens[:body]] for tokens in encode(tokenizer, clipped)]


def rows_of(encoder: Callable[[Sequence[str]], list[list[int]]], examples: Examples) -> Rows:
    """Encode examples as rows for the loop."""
    ids: Ids = [np.asarray(i, dtype=np.int64) for i in encoder(examples.texts)]
    return Rows(ids, examples.targets, examples.soft, examples.kinds, examples.weights)
