"""How `bundle/` and `tiered/` were made, from made-up texts alone; `python fuzz/seeds/make.py` makes them anew.

As small as students can be: what is fuzzed is how they are opened.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from overproof.bundle.manifest import FORMAT, Manifest, digest, open_bundle, write_bundle
from overproof.bundle.ood import fit_detector
from overproof.bundle.runtime import Labels, WindowScorer
from overproof.bundle.tiers import open_student
from overproof.distillation.fit import TrainedModel, fit, student_config
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.presets import EncoderConfig, NetworkConfig, NgramConfig, NgramSizes
from overproof.distillation.training_set import Examples, TrainingSet
from overproof.events.schema import event_table
from overproof.inference.cascade.signals import signals
from overproof.jobs.config import CompressConfig, DataConfig
from overproof.jobs.join import join
from overproof.progress import SILENT

HERE = Path(__file__).parent
SIZES = NgramSizes(rows=1 << 9, width=4, hidden=8)
HYBRID = EncoderConfig(1, 16, 2, 32, vocabulary=300, positions=32, ngrams=SIZES)
NGRAMS = NgramConfig(SIZES, positions=33)
CLASSES, BENIGN = ("benign", "sqli", "xss"), ("benign",)
WORDS = ("page={} sort=asc", "{} union select name from users", "<script>alert({})</script>")
TEXTS = [WORDS[i % 3].format(i * 7919 % 1000) for i in range(600)]


def main() -> None:
    """Train both students, write one as a bundle and both as one."""
    small, first = (_bundle(name, _trained(sizes)) for name, sizes in (("bundle", HYBRID), ("first", NGRAMS)))
    student = open_student(open_bundle(small))
    labels = [CLASSES[label] for label in student.score(TEXTS).labels.tolist()]
    shutil.rmtree(HERE / "tiered", ignore_errors=True)
    validation = event_table({"text": TEXTS, "label": labels})
    join(first, small, validation=validation, out=HERE / "tiered", max_lost=0.1, max_flagged=0.1)
    shutil.rmtree(first)


def _trained(sizes: NetworkConfig) -> TrainedModel:
    examples = Examples(TEXTS[:240], np.arange(240) % 3, None, [CLASSES[i % 3] for i in range(240)])
    config = replace(
        student_config(sizes, 12, 240), learning_rate=5e-3, temperature=1.0, hard_weight=1.0, batch_rows=16
    )
    lessons = TrainingSet([True, False, False], examples, examples, config)
    return fit(sizes, lessons, checkpoint=None, what="student", console=SILENT)


def _bundle(name: str, trained: TrainedModel) -> Path:
    files = {"model.onnx": to_onnx(trained.network.eval()).SerializeToString(), **trained.reader.files()}
    scorer = WindowScorer(files["model.onnx"], trained.reader, Labels(CLASSES, BENIGN))
    scores, embeddings = scorer.score_and_embed(TEXTS)
    detector = fit_detector(embeddings[::2], scores.logits[::2].argmax(axis=1).astype(str).tolist())
    files["ood.npz"] = detector.stored()
    manifest = Manifest(
        format=FORMAT,
        overproof="0",
        classes=CLASSES,
        benign=BENIGN,
        windowing=trained.reader.windowing,
        normalization="none",
        thresholds={"0.01": 0.9},
        temperature=2.0,
        hard_weight=0.5,
        seed=0,
        precision="fp32",
        network={"parameters": 1},
        data={},
        teacher={},
        parity=(),
        versions={},
        files={file: digest(content) for file, content in files.items()},
        margin=0.005,
        calibration=1.5,
        config=CompressConfig(DataConfig(("train.csv",), benign=BENIGN)).to_json(),
        signals=signals(scores.logits, 1.5, detector.distance(embeddings), scores.benign),
    )
    shutil.rmtree(HERE / name, ignore_errors=True)
    write_bundle(HERE / name, manifest, files)
    return HERE / name


if __name__ == "__main__":
    main()
