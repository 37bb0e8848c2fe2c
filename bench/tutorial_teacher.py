"""Train the tutorial's 100M teacher where a GPU is at hand, on what the models of table `waf` learn from.

`python bench/tutorial_teacher.py` takes two minutes on an H200 for each of two protocols. What it leaves in
`out/bench` is small: its figures on http's test payloads, and what it says of every text of table `waf`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import torch
import waf
from students import TUTORIAL_TEACHER, without_a_student

from overproof.bundle.scores import Floats
from overproof.distillation.dataset import DatasetSplits, as_examples
from overproof.distillation.deciding_windows import WindowCutter, predict_rows
from overproof.distillation.fit import TrainedModel, beginnings, fit, student_config
from overproof.distillation.students.presets import ENCODERS
from overproof.distillation.training_set import TrainingSet
from overproof.jobs.config import DataConfig
from overproof.jobs.load import load_dataset
from overproof.progress import terminal

PRESET = waf.TUTORIAL


def trained(splits: DatasetSplits) -> TrainedModel:
    """Train it from nothing on hard labels, and leave it on the GPU."""
    learned, judged_by = (as_examples(part, None, splits.labels) for part in (splits.train, splits.validation))
    benign = [name in splits.benign for name in splits.labels]
    config = student_config(ENCODERS[PRESET], None, len(learned.texts))
    training_set = TrainingSet(benign, learned, judged_by, config)
    model = fit(ENCODERS[PRESET], training_set, checkpoint=None, what=PRESET, console=terminal())
    model.network.to("cuda")
    return model


def query_of(model: TrainedModel, splits: DatasetSplits) -> waf.Query:
    """Make a query of it: whole texts, in as many windows as once deployed."""
    cutter = WindowCutter(model.windowing, tuple(name in splits.benign for name in splits.labels))

    def query(texts: Sequence[str]) -> tuple[Floats, Sequence[str]]:
        rows = [np.asarray(ids) for ids in beginnings(model.tokenizer, 1 + model.windowing.tokens, texts)]
        return predict_rows(model.network, rows, cutter), splits.labels

    return query


def main() -> int:
    """Train both protocols' teachers; the figures are those of the one that was taught every family."""
    if not torch.cuda.is_available():
        print("tutorial_teacher: no GPU is at hand", file=sys.stderr)
        return 2
    run, judged = waf.Run(), waf.Judged()
    run.folder.mkdir(parents=True, exist_ok=True)
    for protocol in waf.PROTOCOLS:
        begin, console = perf_counter(), terminal()
        learned, test = run.events(protocol)
        splits = load_dataset(DataConfig(learned, test), rejects=None, console=console)
        query = query_of(trained(splits), splits)
        answers = waf.answers_file(run, protocol, waf.TUTORIAL, 0)
        answers.unlink(missing_ok=True)  # those of another training
        waf.answered(answers, lambda query=query: query, judged)  # type: ignore[misc]
        if protocol == "known":
            parts = (splits.validation["text"].to_pylist(), splits.test["text"].to_pylist())
            found = without_a_student(splits, splits.labels, *(query(texts)[0] for texts in parts))
            found |= {"gpu": torch.cuda.get_device_name(), "seconds": perf_counter() - begin, "seed": 0}
            TUTORIAL_TEACHER.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
