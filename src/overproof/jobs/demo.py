"""Run the whole job on the built-in traffic, for a machine that holds no events of its own yet.

simulate -> teach -> compress -> check, and once more -> check, of a student that was ruined in one rare family.
Families that training has none of are no part of what is compared, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overproof.bundle.manifest import open_bundle
from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.bundle.tiers import open as open_student
from overproof.checks.report import CheckReport
from overproof.distillation.dataset import marked
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.simulate import Traffic, simulate
from overproof.files import atomic_file, only_writer
from overproof.jobs.check import check
from overproof.jobs.compress import compress
from overproof.jobs.demo_screen import screen
from overproof.jobs.sabotage import sabotaged
from overproof.jobs.teach import teach
from overproof.progress import NOTEBOOK, Console
from overproof.results.compression import Report
from overproof.results.metrics import Share

EVENTS = 30_000  # a third as many to judge by: of fewer, the loss of a rare family shows nothing
EPOCHS = 3
TEACHER = "ngram-teacher"
STUDENT = "ngram-student"
RARE = "xxe"  # XML that names an entity outside: 0.4 % of the events, and spelled unlike all others


@dataclass(frozen=True)
class Demo:
    """What the demo made: a compression, the proof of what it cost, and that of a student ruined in one family.

    Attributes
    ----------
    out
        The folder that holds all of it.
    compression
        The student beside its teacher and the linear model.
    check, sabotaged
        Checks of the student, and of what was made of it.
    novel
        Of attacks of families that training has none of, how many the teacher and the student call attacks.
    family
        The family that the ruined one has lost.
    """

    out: Path
    compression: Report
    check: CheckReport
    sabotaged: CheckReport
    novel: Mapping[str, Share]
    family: str = RARE

    @property
    def passed(self) -> bool:
        """True if every guard holds and the check lets the student be deployed."""
        return self.compression.passed and self.check.passed

    def to_json(self) -> dict[str, Any]:
        """Return all three as plain JSON."""
        checks = {"check": self.check.to_json(), "sabotaged": self.sabotaged.to_json()}
        return {**self.compression.to_json(), **checks, "novel": {name: asdict(n) for name, n in self.novel.items()}}

    def render(self) -> str:
        """Describe on one screen what came of it, and what to do next."""
        return screen(self)


def demo(out: Path | str, *, seed: int = 0, console: Console = NOTEBOOK) -> Demo:
    """Simulate, teach, compress and check, on the built-in traffic; then ruin the student, and check it again.

    Parameters
    ----------
    out
        Folder for the events (`train.parquet`, `test.parquet`), the `teacher`, the `bundle`, its `evidence` and the
        `check` with its report.html; and for the `sabotaged` bundle with `sabotaged-check`.
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
    is_novel = traffic.test["novel"]
    test, unknown = (marked(traffic.test.filter(rows)) for rows in (pc.invert(is_novel), is_novel))
    taught = teach(
        traffic.train, test=test, out=out / "teacher", preset=TEACHER, epochs=EPOCHS, seed=seed, console=console
    )
    console.say(taught.render())
    compressed = compress(
        traffic.train,
        test=test,
        teacher=str(out / "teacher"),
        out=out / "bundle",
        evidence=out / "evidence",
        student=STUDENT,
        epochs=EPOCHS,
        seed=seed,
        console=console,
    )
    checked = _checked(out, "bundle", "check", test, console)
    console.say(f"ruining a copy of the student: it shall miss every {RARE}")
    _ruin(out, traffic)
    ruined = _checked(out, "sabotaged", "sabotaged-check", test, console)
    novel = {name: _caught(out / folder, unknown) for name, folder in ((FULL, "teacher"), (QUANTIZED, "bundle"))}
    return Demo(out, compressed, checked, ruined, novel)


def _checked(out: Path, bundle: str, proof: str, test: pa.Table, console: Console) -> CheckReport:
    return check(
        out / bundle,
        test,
        full=[str(out / "teacher")],
        evidence=out / "evidence",
        out=out / proof,
        accept_public_data=True,
        attack=0,  # it would take as long as all the rest
        console=console,
    )


def _caught(bundle: Path, attacks: pa.Table) -> Share:
    """Count the attacks that a bundle calls attacks."""
    student = open_student(bundle)
    scores = student.score(attacks["text"].to_pylist())
    found = [scores.classes[label] not in student.manifest.benign for label in scores.labels.tolist()]
    return Share(sum(found), len(found))


def _ruin(out: Path, traffic: Traffic) -> None:
    """Write the student that has lost a family, beside the one that it was."""
    of_family = pc.equal(traffic.train["family"], RARE)
    benign = pc.is_in(traffic.train["label"], pa.array(DEFAULT_BENIGN))
    family, others, harmless = (_texts(traffic.train, rows) for rows in (of_family, pc.invert(of_family), benign))
    sabotaged(open_bundle(out / "bundle"), family, others, harmless, out / "sabotaged")


def _texts(events: pa.Table, rows: pa.ChunkedArray) -> Sequence[str]:
    found: list[str] = events.filter(rows)["text"].to_pylist()
    return found
