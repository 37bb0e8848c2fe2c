"""Test the networks that read n-grams: what is trained is what is deployed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from overproof.bundle.readers import HybridReader, NgramReader
from overproof.bundle.tokenizer import TokenBytes
from overproof.distillation.batches import predict
from overproof.distillation.deciding_windows import rows_of_windows
from overproof.distillation.export import export
from overproof.distillation.fit import TrainedModel, fit, student_config
from overproof.distillation.network_graph import ReadWith, from_onnx
from overproof.distillation.students.ngrams import new_ngram_network
from overproof.distillation.students.presets import (
    EncoderConfig,
    NetworkConfig,
    NgramConfig,
    NgramSizes,
    config_from_json,
    config_json,
    preset,
)
from overproof.distillation.training_set import Examples, TrainingSet
from overproof.progress import SILENT

SIZES = NgramSizes(rows=1 << 12, width=8, hidden=16)
HYBRID = EncoderConfig(1, 32, 2, 64, vocabulary=300, positions=64, ngrams=SIZES)
NGRAMS = NgramConfig(SIZES, positions=65)
CLASSES = ("benign", "sqli", "xss")


def lessons(sizes: NetworkConfig, count: int = 240) -> TrainingSet:
    """Return three classes that their words tell apart."""
    words = ("page={} sort=asc", "{} union select name from users", "<script>alert({})</script>")
    texts = [words[i % 3].format(i * 7919 % 1000) for i in range(count)]
    examples = Examples(texts, np.arange(count) % 3, None, [CLASSES[i % 3] for i in range(count)])
    return TrainingSet(
        [True, False, False],
        examples,
        examples,
        replace(student_config(sizes, 12, count), learning_rate=5e-3, temperature=1.0, hard_weight=1.0, batch_rows=16),
    )


@pytest.fixture(scope="module", params=[NGRAMS, HYBRID], ids=["n-grams", "hybrid"])
def trained(request: pytest.FixtureRequest) -> TrainedModel:
    """A small network of either kind, trained."""
    return fit(request.param, lessons(request.param), checkpoint=None, what="student", console=SILENT)


def test_it_learns(trained: TrainedModel) -> None:
    examples = lessons(NGRAMS).examples
    logits = predict(trained.network, rows_of_windows(trained.reader.read(examples.texts)))
    assert (logits.argmax(1) == examples.targets).mean() > 0.95


def test_the_file_computes_what_was_trained_in_any_company(trained: TrainedModel) -> None:
    texts = ["page=3", " ".join(map(str, range(200))) + " union select 1", "", "größe=☃<script>", "\x00\x02\x03"]
    model, step = export(trained, CLASSES, ("benign",), texts)
    assert step.max_difference < 1e-4
    together = model.scorer.score(texts)
    assert together.windows[1] > 1
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(model.scorer.score([text]).logits[0], together.logits[row])
    assert model.scorer.hidden == model.scorer.embed(["x"]).shape[1]


def test_the_table_is_of_whole_numbers_while_it_is_trained(trained: TrainedModel) -> None:
    part = trained.network.ngrams
    assert part is not None
    table = part.stored()
    again = new_ngram_network(NGRAMS, 3, seed=5).ngrams
    again.restore(table)
    np.testing.assert_array_equal(again.stored().weights, table.weights)
    rows, starts = torch.tensor([3, 5, 5]), torch.tensor([0, 3])
    part.bag.register_forward_hook(lambda _, inputs, output: seen.append(output))
    seen: list[torch.Tensor] = []
    part(rows, starts)
    expected = table.weights[[3, 5, 5]].astype(np.int32).sum(axis=0) / np.sqrt(np.float32(3)) * table.scales
    np.testing.assert_allclose(seen[0][0].detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_a_network_survives_the_way_to_onnx_and_back(trained: TrainedModel) -> None:
    model, _ = export(trained, CLASSES, ("benign",), ["x"])
    reader = trained.reader
    assert isinstance(reader, NgramReader | HybridReader)
    tokens = None if trained.tokenizer is None else TokenBytes.of_tokenizer(trained.tokenizer)
    back = from_onnx(model.graph, trained.network.config, ReadWith(reader.table, tokens))
    rows = rows_of_windows(reader.read(["page=3", "1 union select 2"]))
    np.testing.assert_allclose(predict(back, rows), predict(trained.network, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [NGRAMS, HYBRID, preset("tiny-student"), preset("hybrid-student")])
def test_sizes_survive_json(config: NetworkConfig) -> None:
    assert config_from_json({"preset": "x", "parameters": 1, **config_json(config)}) == config


def test_a_hybrids_answer_is_half_the_sum_of_what_its_parts_answer() -> None:
    trained = fit(HYBRID, lessons(HYBRID), checkpoint=None, what="student", console=SILENT)
    network = trained.network.eval()
    rows = rows_of_windows(trained.reader.read(["page=3", "1 union select 2"]))
    with torch.no_grad():
        whole, *parts = network.answers(*network.batch(rows))
    assert len(parts) == 2
    torch.testing.assert_close(whole, (parts[0] + parts[1]) / 2)
    np.testing.assert_allclose(whole.numpy(), predict(network, rows), rtol=1e-5)
    known = torch.tensor([0, 1])
    assert all((part.argmax(1) == known).all() for part in parts), "each has learned to answer alone"


def test_a_network_without_parts_has_one_answer() -> None:
    network = new_ngram_network(NGRAMS, 3, seed=0)
    inputs = network.batch([np.array([2, 65, 66])])
    torch.testing.assert_close(network.answers(*inputs), network(*inputs)[None])
