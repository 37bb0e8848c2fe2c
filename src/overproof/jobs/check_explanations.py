"""Explain alerts of a check, and ask the models about them without what explains them: `checks.explanation` counts.

The spans are found by the student; where they are taken out, and where a random place is, all models that can be asked
say what is left.
"""

from __future__ import annotations

import numpy as np

from overproof.bundle.manifest import Bundle
from overproof.bundle.scores import Scorer
from overproof.bundle.tiers import open_student
from overproof.checks.base import FULL, QUANTIZED, CheckContext
from overproof.checks.explained import Explained
from overproof.inference.explanation import Span, explain
from overproof.inference.explanation.explain import without
from overproof.jobs.model_outputs import ModelQueries, texts_table
from overproof.progress import Console

EXPLAINED = 300  # alerts
WAVE = 20  # that are explained together, between two lines of progress


def explain_alerts(context: CheckContext, models: ModelQueries, bundle: Bundle, console: Console) -> Explained:
    """Explain some of the events that the student flags, drawn by the check's seed; no label is needed."""
    random = np.random.default_rng(context.seed)
    flagged = np.flatnonzero(context.detected(QUANTIZED))
    rows = random.permutation(flagged)[:EXPLAINED]
    texts = [context.sample.texts[row] for row in rows]
    spans = _explained(open_student(bundle), texts, console) if texts else ()
    compared = [place for place, some in enumerate(spans) if some and some[0].end - some[0].start < len(texts[place])]
    first = {place: spans[place][0] for place in compared}
    named = [without(texts[place], [span.place]) for place, span in first.items()]
    others = [without(texts[place], [elsewhere(span, len(texts[place]), random)]) for place, span in first.items()]
    asked = {
        name: models.queries[name]
        for name in (QUANTIZED, FULL)
        if compared and name in models.queries and name not in models.fixed
    }
    what = "alerts without a span"
    return Explained(
        flagged=len(flagged),
        rows=rows,
        spans=spans,
        compared=np.array(compared, dtype=np.intp),
        named={name: query(texts_table(named), what) for name, query in asked.items()},
        random={name: query(texts_table(others), what) for name, query in asked.items()},
    )


def elsewhere(span: Span, length: int, random: np.random.Generator) -> tuple[int, int]:
    """Draw another place of a span's length in a text of that length, all with equal probability."""
    size = span.end - span.start
    start = int(random.integers(length - size))
    start += start >= span.start
    return start, start + size


def _explained(student: Scorer, texts: list[str], console: Console) -> tuple[tuple[Span, ...], ...]:
    found: list[tuple[Span, ...]] = []
    with console.progress("explanations", len(texts)) as advance:
        for start in range(0, len(texts), WAVE):
            found += explain(student, texts[start : start + WAVE])
            advance(len(found) - start)
    return tuple(found)
