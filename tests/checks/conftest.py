"""Made-up scores of a full model, its students and a baseline, whose mistakes are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overproof.checks.base import (
    BASELINE,
    CONTROL,
    DISTILLED,
    FULL,
    QUANTIZED,
    CheckContext,
    ModelOutputs,
    Sample,
    Training,
)
from overproof.checks.gates import gates_with

CLASSES = ("benign", "sqli", "ssti", "xss")
COUNTS = {"benign": 2000, "sqli": 1500, "xss": 900, "ssti": 100}

Make = Callable[..., CheckContext]


def sample_of(labels: list[str | None], start: int = 0, **fields: list[object]) -> Sample:
    """Events with those labels; texts that differ by more than digits, so that no two share a template."""
    letters = "abcdefghij"
    names = ["".join(letters[int(d)] for d in f"{start + i:06d}") for i in range(len(labels))]
    return Sample(
        texts=[f"{label or 'unknown'} {name}" for label, name in zip(labels, names, strict=True)],
        origins=[f"events.csv:{i + 2}" for i in range(len(labels))],
        labels=labels,
        families=[None] * len(labels),
        groups=[None] * len(labels),
        times=[None] * len(labels),
        fields=fields,
    )


def logits_for(targets: np.ndarray, message: np.ndarray, sharpness: np.ndarray) -> np.ndarray:
    """Logits whose largest is that of `said`, more so the greater the sharpness; the true class comes second."""
    z = np.zeros((len(targets), len(CLASSES)), dtype=np.float32)
    rows = np.arange(len(targets))
    z[rows, targets] += 0.5 * sharpness
    z[rows, message] += np.where(message == targets, 0.5, 1.0) * sharpness
    return z


@pytest.fixture(scope="session")
def make() -> Make:
    """Build an `CheckContext`.

    `wrong` says for each model which share of each family it gets wrong (`"*"`: of all others); the errors of
    students contain those of the full model, so that pairs differ only where they are told to. A wrong event is
    called benign if it is an attack, and sqli if it is benign. `without` leaves models out.
    """

    def build(
        wrong: Mapping[str, Mapping[str, float]] | None = None,
        *,
        counts: Mapping[str, int] | None = None,
        without: tuple[str, ...] = (),
        training: bool = True,
        seed: int = 0,
        **changed: Any,
    ) -> CheckContext:
        random = np.random.default_rng(seed)
        labels = [name for name, n in (counts or COUNTS).items() for _ in range(n)]
        place = {name: i for i, name in enumerate(CLASSES)}
        wrong = wrong or {}
        base = random.random(len(labels))  # one draw for all models: a lower rate errs on a part of the same events
        # what an event is like to any model; errors are unsure events, so that confidence tells something
        ease = random.gamma(4.0, 1.5, len(labels)).astype(np.float32) + 1

        def scored(name: str, labels: list[str], base: np.ndarray, ease: np.ndarray) -> ModelOutputs:
            rates = {"*": 0.005, **wrong.get(FULL, {}), **wrong.get(name, {})}
            targets = np.array([place[label] for label in labels])
            errs = base < np.array([rates.get(label, rates["*"]) for label in labels])
            mistaken = np.where(targets == 0, 1, 0)
            noise = np.random.default_rng([seed, len(name)]).normal(0, 0.02, (len(labels), len(CLASSES)))
            z = logits_for(targets, np.where(errs, mistaken, targets), np.where(errs, 0.3 * ease, ease))
            return ModelOutputs((z + noise).astype(np.float32), temperature=1.0)

        sample = sample_of(labels, source=["proxy" if i % 3 else "gateway" for i in range(len(labels))])
        models = {
            name: scored(name, labels, base, ease)
            for name in (FULL, DISTILLED, QUANTIZED, CONTROL, BASELINE)
            if name not in without
        }
        known = None
        if training:
            few = [name for name, n in (counts or COUNTS).items() for _ in range(max(1, n // 5))]
            many = [name for name, n in (counts or COUNTS).items() for _ in range(n)]
            known = Training(
                sample_of(many, 100_000, source=["proxy" if i % 3 else "gateway" for i in range(len(many))]),
                sample_of(few, 300_000, source=["proxy" if i % 3 else "gateway" for i in range(len(few))]),
            )
            draws, eases = random.random(len(few)), random.gamma(4.0, 1.5, len(few)).astype(np.float32) + 1
            models = {n: replace(m, validation=scored(n, few, draws, eases).logits) for n, m in models.items()}
        made = CheckContext(
            sample=sample,
            classes=CLASSES,
            benign=("benign",),
            models=models,
            gates=gates_with(0.005),
            margin=0.005,
            absent={name: f"no {name} was given" for name in without},
            training=known,
            same_teacher=None if FULL in without else True,
        )
        return replace(made, **changed)

    return build


@pytest.fixture(scope="session")
def healthy(make: Make) -> CheckContext:
    """A student that errs as its teacher does."""
    return make()
