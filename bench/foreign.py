"""Quantize a classifier that overproof did not make: the fine-tuned MiniLM, exported by PyTorch's own exporter."""

from __future__ import annotations

import csv
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

from accuracy import TEACHER
from settings import OUT, TEST, TRAIN

import overproof
from overproof.progress import terminal
from overproof.quantization.guards import Guards

FILE = OUT / "minilm-onnx" / "model.onnx"
EVENTS = OUT / "minilm-events.csv"
ROWS = 3000
SHOWN = 8  # every so many steps of the search
GUARDS = {
    "at most 0.2 % of the labels flip, no ldapi and no format-string lost": (
        "w8a8",
        Guards(max_flips=0.002, max_recall_loss={"ldapi": 0.0, "format-string": 0.0}),
    ),
}


def export() -> None:
    """Write the checkpoint as ONNX by `torch.onnx.export`, opset 17, tokenizer and class names beside it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    FILE.parent.mkdir(parents=True, exist_ok=True)
    model = AutoModelForSequenceClassification.from_pretrained(TEACHER, attn_implementation="eager").eval()
    example = AutoTokenizer.from_pretrained(TEACHER)(["select 1", "a longer one"], padding=True, return_tensors="pt")
    axes = {name: {0: "events", 1: "tokens"} for name in example} | {"logits": {0: "events"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(example.values()),
            str(FILE),
            input_names=list(example),
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copyfile(TEACHER / name, FILE.with_name(name))


def events() -> Path:
    """Write some training rows, every row of the rare families among them."""
    table = overproof.load_events([TRAIN])
    rows = list(zip(*(table[name].to_pylist() for name in ("text", "label", "family")), strict=True))
    common = {name for name in set(table["family"].to_pylist()) if table["family"].to_pylist().count(name) > 100}
    rare = [row for row in rows if row[2] not in common]
    chosen = rare + random.Random(0).sample([row for row in rows if row[2] in common], ROWS - len(rare))
    with EVENTS.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "family"])
        writer.writerows(chosen)
    return EVENTS


def measured(name: str) -> dict[str, Any]:
    """One quantization under one set of guards."""
    if not FILE.exists():
        export()
    precision, guards = GUARDS[name]
    report = overproof.quantize(
        FILE,
        calibrate_on=[str(events())],
        test=[str(TEST)],
        out=OUT / f"minilm-{list(GUARDS).index(name)}",
        precision=precision,
        guards=guards,
        console=terminal(),
    )
    return report.to_json()


def to_markdown(results: dict[str, dict[str, Any]]) -> str:
    """Write some steps of each search, and what was written at its end."""
    parts = []
    for name, result in results.items():
        head = ["layers in float", "labels that flip, held back", "KL, nats", "above its limit"]
        lines = [
            f"{result['precision']}, guards: {name}.",
            "",
            f"| {' | '.join(head)} |",
            "| ---: | ---: | ---: | --- |",
        ]
        for place, step in enumerate(result["path"]):
            if place % SHOWN and place not in (1, 2, len(result["path"]) - 1):
                continue
            found = step["found"]
            above = ", ".join(f["guard"] for f in step["observed"] if not f["measured"] <= f["limit"]) or "none"
            flips = f"{found['flips']} of {found['events']:,} ({found['flips'] / found['events']:.2%})"
            kept = f"{len(step['kept'])} of {len(result['sensitivity'])}"
            lines.append(f"| {kept} | {flips} | {found['kl']:.2e} | {above} |")
        test = result["tested"]
        end = "every guard holds" if result["passed"] else "exit code 1, and the best is set aside in OUT.failed"
        lines += [
            "",
            f"In the end {end}; {result['bytes_before']:,} → {result['bytes_after']:,} bytes, "
            f"{test['flips']} of {test['events']:,} test labels flip.",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
