"""What `quantize --qat` trains: the network of one of our own bundles, under a teacher or under its own float self."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from overproof.bundle.manifest import TOKENIZER
from overproof.bundle.scores import Floats
from overproof.distillation.batches import predict
from overproof.distillation.checkpoint import History
from overproof.distillation.dataset import as_examples
from overproof.distillation.encoder_graph import from_onnx
from overproof.distillation.fit import TrainedModel, first_windows, student_config
from overproof.distillation.students.presets import EncoderConfig
from overproof.distillation.teachers import default_directory, load_teacher
from overproof.distillation.training_set import TrainingSet, joined
from overproof.distillation.transfer import edited_events, query_teacher
from overproof.errors import InputError
from overproof.progress import Console
from overproof.quantization.calibrated_model import Calibrated
from overproof.quantization.qat import train_with_rounding
from overproof.quantization.quantizable_model import QuantizableModel

TRANSFER = 0.5
# Taught by itself a model shall stay what it is: true labels and altered texts would lead it away, and a high
# temperature lets every logit count, not the winner alone (Hinton et al. 2015, section 2.1).
ITSELF: dict[str, Any] = {"temperature": 8.0, "hard_weight": 0.0, "split_tokens": 0.0, "carriers": 0.0}


def retraining(
    subject: QuantizableModel,
    train: pa.Table,
    validation: pa.Table,
    *,
    precision: str,
    teacher: Sequence[str] | None,
    checkpoint: Path,
    cache: Path | None,
    seed: int,
    console: Console,
) -> Callable[[Calibrated], Calibrated]:
    """Quantization-aware training of a bundle's network on events, as `guarded.settled` takes it.

    Parameters
    ----------
    teacher
        Specifications as on the command line; None lets the float model teach its quantized self.

    Raises
    ------
    InputError
        A model that is not one of our bundles, or a teacher that does not know its classes.
    """
    if subject.bundle is None:
        raise InputError(f"{subject.name}: --qat trains the network itself, expected a bundle that overproof wrote")
    manifest = subject.bundle.manifest
    sizes = EncoderConfig(**{f.name: manifest.network[f.name] for f in fields(EncoderConfig)})
    tokenizer = Tokenizer.from_buffer(subject.bundle.files[TOKENIZER])
    fitted = TrainedModel(from_onnx(subject.model, sizes), tokenizer, manifest.windowing, History())
    config = replace(
        student_config(sizes, None), temperature=manifest.temperature, hard_weight=manifest.hard_weight, seed=seed
    )
    if teacher:
        soft, labels_new_events = _teacher(subject, teacher, train, cache, console)
    else:
        config = replace(config, **ITSELF)
        soft, labels_new_events = partial(_own_logits, fitted), True
    examples = [as_examples(train, soft(train), subject.classes)]
    if labels_new_events:
        edited = edited_events(train, per_event=TRANSFER, seed=seed)
        examples.append(as_examples(edited, soft(edited), subject.classes))
    judged = as_examples(validation, soft(validation), subject.classes)
    course = TrainingSet([name in subject.benign for name in subject.classes], joined(examples), judged, config)
    return partial(
        train_with_rounding,
        precision=precision,
        fitted=fitted,
        course=course,
        checkpoint=checkpoint,
        console=console,
    )


def _teacher(
    subject: QuantizableModel, specs: Sequence[str], train: pa.Table, cache: Path | None, console: Console
) -> tuple[Callable[[pa.Table], Floats], bool]:
    """What a teacher says of events, and whether it can be asked about new ones."""
    guide = load_teacher(specs, classes=subject.classes, columns=train.column_names)
    strangers = set(guide.classes) - set(subject.classes)
    if strangers:
        raise InputError(f"the teacher knows classes that {subject.name} lacks: {', '.join(sorted(strangers))}")
    place = cache or default_directory()
    asked = partial(query_teacher, guide, classes=subject.classes, cache=place, what="events", console=console)
    return asked, guide.labels_new_events


def _own_logits(fitted: TrainedModel, events: pa.Table) -> Floats:
    """The float network's own logits of each event's first window, which is what is trained on."""
    windows = first_windows(fitted.tokenizer, fitted.windowing, events["text"].to_pylist())
    return predict(fitted.network, [np.asarray(ids, dtype=np.int64) for ids in windows])
