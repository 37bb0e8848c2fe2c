"""Ask the student of a check where it places some of the events: `checks.embedding_map` maps them."""

from __future__ import annotations

from overproof.checks.base import CheckContext
from overproof.checks.embedded import Embedded
from overproof.checks.embedding_map import drawn
from overproof.jobs.model_outputs import ModelQueries
from overproof.results.typed_json import NotMeasured

NO_EMBEDDING = "the bundle's model gives no embedding: it was written before models did; compress it again"


def embed_events(context: CheckContext, models: ModelQueries) -> Embedded | NotMeasured:
    """Embed the events that are drawn for the map, or say why there is none."""
    if models.embed is None:
        return NotMeasured(NO_EMBEDDING)
    rows = drawn(context)
    if isinstance(rows, NotMeasured):
        return rows
    return Embedded(rows, models.embed([context.sample.texts[row] for row in rows.tolist()]), models.note)
