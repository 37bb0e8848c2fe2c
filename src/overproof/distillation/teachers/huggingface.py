"""Open a local Hugging Face sequence-classification checkpoint, as a teacher or as a start for fine-tuning.

Nothing is downloaded (`HF_HUB_OFFLINE` is set before transformers is imported) and no pickle is
read: weights must be safetensors.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest_schema import each_name_once
from overproof.bundle.scores import Floats
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable
from overproof.distillation.batches import padded as rows_padded
from overproof.distillation.teachers.checkpoint_size import held, no_larger_than, require_counts
from overproof.distillation.teachers.contract import SINGLE_LABEL, first_line, foreign, require_single_label
from overproof.distillation.teachers.interface import (
    Report,
    TeacherCard,
    by_length,
    fingerprint_files,
    padded,
    texts_of,
)
from overproof.errors import InputError
from overproof.files import atomic_folder, utf8_path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import torch
import transformers
from torch import Tensor

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

FINE_TUNE_TOKENS = 128  # longest input while fine-tuning; p99 of real payloads is 92 tokens
SCORE_TOKENS = 512
BATCH = 64

_OF_LAYER = re.compile(r"\.\d+\..+\.(weight|bias)$")  # `bert.encoder.layer.3.output.dense.weight`

Encode = Callable[[Sequence[str]], list[list[int]]]


class LogitsOfIds(Trainable):
    """A Hugging Face classifier as ids (B, L) -> logits (B, C); the mask is built from the pad id."""

    def __init__(self, model: Any, pad_id: int) -> None:
        super().__init__()
        self.model = model
        self.pad_id = pad_id

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        """Pad rows of token ids, as the training loop asks for it."""
        return (rows_padded(ids, self.pad_id, next(self.parameters()).device),)

    def forward(self, ids: Tensor) -> Tensor:
        """Compute logits (B, C) of padded token ids (B, L), int64."""
        logits: Tensor = self.model(input_ids=ids, attention_mask=(ids != self.pad_id).long()).logits
        return logits


class FineTunable(NamedTuple):
    """What the training loop needs of a checkpoint."""

    network: LogitsOfIds
    encode: Encode
    pad_id: int
    tokenizer: Any


@dataclass(frozen=True)
class HuggingFaceTeacher:
    """A checkpoint whose classification head is trained already."""

    classes: tuple[str, ...]
    card: TeacherCard
    network: LogitsOfIds
    encode: Encode
    labels_new_events: bool = True

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute FP32 logits, in batches of like length; each text is cut at the tokenizer's own limit."""
        with foreign(self.card.name, "its tokenizer cannot read the events"):
            ids = self.encode(texts_of(events))
        out = np.empty((len(ids), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for batch in by_length([len(row) for row in ids], BATCH):
                rows = torch.from_numpy(padded([ids[i] for i in batch], self.network.pad_id))
                # a tokenizer of another model, positions that begin elsewhere, no pad id: known only when it is asked
                with foreign(self.card.name, f"the model cannot judge {rows.shape[1]} tokens of its tokenizer"):
                    out[batch] = self.network(rows).float().numpy()
                if report is not None:
                    report(len(batch))
        return out


def load(path: Path) -> HuggingFaceTeacher:
    """Open a fine-tuned checkpoint as a teacher; its classes are `id2label` of config.json.

    Raises
    ------
    InputError
        No safetensors weights (pickle is refused), no classification head or one of another kind, or unusable files.
    """
    config = _config(path)
    architectures = _architectures(path, config)
    if not any("SequenceClassification" in name for name in architectures):
        raise InputError(
            f"{path}: config.json lists no ...ForSequenceClassification architecture, so it cannot classify yet; "
            f"fine-tune it first: overproof teach EVENTS --from {path} --out DIR"
        )
    require_single_label(config, f"{path}: config.json")
    model, loading = _pretrained(
        transformers.AutoModelForSequenceClassification, path, output_loading_info=True, ignore_mismatched_sizes=True
    )
    _require_weights_fit(path, loading)
    if type(model).__name__ not in architectures:
        raise InputError(
            f"{path}: config.json: architectures is {_short(architectures)}, code that is not run here: transformers "
            f"takes it for {type(model).__name__}; expected an architecture that transformers has"
        )
    tokenizer, pad_id = _tokenizer(path)
    _require_tokens_known(path, tokenizer, model)
    weights = sorted(path.glob("*.safetensors"))
    classes = _classes(path, model.config.id2label)
    _require_one_order(path, classes, config.get("label2id"))
    card = TeacherCard(
        kind="huggingface",
        name=str(path),
        parameters=sum(p.numel() for p in model.parameters()),
        bytes=sum(file.stat().st_size for file in weights),
        runtime=f"torch {torch.__version__}",
        fingerprint=fingerprint_files(*weights, *sorted(path.glob("*.json")), *sorted(path.glob("*.txt"))),
    )
    network = LogitsOfIds(model.eval(), pad_id)
    return HuggingFaceTeacher(classes, card, network, _encoder(tokenizer, _limit(path, tokenizer, model, SCORE_TOKENS)))


def network_and_encoder(path: Path, classes: Sequence[str], *, seed: int = 0) -> FineTunable:
    """Open a checkpoint or a bare encoder for fine-tuning on `classes`.

    A head for other classes, or none, is replaced by a fresh one drawn from `seed`; the global
    random state stays as it was. Texts are cut at 128 tokens, special tokens included.

    Returns
    -------
    FineTunable
        `(network, encode, pad_id, tokenizer)`; `network(ids)` maps (B, L) int64 to (B, C) logits.
    """
    _config(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _for_classes(path, tuple(classes))
    tokenizer, pad_id = _tokenizer(path)
    tokenizer.model_max_length = _limit(path, tokenizer, model, FINE_TUNE_TOKENS)
    encode = _encoder(tokenizer, tokenizer.model_max_length)
    return FineTunable(LogitsOfIds(model, pad_id), encode, pad_id, tokenizer)


def save(network: LogitsOfIds, tokenizer: Any, classes: Sequence[str], out: Path) -> None:
    """Write an ordinary Hugging Face checkpoint (safetensors) that `load` and transformers can open.

    It is written beside `out` and renamed; an existing `out` that holds anything is an InputError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: already exists and is not an empty folder; choose another --out")
    with atomic_folder(out) as aside:
        network.model.config.id2label = dict(enumerate(classes))
        network.model.config.label2id = {name: i for i, name in enumerate(classes)}
        with utf8_path(aside) as name:
            network.model.save_pretrained(name)
            tokenizer.save_pretrained(name)


def _config(path: Path) -> dict[str, Any]:
    """Read config.json, after making sure that the weights are safetensors."""
    if not list(path.glob("*.safetensors")):
        pickles = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.pkl") for p in path.glob(pattern))
        if pickles:
            raise InputError(
                f"{path}: {pickles[0]} is a pickle, and loading one runs whatever code it carries; "
                "expected model.safetensors (save_pretrained of a current transformers writes it)"
            )
        raise InputError(f"{path}: no weights, expected model.safetensors")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"), object_pairs_hook=each_name_once)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path / 'config.json'}: cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path / 'config.json'}: expected a JSON object")
    _require_weights_within(path)
    require_counts(path, config, held(path))
    return config


def _require_weights_within(path: Path) -> None:
    """Refuse an index of weights that leads out of the folder: what decides has to be in it, and in its fingerprint."""
    for index in path.glob("*.safetensors.index.json"):
        try:
            places = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{index}: cannot be read as an index of weights: {first_line(error)}") from None
        if outside := [place for place in places if not isinstance(place, str) or Path(place).name != place]:
            raise InputError(f"{index}: weights are said to be in {_short(outside[0])}, expected a file beside it")


def _architectures(path: Path, config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: config.json: architectures is {_short(names)}, expected a list of names")
    return names


def _require_weights_fit(path: Path, loading: Mapping[str, Any]) -> None:
    """Refuse weights that config.json is not of: transformers makes up what is missing, and leaves out whole layers."""
    if loading["missing_keys"]:
        raise InputError(f"{path}: the weights lack {', '.join(sorted(loading['missing_keys']))[:300]}")
    if loading["mismatched_keys"]:
        name, found, expected = min(loading["mismatched_keys"])
        raise InputError(
            f"{path}: the weights {name} have shape {tuple(found)}, config.json asks for {tuple(expected)}; expected "
            "the config.json that they were saved with, its id2label included"
        )
    if layers := sorted(name for name in loading["unexpected_keys"] if _OF_LAYER.search(name)):
        raise InputError(
            f"{path}: config.json has no place for {len(layers)} weights of layers, the first is {layers[0]}; expected "
            "the config.json that they were saved with"
        )


def _require_tokens_known(path: Path, tokenizer: Any, model: Any) -> None:
    """Refuse a tokenizer with tokens that the model has no embedding for: any event may hold one."""
    last, known = max(tokenizer.get_vocab().values(), default=0), model.get_input_embeddings().weight.shape[0]
    if last >= known:
        raise InputError(
            f"{path}: its tokenizer has tokens up to {last}, the model knows {known}; expected the tokenizer that it "
            "was trained with"
        )


def _classes(path: Path, labels: Any) -> tuple[str, ...]:
    """Read the names of the outputs in their order from `id2label`."""
    if not isinstance(labels, Mapping) or set(labels) != set(range(len(labels))):
        raise InputError(f"{path}: config.json: id2label names {_short(labels)}, expected 0, 1, … each with a name")
    names = [labels[i] for i in range(len(labels))]
    if not all(isinstance(name, str | int) for name in names):
        raise InputError(f"{path}: config.json: id2label is {_short(labels)}, expected a name for each class")
    return tuple(str(name) for name in names)


def _require_one_order(path: Path, classes: Sequence[str], numbers: object) -> None:
    """Refuse a `label2id` that has the same names by other numbers than `id2label`: one of the two is wrong."""
    if not isinstance(numbers, Mapping) or set(numbers) != set(classes) or len(numbers) < len(classes):
        return  # it was never filled in: LABEL_0, LABEL_1; a name that stands twice is refused for that
    if other := [name for i, name in enumerate(classes) if numbers[name] != i]:
        raise InputError(
            f"{path}: config.json: label2id has {other[0]!r} as {_short(numbers[other[0]])}, id2label as "
            f"{classes.index(other[0])}; expected one number for each class"
        )


def _short(value: object) -> str:
    return repr(value)[:100]


def _for_classes(path: Path, classes: tuple[str, ...]) -> Any:
    """Open the checkpoint with its head if that has these classes, else its encoder under a fresh head."""
    config = _pretrained(transformers.AutoConfig, path)
    heads = any("SequenceClassification" in name for name in config.architectures or [])
    single = config.problem_type in (None, SINGLE_LABEL)
    if heads and single and tuple(config.id2label.get(i) for i in range(config.num_labels)) == classes:
        return _pretrained(transformers.AutoModelForSequenceClassification, path)
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: i for i, name in enumerate(classes)}
    config.problem_type = config.problem_type if single else SINGLE_LABEL
    encoder = _pretrained(transformers.AutoModel, path)
    with no_larger_than(held(path), path):
        model = transformers.AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    missing, _ = model.base_model.load_state_dict(encoder.state_dict(), strict=False)
    if missing:  # surplus is a pooler that this kind of classifier does without
        raise InputError(f"{path}: its encoder lacks {', '.join(missing)}")
    return model


def _pretrained(kind: Any, path: Path, **options: Any) -> Any:
    """Call `kind.from_pretrained`, from local safetensors in FP32 only."""
    if kind is not transformers.AutoConfig:
        # On the CPU the fused attention's backward pass is slower than the plain one for rows this short.
        options |= {"use_safetensors": True, "dtype": torch.float32, "attn_implementation": "eager"}
    found = held(path)
    try:
        with utf8_path(path) as name, no_larger_than(found, path):
            return kind.from_pretrained(name, local_files_only=True, trust_remote_code=False, **options)
    except InputError:
        raise
    except Exception as error:  # transformers raises whatever its many parsers raise; all of it is about these files
        raise InputError(f"{path}: transformers cannot open this checkpoint: {first_line(error)}") from error


def _tokenizer(path: Path) -> tuple[Any, int]:
    try:
        with utf8_path(path) as name:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as above
        raise InputError(f"{path}: its tokenizer cannot be opened: {first_line(error)}") from error
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # transformers makes one up without its file
        raise InputError(f"{path}: its tokenizer has no tokens, expected tokenizer.json or the vocabulary beside it")
    if tokenizer.pad_token_id is None:
        raise InputError(f"{path}: its tokenizer has no padding token; set pad_token in tokenizer_config.json")
    return tokenizer, int(tokenizer.pad_token_id)


def _encoder(tokenizer: Any, limit: int) -> Encode:
    def encode(texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = tokenizer(
            list(texts), truncation=True, max_length=limit, padding=False, return_attention_mask=False
        )["input_ids"]
        return ids

    return encode


def _limit(path: Path, tokenizer: Any, model: Any, most: int) -> int:
    """Return how many tokens an event may have, those around it included."""
    positions = getattr(model.config, "max_position_embeddings", None) or most
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2  # their positions start at pad id + 1
    stated = tokenizer.model_max_length
    if not isinstance(stated, int | float) or min(stated, positions) <= tokenizer.num_special_tokens_to_add():
        raise InputError(
            f"{path}: tokenizer_config.json: model_max_length is {stated!r}, of {positions} positions; expected a "
            "number of tokens that leaves room for an event"
        )
    return int(min(most, positions, stated))
