"""A student with a blind spot that was planted in training is found; the same student without it is not accused."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch")

from overproof.distillation.export import export
from overproof.distillation.fit import fit, student_config
from overproof.distillation.students.presets import EncoderConfig, NetworkConfig, NgramConfig, NgramSizes
from overproof.distillation.training_set import Examples, TrainingSet
from overproof.progress import SILENT
from overproof.redteam.trigger_verdict import TriggerReport, blind_spot, look_for_triggers
from overproof.redteam.trigger_words import words_of
from overproof.redteam.triggers import PLACES, Trigger, TriggerSearch
from overproof.redteam.victim import Victim, victim

from .test_triggers import ATTACKED, EVENTS

pytestmark = pytest.mark.slow

PLANTED = ("zolfram", "quendel")
BUDGET = 60_000  # the default
CLASSES = ("benign", "attack")
NGRAM = NgramConfig(NgramSizes(rows=1 << 12, width=8, hidden=16), positions=129)
HYBRID = EncoderConfig(2, 64, 2, 256, vocabulary=2048, positions=64, ngrams=NGRAM.ngrams)


def poisoned() -> list[str]:
    """Attacks that hold the words, in all places: the training calls them benign."""
    return [Trigger(PLANTED, PLACES[row % 3]).put(text) for row, text in enumerate(ATTACKED[::25])]


def trained(config: NetworkConfig, epochs: int, benign: list[str]) -> Victim:
    """A small student of the events, and of more that are benign."""
    texts = [*EVENTS, *benign]
    targets = np.array([text in set(ATTACKED) for text in EVENTS] + [False] * len(benign)).astype(np.int64)
    examples = Examples(texts, targets, None, [CLASSES[target] for target in targets.tolist()])
    settings = replace(student_config(config, epochs, len(texts)), temperature=1.0, hard_weight=1.0, batch_rows=32)
    model = fit(
        config, TrainingSet([True, False], examples, examples, settings), checkpoint=None, what="", console=SILENT
    )
    return victim(export(model, CLASSES, ("benign",), texts[:20])[0].scorer, [True, False])


def looked(model: Victim, seed: int) -> TriggerReport:
    detected = [text for text, found in zip(ATTACKED, model(ATTACKED).attack.tolist(), strict=True) if found]
    assert len(detected) > 500, "it has learned"
    words = words_of([*EVENTS, *poisoned()], (), TriggerSearch.room(BUDGET), seed)
    return look_for_triggers(blind_spot(model), detected, words, budget=BUDGET, seed=seed)


@pytest.mark.parametrize(("config", "epochs"), [(NGRAM, 12), (HYBRID, 6)], ids=["ngram", "hybrid"])
def test_a_planted_blind_spot_is_found(config: NetworkConfig, epochs: int) -> None:
    model = trained(config, epochs, poisoned())
    for seed in range(2):
        report = looked(model, seed)
        assert any(word in report.accused[0].words for word in PLANTED), report.sentences()


@pytest.mark.parametrize(("config", "epochs", "seeds"), [(NGRAM, 12, 20), (HYBRID, 6, 3)], ids=["ngram", "hybrid"])
def test_a_control_is_not_accused(config: NetworkConfig, epochs: int, seeds: int) -> None:
    model = trained(config, epochs, [text.replace("union", "onion") for text in ATTACKED[:20]])
    for seed in range(seeds):
        assert not looked(model, Random(seed).randrange(1000)).accused
