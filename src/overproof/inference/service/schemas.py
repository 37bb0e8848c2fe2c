"""Define answers as models: they describe them in /openapi.json. What is asked: `questions.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ANSWER: dict[str, Any] = {
    "label": "sqli",
    "attack": 0.9993,
    "confidence": 0.9981,
    "probabilities": {"benign": 0.0007, "sqli": 0.9993},
}
VERDICT: dict[str, Any] = {
    "origin": "request:1",
    "source": "request",
    "time": None,
    "label": "sqli",
    "attack": 0.9993,
    "status": "decided",
    "decided_by": "student",
    "stood_in": False,
    "reason": "confidence 0.997 ≥ 0.934",
    "student": {**ANSWER, "windows": 1, "overflow": False, "ood_distance": 9.871, "tier": None},
    "full": None,
    "models": {"student": "efb8fb39bc16f7ca", "full": None},
}


class Answer(BaseModel):
    """What one model says; null where the student's scores are no numbers, never for the full model."""

    label: str | None
    attack: float | None = Field(description="Probability that the event is not benign.")
    confidence: float | None
    probabilities: dict[str, float | None]


class StudentAnswer(Answer):
    """What the student says: in how many windows, if text was left over, how far from the training events it lies.

    `tier` is which of the bundle's two students says it, 1 or 2; null in a bundle of one.
    """

    windows: int
    overflow: bool
    ood_distance: float | None
    tier: int | None


class Models(BaseModel):
    """Who judged: the start of each model file's sha256, or a URL."""

    student: str
    full: str | None


class Verdict(BaseModel):
    """A verdict; label and attack are final where the status is `decided`, else the student's and provisional.

    They are null where nobody decided and the student's scores are no numbers.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [VERDICT]})
    origin: str
    source: str
    time: str | None
    label: str | None
    attack: float | None
    status: Literal["decided", "deferred", "held", "abstained"]
    decided_by: Literal["student", "full", "nobody"]
    stood_in: bool = Field(description="The student decided in place of the full model, which was down.")
    reason: str
    student: StudentAnswer
    full: Answer | None
    models: Models
    excepted: str | None = Field(default=None, description="The rule that silences this alert; absent where none does.")


class SpanOfText(BaseModel):
    """Part of an event's text that carried its verdict; `part` says what that part is called, where a template does."""

    start: int = Field(description="Its first character, from 0.")
    end: int = Field(description="The character behind its last one.")
    weight: float = Field(description="By how much the log-odds of an attack fall when it is taken out of the text.")
    text: str
    part: str | None = None


class ExplainedVerdict(Verdict):
    """A verdict that `explain` was asked of."""

    spans: list[SpanOfText] | None = Field(description="At most three; null where there are none, for the reason told.")
    unexplained: str | None = Field(description="Why there are no spans; null where there are.")


class Verdicts(BaseModel):
    """Verdicts in the order of the events."""

    verdicts: list[Verdict] | list[ExplainedVerdict]


class Score(BaseModel):
    """One label's probability."""

    label: str
    score: float


class Neighbour(BaseModel):
    """A known event near the one that was asked about; `similarity` is the cosine of where the two lie."""

    similarity: float
    label: str | None
    family: str | None
    origin: str
    count: int
    kind: str
    text: str


class Found(BaseModel):
    """The known events nearest to one text, of its kind of record, and how many close ones are of which family.

    `close` tells whether a known event is spelled like it: whether the cosine of spellings with the one that is so most
    (`spelling`) is `threshold` or more; `close` and `threshold` are null where what is close is unmeasured.
    """

    text: str
    kind: str
    compared: int
    close: bool | None
    spelling: float | None
    threshold: float | None
    families: dict[str, int]
    neighbours: list[Neighbour]


class Window(BaseModel):
    """One window: its tokens, what the student says of it, and whether it is the one that decides.

    Label and attack are null where its logits are no numbers.
    """

    tokens: list[str]
    label: str | None
    attack: float | None
    decides: bool


class Windows(BaseModel):
    """The windows that an event is judged in; `overflow` if text is left that none covers."""

    windows: list[Window]
    overflow: bool


class Problem(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"detail": "events.3.text: a valid string is expected"}]})
    detail: str


class PromiseState(BaseModel):
    """What a check promised, and what is left of it after the events that the service has judged."""

    limit: float = Field(description="At most this share of the attacks that the full model detects is lost.")
    confidence: float
    source: str
    alone: bool = Field(description="It is of a student without a full model: so many more attacks are missed at most.")
    status: Literal["stands", "withdrawn"]
    deferred: int
    held: int
    abstained: int
    stood_in: int = Field(description="Events that the student decided in place of the full model, which was down.")
    message: str


class Ready(BaseModel):
    """Whether requests are taken; the rest is for those who may ask the other endpoints."""

    ready: bool
    panics: int | None = Field(default=None, description="Threads that ended in a panic and were started again.")
    models: Models | None = None
    classes: list[str] | None = None
    benign: list[str] | None = None
    policy: str | None = Field(default=None, description="Where the thresholds come from.")
    promise: PromiseState | None = Field(default=None, description="Null: no check stands behind the verdicts.")
    full: str | None = None
    known_events: int | None = None
    drift: dict[str, float] | None = None
    drift_unmeasured: str | None = None


class ClassOfBundle(BaseModel):
    """One class, its name for people, and the technique of ATT&CK that it is of; both null where none is known."""

    name: str
    benign: bool
    title: str | None
    technique: str | None


class Example(BaseModel):
    """Made-up text of the kind that the bundle's classes speak of."""

    name: str
    text: str
    lines: bool = Field(description="Whether each line is an event; else all of it is one.")


class Card(BaseModel):
    """What the bundle in service is: what it was made from, and what decides its verdicts."""

    about: str = Field(description="What it was made from, how old it is, whether it was checked; as of `opened`.")
    opened: str = Field(description="When the service opened it, in UTC.")
    overproof: str = Field(description="The version that made it.")
    student: str
    parameters: int | None
    precision: str
    bytes: int
    models: Models
    classes: list[ClassOfBundle]
    thresholds: dict[str, float | None] = Field(
        description="From which attack probability on so many benign validation events are flagged; null: not measured."
    )
    policy: str = Field(description="Where the thresholds of the cascade come from.")
    confidence_limit: float | None = Field(
        description="Below this confidence the student does not decide; null: it decides nothing."
    )
    ood_limit: float | None = Field(
        description="An event farther from the training events than this is out of distribution; null: no limit."
    )
    promise: PromiseState | None = Field(description="Null: no check stands behind the verdicts.")
    full: str | None
    known_events: int | None
    examples: list[Example]
