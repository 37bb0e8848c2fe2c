"""Define requests and answers as models: they validate the former and describe the latter in /openapi.json."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

TEXT = "id=1' or '1'='1"
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


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair, expected Unicode text") from None
    return text


Text = Annotated[str, AfterValidator(_unicode)]


Texts = Annotated[
    list[Text], Field(fail_fast=True)
]  # the first mistake ends it: half a million of them would take seconds
MOST_KEYS = 16  # of a request's object; each that is not known is a mistake of its own


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > MOST_KEYS:
            raise ValueError(f"{len(data):,} keys, expected no more than {MOST_KEYS}")
        return data


class Event(_Asked):
    """One event."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": TEXT}]})
    text: Text
    origin: Text | None = Field(default=None, max_length=1000, description="Where it came from; else request:N.")


class Events(_Asked):
    """Several events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [{"text": TEXT, "origin": "access.log:17"}]}]})
    events: Annotated[list[Event], Field(fail_fast=True)]


def _which(body: Any) -> str:
    return "events" if isinstance(body, dict) and "events" in body else "event"


Judge = Annotated[Annotated[Event, Tag("event")] | Annotated[Events, Tag("events")], Discriminator(_which)]


class Parameters(_Asked):
    """Of a text classification; others than these are not understood, and refused."""

    top_k: int | None = Field(default=None, ge=1, description="Labels to answer for each text; null is all of them.")


class Predict(_Asked):
    """What a text classifier of Hugging Face's kind is asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [TEXT], "parameters": {"top_k": None}}]})
    inputs: Text | Texts
    parameters: Parameters = Parameters()


class Embed(_Asked):
    """What text-embeddings-inference is asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [TEXT]}]})
    inputs: Text | Texts


class Similar(_Asked):
    """Texts, and how many known events each is to be compared with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [TEXT], "count": 5}]})
    inputs: Text | Texts
    count: int = Field(default=10, ge=1, le=100)


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


class Verdicts(BaseModel):
    """Verdicts in the order of the events."""

    verdicts: list[Verdict]


class Score(BaseModel):
    """One label's probability."""

    label: str
    score: float


class Neighbour(BaseModel):
    """A known event near the one that was asked about; `similarity` is the cosine of their embeddings."""

    similarity: float
    label: str | None
    family: str | None
    origin: str
    count: int
    text: str


class Found(BaseModel):
    """The known events nearest to one text, and how many of them are of which family."""

    text: str
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
