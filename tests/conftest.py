"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from .browser import Browser

if TYPE_CHECKING:
    import onnx
    import tokenizers

    from overproof.bundle.runtime import OnnxScorer
    from overproof.distillation.students.encoder import Encoder

# A shell's background jobs ignore SIGINT, and so would all that the tests start in order to interrupt it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers of pytest-xdist have it, and tables would be as wide as it says whatever a test's own terminal is.
os.environ.pop("COLUMNS", None)

ROOT = Path(__file__).parents[1]

# CI repeats the same examples, so that it fails only for what was changed; on a desk every run tries new ones.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a case of bytes after its argument: what is packed holds the time, and two processes then collect others."""
    return argname if isinstance(val, bytes) else None


# Files that take longest. Were one of them begun last, the other process would wait for it.
LONGEST = (
    "jobs/test_job.py",
    "jobs/test_compress.py",
    "inference/engines/test_ray.py",
    "test_examples.py",
    "test_pages.py",
    "jobs/test_sabotage.py",
    "jobs/test_compress_first.py",
    "distillation/teachers/test_ray.py",
    "redteam/oracle/test_html_edits.py",
    "checks/report/test_browser.py",
    "test_border.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others come as they are collected."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data, in OVERPROOF_DATA or beside the project; a test that needs it is skipped where it is not there."""
    data = Path(os.environ.get("OVERPROOF_DATA") or ROOT.parent / "shared" / "data").resolve()
    if not data.is_dir():
        pytest.skip(f"the real data is not on this machine: {data} (setting: OVERPROOF_DATA)")
    return data


@dataclass(frozen=True)
class Made:
    """A network, what it was exported to, and a tokenizer that fits it."""

    network: Encoder
    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    tokenizer: tokenizers.Tokenizer


@pytest.fixture(scope="session")
def made() -> Made:
    """Two layers of 32, three classes, untrained: enough for what does not hang on learning.

    Its logits are spread out, so that verdicts differ.
    """
    import numpy as np

    from overproof.bundle.tokenizer import train_bpe
    from overproof.distillation.network_graph import to_onnx
    from overproof.distillation.students.encoder import Encoder
    from overproof.distillation.students.presets import EncoderConfig
    from overproof.quantization.rewrite import quantize_model

    tokenizer = train_bpe(["select * from users", "<script>alert(1)</script>", "GET /index.html"] * 4, vocabulary=300)
    config = EncoderConfig(2, 32, 2, 64, vocabulary=tokenizer.get_vocab_size(), positions=32)
    network = Encoder(config, 3).initialize(0).eval()
    network.tokens.weight.data.mul_(30)
    network.positions.data.mul_(10)
    fp32 = to_onnx(network)
    random = np.random.default_rng(0)
    feeds = [{"input_ids": random.integers(2, config.vocabulary, (16, n))} for n in (4, 12, 32)]
    return Made(network, fp32, quantize_model(fp32, feeds), tokenizer)


@pytest.fixture(scope="session")
def made_first(made: Made) -> Made:
    """A network much like that one, as a student is that learned from the same teacher: most verdicts are the same."""
    import copy

    import numpy as np
    import torch

    from overproof.distillation.network_graph import to_onnx
    from overproof.quantization.rewrite import quantize_model

    network, drawn = copy.deepcopy(made.network), torch.Generator().manual_seed(1)
    weight = network.head.weight.data
    weight.add_(0.15 * weight.std() * torch.randn(weight.shape, generator=drawn))
    fp32 = to_onnx(network)
    random = np.random.default_rng(0)
    feeds = [{"input_ids": random.integers(2, made.network.config.vocabulary, (16, n))} for n in (4, 12, 32)]
    return Made(network, fp32, quantize_model(fp32, feeds), made.tokenizer)


def write_small(out: Path, made: Made, *, precision: str = "int8", calibration: float = 1.5) -> Path:
    """Write that network as a bundle; untrained, so that what it says is arbitrary, and the same for everybody."""
    from overproof.bundle.manifest import FORMAT, Manifest, digest, write_bundle
    from overproof.bundle.ood import fit_detector
    from overproof.bundle.readers import TokenReader
    from overproof.bundle.runtime import Labels, WindowScorer
    from overproof.bundle.tokenizer import Windowing
    from overproof.inference.cascade.signals import signals

    model = made.int8 if precision == "int8" else made.fp32
    files = {"model.onnx": model.SerializeToString(), "tokenizer.json": made.tokenizer.to_str().encode()}
    classes, benign, windowing = ("benign", "sqli", "xss"), ("benign",), Windowing(size=16, overlap=4, limit=3)
    scorer = WindowScorer(files["model.onnx"], TokenReader(made.tokenizer, windowing), Labels(classes, benign))
    texts = [f"id={i} select {'x' * (i % 37)}" for i in range(1000)]
    validation, embeddings = scorer.score_and_embed(texts)
    detector = fit_detector(embeddings[::2], validation.logits[::2].argmax(axis=1).astype(str).tolist())
    files["ood.npz"] = detector.stored()
    manifest = Manifest(
        format=FORMAT,
        overproof="0",
        classes=classes,
        benign=benign,
        windowing=windowing,
        normalization="none",
        thresholds={},
        temperature=2.0,
        hard_weight=0.5,
        seed=0,
        precision=precision,
        network={"parameters": 1},
        data={},
        teacher={},
        parity=(),
        versions={},
        files={name: digest(content) for name, content in files.items()},
        calibration=calibration,
        signals=signals(validation.logits, calibration, detector.distance(embeddings), validation.benign),
    )
    write_bundle(out, manifest, files)
    return out


@pytest.fixture(scope="session")
def small_bundle(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of that network, in INT8."""
    return write_small(tmp_path_factory.mktemp("small") / "bundle", made)


@pytest.fixture(scope="session")
def first_bundle(made_first: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the other network, in INT8."""
    return write_small(tmp_path_factory.mktemp("first") / "bundle", made_first, calibration=2.0)


@pytest.fixture(scope="session")
def tiered_bundle(first_bundle: Path, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of both students; events are what the second says that they are."""
    import numpy as np

    from overproof.bundle.tiers import open as open_student
    from overproof.events.schema import event_table
    from overproof.jobs.join import join

    letters = np.array(list("ABCDEFGHIJ "))
    random = np.random.default_rng(3)
    texts = ["".join(random.choice(letters, int(random.integers(6, 24)))) for _ in range(2000)]
    second = open_student(small_bundle)
    labels = np.array(second.classes)[second.score(texts).labels]
    out = tmp_path_factory.mktemp("tiered") / "bundle"
    validation = event_table({"text": texts, "label": labels.tolist()})
    join(first_bundle, small_bundle, validation=validation, out=out, max_lost=0.02, max_flagged=0.02)
    return out


@pytest.fixture(scope="session")
def student(small_bundle: Path) -> OnnxScorer:
    """That bundle, opened."""
    from overproof.bundle.manifest import open_bundle
    from overproof.bundle.runtime import OnnxScorer

    return OnnxScorer(open_bundle(small_bundle))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium; tests that need it are skipped where it is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
