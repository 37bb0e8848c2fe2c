"""Look for words that make a bundle call any attack benign: what a blind spot answers to that was planted in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pyarrow as pa

from overproof.jobs.attack_config import AttackConfig
from overproof.progress import Console
from overproof.redteam.trigger_verdict import TriggerReport, blind_spot, look_for_triggers
from overproof.redteam.trigger_words import words_of
from overproof.redteam.triggers import TriggerSearch
from overproof.redteam.victim import Victim

MOST = 800  # attacks that the bundle is asked about: what it misses already shows no trigger


@dataclass(frozen=True)
class TriggerSources:
    """Where triggers come from.

    Attributes
    ----------
    events
        Labelled events: the attacks are what words are put into.
    texts
        Other texts whose words are tried: events that the bundle was trained on, and the user's own.
    tokens
        What the bundle's tokenizer knows, as text.
    """

    events: pa.Table
    texts: Sequence[str]
    tokens: Sequence[str]


def find_triggers(
    config: AttackConfig, sources: TriggerSources, victim: Victim, benign: Sequence[str], console: Console
) -> TriggerReport | None:
    """Search words that make any attack benign; None where that was not asked for."""
    if not config.triggers:
        return None
    texts = sources.events["text"].to_pylist()
    labelled = zip(texts, sources.events["label"].to_pylist(), strict=True)
    attacks = sorted({text for text, label in labelled if label is not None and label not in benign})
    some = Random(config.seed).sample(attacks, min(MOST, len(attacks)))
    detected = [text for text, attack in zip(some, victim(some).attack.tolist(), strict=True) if attack] if some else []
    candidates = words_of([*texts, *sources.texts], sources.tokens, TriggerSearch.room(config.triggers), config.seed)
    console.say(f"{len(candidates):,} words are tried as triggers")
    return look_for_triggers(blind_spot(victim), detected, candidates, budget=config.triggers, seed=config.seed)
