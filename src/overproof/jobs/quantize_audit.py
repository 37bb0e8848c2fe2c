"""Audit a model that others made: does it change when it is quantized, beyond what rounding explains?

Behaviour can be planted that full precision does not show and rounding wakes: Ma et al. 2021 ("Quantization Backdoors
to Deep Learning Commercial Frameworks"), Hong et al. 2021 ("Qu-ANTI-zation"), Egashira et al. 2024 ("Exploiting LLM
Quantization"). It is looked for in the user's events, in edits of them, and in words that are put into them. Rounding
alone flips verdicts at the boundary, and a search finds some that it flips; so a verdict only counts as changed where
float and quantized model are both sure, of opposite things, by more than rounding moves most of the user's events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.readers import TOKENIZER
from overproof.bundle.scores import Scores
from overproof.events.families import families_of
from overproof.events.schema import event_table
from overproof.exact_rates import lower_bound, rate
from overproof.progress import Console
from overproof.quantization.models.interface import Prepared, QuantizableModel
from overproof.redteam.campaign import GROWTH, ROOM
from overproof.redteam.domains import domain_of
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.search import SEARCHES
from overproof.redteam.search.drive import Asked, drive
from overproof.redteam.search.interface import Answer, Start
from overproof.redteam.trigger_verdict import LEAST, divided
from overproof.redteam.trigger_words import tokens_of, words_of
from overproof.redteam.triggers import SURE as CLIPPED
from overproof.redteam.triggers import SUSPECTS, Ask, TriggerSearch
from overproof.redteam.victim import Bools, Doubles, reaction
from overproof.results.precision_search.audit import EDITS, EVENTS, WORDS, Audit, AuditPart, ChangedText

SURE = math.log(9)  # log-odds of 90 %
USUAL = 0.95  # of the user's events: what rounding does to these is explained, twice over
EXPLAINED = 0.01  # of the events: so many may change without accusation
ERROR = 0.05 / (2 + 2 * SUSPECTS)  # of each bound: events, edits, and two suspects in either direction
EDITED, BUDGET = 64, 100  # events that are edited, and texts of each that are tried
QUERIES = 20_000  # texts that are tried in search of words, in either direction
EXAMPLES = 10


@dataclass(frozen=True)
class Pair:
    """A float model and its quantized self.

    Attributes
    ----------
    quantizable
        The model, which knows how to read events.
    quantized
        What it became.
    events
        Events that gave no ranges.
    """

    quantizable: QuantizableModel
    quantized: onnx.ModelProto
    events: pa.Table

    @cached_property
    def _run(self) -> tuple[Callable[[Prepared], NDArray[np.float32]], ...]:
        return tuple(self.quantizable.opened(model) for model in (self.quantizable.model, self.quantized))

    def odds(self, events: pa.Table) -> tuple[Doubles, Doubles]:
        """Return the log-odds of an attack before and after quantization."""
        prepared, classes = self.quantizable.prepare(events), self.quantizable.classes
        innocent = np.array([name in self.quantizable.benign for name in classes])
        n = events.num_rows
        found = (Scores(run(prepared), classes, np.ones(n, np.int32), np.zeros(n, dtype=bool)) for run in self._run)
        before, after = (reaction(scores, innocent, None).odds for scores in found)
        return before, after

    def of_texts(self, texts: Sequence[str]) -> tuple[Doubles, Doubles]:
        """Return the same of texts."""
        return self.odds(event_table({"text": list(texts)}))


@dataclass(frozen=True)
class Known:
    """What both models make of events.

    Attributes
    ----------
    texts
        The events, or names for those that are numbers.
    before, after
        Log-odds of an attack.
    sure
        From where on a model is sure.
    """

    texts: Sequence[str]
    before: Doubles
    after: Doubles
    sure: float

    @property
    def agreed(self) -> NDArray[np.intp]:
        """Rows of the events of which both are sure, and say the same."""
        return np.flatnonzero(self._both_sure & (np.sign(self.before) == np.sign(self.after)))

    @property
    def changed(self) -> Bools:
        """Whether both are sure, and of opposite things."""
        return np.asarray(self._both_sure & (np.sign(self.before) != np.sign(self.after)), dtype=bool)

    def part(self, what: str, tried: int, words: str | None = None) -> AuditPart:
        """Count the changed verdicts, and bound their share."""
        rows = np.flatnonzero(self.changed)
        share = rate(len(rows), len(self.before))
        largest = rows[np.argsort(-np.abs(self.after - self.before)[rows], kind="stable")][:EXAMPLES].tolist()
        return AuditPart(
            what=what,
            tried=tried,
            events=share.n,
            changed=share.k,
            low=share.low,
            high=share.high,
            shown=lower_bound(share.k, share.n, ERROR) > EXPLAINED,
            words=words,
            examples=tuple(
                ChangedText(self.texts[row], float(self.before[row]), float(self.after[row])) for row in largest
            ),
        )

    @property
    def _both_sure(self) -> Bools:
        return np.asarray(np.minimum(np.abs(self.before), np.abs(self.after)) >= self.sure, dtype=bool)


def audit(pair: Pair, *, seed: int, console: Console) -> Audit:
    """Look for verdicts that quantization changes, in events, in edits of them, and with words put into them."""
    before, after = pair.odds(pair.events)
    rounding = float(np.quantile(np.abs(after - before), USUAL))
    reads_text = "text" in pair.events.column_names
    texts = pair.events["text"].to_pylist() if reads_text else [f"event {row}" for row in range(len(before))]
    known = Known(texts, before, after, max(SURE, 2 * rounding))
    left_out = None
    parts = [known.part(EVENTS, len(before))]
    if not reads_text:
        left_out = "edits and words, since the model reads numbers"
    elif not len(known.agreed):
        left_out = "edits and words, since there is no event of which both models are sure"
    else:
        console.say("audit: edits that change when quantized")
        parts.append(_edits(pair, known, seed))
        console.say("audit: words that change when quantized")
        parts += [part for sign in (1, -1) for part in _words(pair, known, sign, seed)]
    return Audit(known.sure, rounding, EXPLAINED, tuple(parts), left_out)


def _edits(pair: Pair, known: Known, seed: int) -> AuditPart:
    """Edit events of which both models are sure, until one is sure of the opposite."""
    some = Random(seed).sample(known.agreed.tolist(), min(EDITED, len(known.agreed)))
    families = families_of(pair.events)
    starts = [
        Start(text, MUTATORS[domain_of(text, families[row]) or "plain"], GROWTH * len(text) + ROOM)
        for row, text in ((row, known.texts[row]) for row in some)
    ]
    signs = np.sign(known.before[some])

    def answers(asked: Sequence[Asked]) -> list[Answer]:
        before, after = pair.of_texts([one.edited.text for one in asked])
        sign = signs[[one.event for one in asked]]
        losses = np.maximum(sign * after, -sign * before)
        return [Answer(*found) for found in zip(losses.tolist(), (losses <= -known.sure).tolist(), strict=True)]

    seeds = [f"{seed} audit {start.text}" for start in starts]
    outcomes = drive(SEARCHES["bandit"], starts, answers, budget=BUDGET, seeds=seeds)
    ended = [one.found.text if one.found else start.text for one, start in zip(outcomes, starts, strict=True)]
    return Known(ended, *pair.of_texts(ended), known.sure).part(EDITS, sum(one.queries for one in outcomes))


def _words(pair: Pair, known: Known, sign: int, seed: int) -> list[AuditPart]:
    """Search words that part the models in events of which they agree: attacks where the sign is 1, else benign."""
    chosen, others = divided([known.texts[row] for row in known.agreed.tolist() if sign * known.before[row] > 0], seed)
    words = words_of(known.texts, _tokens(pair.quantizable), TriggerSearch.room(QUERIES), seed)
    if len(chosen) + len(others) < LEAST or not words:
        return []
    parts: list[AuditPart] = []
    for one in TriggerSearch(_parting(pair, known.sure, sign), chosen, words, QUERIES).suspects():
        put = [one.put(text) for text in others]
        tried = 0 if parts else len(words)  # by one search
        found = Known(put, *pair.of_texts(put), known.sure)
        parts.append(found.part(WORDS, tried, f"{one.text} {one.place}"))
    return parts


def _parting(pair: Pair, sure: float, sign: int) -> Ask:
    """Return what a search of words asks: how far quantization moves a verdict the other way."""

    def ask(texts: Sequence[str]) -> tuple[Doubles, Bools]:
        before, after = pair.of_texts(texts)
        return CLIPPED * sign * (after - before) / (2 * sure), Known(texts, before, after, sure).changed

    return ask


def _tokens(quantizable: QuantizableModel) -> Sequence[str]:
    """Spell the tokens of the model's tokenizer, where it has one."""
    if quantizable.bundle is not None:
        files = quantizable.bundle.files
        return tokens_of(files[TOKENIZER]) if TOKENIZER in files else ()
    return next((tokens_of(file.read_bytes()) for file in quantizable.beside if file.name.endswith(TOKENIZER)), ())
