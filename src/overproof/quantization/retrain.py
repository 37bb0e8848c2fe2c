"""Prepare what `quantize --qat` trains: a bundle's network, under a teacher or under its own float self."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from overproof.bundle.manifest import Bundle
from overproof.bundle.readers import HybridReader, NgramReader, TokenReader, reader_of
from overproof.bundle.scores import Floats
from overproof.bundle.tokenizer import TokenBytes
from overproof.distillation.checkpoint import History
from overproof.distillation.dataset import as_examples
from overproof.distillation.fit import TrainedModel, predict_taught, student_config
from overproof.distillation.network_graph import ReadWith, from_onnx
from overproof.distillation.students.presets import config_from_json, transfer_shares
from overproof.distillation.teachers import default_directory, load_teacher
from overproof.distillation.training_set import TrainingSet, joined
from overproof.distillation.transfer import SoftLabelSource, edited_events, query_teacher
from overproof.errors import InputError
from overproof.progress import Console
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.precision_search import Retrain
from overproof.quantization.qat import QatPlan, train_with_rounding

# Taught by itself a model shall stay what it is: true labels and altered texts would lead it away, and a high
# temperature lets every logit count, not the winner alone (Hinton et al. 2015, section 2.1).
ITSELF: dict[str, Any] = {"temperature": 8.0, "hard_weight": 0.0, "split_tokens": 0.0, "carriers": 0.0}


@dataclass(frozen=True)
class RetrainSettings:
    """How a bundle's network is trained with the rounding.

    Attributes
    ----------
    precision
        One of `precisions.TRAINABLE`.
    teacher
        Specifications as on the command line; None lets the float model teach its quantized self.
    checkpoint, cache
        Folders of the run, and of the teacher's outputs; the latter by default in the user's cache folder.
    """

    precision: str
    teacher: Sequence[str] | None
    checkpoint: Path
    cache: Path | None
    seed: int


def retraining(
    quantizable: QuantizableModel,
    train: pa.Table,
    validation: pa.Table,
    settings: RetrainSettings,
    console: Console,
) -> Retrain:
    """Prepare quantization-aware training of a bundle's network on events, as the precision search takes it.

    Raises
    ------
    InputError
        A model that is not one of our bundles, or a teacher that does not know its classes.
    """
    if quantizable.bundle is None:
        raise InputError(f"{quantizable.name}: --qat trains the network itself, expected a bundle that overproof wrote")
    manifest = quantizable.bundle.manifest
    sizes, trained = config_from_json(manifest.network), _trained(quantizable, quantizable.bundle)
    config = replace(
        student_config(sizes, None, train.num_rows),
        temperature=manifest.temperature,
        hard_weight=manifest.hard_weight,
        seed=settings.seed,
    )
    if settings.teacher:
        soft, labels_new_events = _teacher(quantizable, settings.teacher, train, settings.cache, console)
    else:
        config = replace(config, **ITSELF)
        benign = [name in quantizable.benign for name in quantizable.classes]
        soft, labels_new_events = partial(_own_logits, trained, benign), True
    examples = [as_examples(train, soft(train), quantizable.classes)]
    if labels_new_events:
        edited = edited_events(train, per_event=transfer_shares(sizes).transfer, seed=settings.seed)
        examples.append(as_examples(edited, soft(edited), quantizable.classes))
    judged = as_examples(validation, soft(validation), quantizable.classes)
    training_set = TrainingSet(
        [name in quantizable.benign for name in quantizable.classes], joined(examples), judged, config
    )
    plan = QatPlan(settings.precision, trained, training_set, settings.checkpoint, console)
    return partial(train_with_rounding, plan=plan)


def _trained(quantizable: QuantizableModel, bundle: Bundle) -> TrainedModel:
    """Read a bundle's network back, with what it reads text with."""
    reader = reader_of(bundle.files, bundle.manifest.windowing, str(bundle.path))
    tokenizer = reader.tokenizer if isinstance(reader, TokenReader | HybridReader) else None
    table = reader.table if isinstance(reader, NgramReader | HybridReader) else None
    read_with = ReadWith(table, None if tokenizer is None else TokenBytes.of_tokenizer(tokenizer))
    network = from_onnx(quantizable.model, config_from_json(bundle.manifest.network), read_with)
    return TrainedModel(network, tokenizer, bundle.manifest.windowing, History())


def _teacher(
    quantizable: QuantizableModel, specs: Sequence[str], train: pa.Table, cache: Path | None, console: Console
) -> tuple[Callable[[pa.Table], Floats], bool]:
    """Return what gives a teacher's logits on events, and whether it can label new ones."""
    opened = load_teacher(specs, classes=quantizable.classes, columns=train.column_names)
    unknown = set(opened.classes) - set(quantizable.classes)
    if unknown:
        raise InputError(f"the teacher knows classes that {quantizable.name} lacks: {', '.join(sorted(unknown))}")
    place = cache or default_directory()
    query = partial(query_teacher, SoftLabelSource(opened, quantizable.classes, place, console), what="events")
    return query, opened.labels_new_events


def _own_logits(trained: TrainedModel, benign: Sequence[bool], events: pa.Table) -> Floats:
    """Compute the float network's own logits of what it is taught of events."""
    return predict_taught(trained, events["text"].to_pylist(), benign)
