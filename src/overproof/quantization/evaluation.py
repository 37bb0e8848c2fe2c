"""Judge quantized models against the float model, on events held back for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pyarrow as pa

from overproof.bundle.scores import Floats, attack_of, softmax
from overproof.errors import InputError
from overproof.events.families import families_of
from overproof.quantization.models.interface import QuantizableModel
from overproof.results.divergence import Changes, Divergence, changes, judge, truth


class EvaluationSet:
    """Events on which quantized models are judged against the float model.

    Parameters
    ----------
    threshold
        The operating threshold; found on these events if it is not given.

    Raises
    ------
    InputError
        No events, or the float model's own output is not finite on them.
    """

    def __init__(self, quantizable: QuantizableModel, events: pa.Table, *, threshold: float | None = None) -> None:
        if not events.num_rows:
            raise InputError(f"{quantizable.name}: no events to judge it on, expected at least one")
        self.quantizable = quantizable
        self.events = events
        self.prepared = quantizable.prepare(events)
        self.before = quantizable.logits(quantizable.model, self.prepared)
        if not np.isfinite(self.before).all():
            raise InputError(f"{quantizable.name}: its own output holds inf or NaN on the events given")
        labels = events["label"].to_pylist()
        self.benign = [label is not None and label in quantizable.benign for label in labels]
        known = truth(self.before, quantizable.classes, quantizable.benign, labels, families_of(events))
        self.truth = known if threshold is None else replace(known, threshold=threshold)

    def subsample(self, limit: int, *, seed: int = 0) -> EvaluationSet:
        """Draw at most that many of the events, as many of each family as long as it has any: rare ones are complete.

        The threshold is that of all events.
        """
        if self.events.num_rows <= limit:
            return self
        names = np.array([name or "" for name in families_of(self.events)])
        order = np.random.default_rng(seed).permutation(len(names))
        rank = np.empty(len(names), dtype=np.int64)
        for name in np.unique(names):
            same = order[names[order] == name]
            rank[same] = np.arange(len(same))
        chosen = order[np.argsort(rank[order], kind="stable")[:limit]]
        return self.at_its_threshold(self.events.take(np.sort(chosen)))

    def at_its_threshold(self, events: pa.Table) -> EvaluationSet:
        """Return other events, to be judged at the operating threshold of these."""
        return EvaluationSet(self.quantizable, events, threshold=self.truth.threshold)

    @property
    def families(self) -> list[str]:
        """Families with at least one attack among the events."""
        return sorted({name for name in self.truth.families if name is not None})

    def attack(self, model: onnx.ModelProto) -> Floats:
        """Compute the model's attack probability of each event."""
        return attack_of(softmax(self._logits(model)), self.truth.benign)

    def judge(self, model: onnx.ModelProto) -> Divergence:
        """Measure what the model changed."""
        return judge(self.before, self._logits(model), self.truth)

    def judge_each(self, model: onnx.ModelProto) -> tuple[Divergence, Changes]:
        """Measure what the model changed, and of which events."""
        after = self._logits(model)
        return judge(self.before, after, self.truth), changes(self.before, after, self.truth)

    def judge_none(self) -> tuple[Divergence, Changes]:
        """Return what `judge_each` would, had there been no events."""
        nothing, known = self.before[:0], replace(self.truth, families=[])
        return judge(nothing, nothing, known), changes(nothing, nothing, known)

    def _logits(self, model: onnx.ModelProto) -> Floats:
        """Run a quantized model; InputError if what it says is no number."""
        logits = self.quantizable.logits(model, self.prepared)
        if not np.isfinite(logits).all():
            raise InputError(
                f"{self.quantizable.name}: once quantized, its output holds inf or NaN on the events given"
            )
        return logits
