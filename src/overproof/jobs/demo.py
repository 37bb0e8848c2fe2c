"""Run the whole job on the built-in traffic, for a machine that holds no events of its own yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from overproof.checks.report import CheckReport
from overproof.distillation.dataset import marked
from overproof.distillation.teachers import NGRAM
from overproof.events.simulate import simulate
from overproof.files import atomic_file, only_writer
from overproof.jobs.check import check
from overproof.jobs.compress import compress
from overproof.jobs.compression import Outputs
from overproof.jobs.teach import teach
from overproof.progress import NOTEBOOK, Console
from overproof.results.compression import Report

EVENTS = 8000
TEACHER_EPOCHS = 10
STUDENT = "ngram-student"  # on this traffic better than the linear model, and trained in a minute


@dataclass(frozen=True)
class Demo:
    """What the demo made: a compression, and the proof of what it cost."""

    compression: Report
    check: CheckReport

    @property
    def passed(self) -> bool:
        """True if every guard holds and the check lets the bundle be deployed."""
        return self.compression.passed and self.check.passed

    def to_json(self) -> dict[str, Any]:
        """Return both as plain JSON."""
        return {**self.compression.to_json(), "check": self.check.to_json()}

    def render(self) -> str:
        """Describe both as text."""
        return f"{self.compression.render().rstrip()}\n\n{self.check.render()}"


def demo(out: Path | str, *, seed: int = 0, console: Console = NOTEBOOK) -> Demo:
    """Simulate, teach, compress and check, on the built-in traffic.

    Parameters
    ----------
    out
        Folder for the events (`train.parquet`, `test.parquet`), the `teacher` and the `bundle.ngram-teacher` that is
        averaged with it, the `bundle`, its `evidence` and the `check` with its report.html.
    """
    with only_writer(Path(out)):
        return _demo(Path(out), seed, console)


def _demo(out: Path, seed: int, console: Console) -> Demo:
    out.mkdir(parents=True, exist_ok=True)
    traffic = simulate(EVENTS, seed=seed)
    for name, events in (("train", traffic.train), ("test", traffic.test)):
        with atomic_file(out / f"{name}.parquet") as file:
            pq.write_table(events, file)
    console.say(f"simulated {traffic.train.num_rows:,} events to learn from, {traffic.test.num_rows:,} to test")
    test = marked(traffic.test)
    taught = teach(
        traffic.train,
        test=test,
        out=out / "teacher",
        preset="demo-teacher",
        epochs=TEACHER_EPOCHS,
        seed=seed,
        console=console,
    )
    console.say(taught.render())
    bundle = Outputs(out / "bundle")
    compressed = compress(
        traffic.train,
        test=test,
        teacher=[str(out / "teacher"), NGRAM],
        out=bundle.bundle,
        evidence=out / "evidence",
        student=STUDENT,
        seed=seed,
        console=console,
    )
    checked = check(
        bundle.bundle,
        test,
        full=[str(out / "teacher"), str(bundle.ngram_teacher)],
        evidence=out / "evidence",
        out=out / "check",
        accept_public_data=True,
        attack=0,  # it would take as long as all the rest
        console=console,
    )
    return Demo(compressed, checked)
