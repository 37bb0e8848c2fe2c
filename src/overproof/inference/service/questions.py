"""Define requests as models: they validate them, and describe them in /openapi.json."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

TEXT = "id=1' or '1'='1"


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


class Options(_Asked):
    """What may be asked besides; each is of one endpoint, and the other takes it and does nothing with it."""

    explain: bool = Field(
        default=False,
        strict=True,
        description="For /judge: tell of each alert the spans of its text that carried the verdict. It takes hundreds "
        "of questions to the student for each, and is bounded in number and time.",
    )
    count: int = Field(default=10, ge=1, le=100, description="For /similar: known events to find for each text.")
    all_kinds: bool = Field(
        default=False,
        strict=True,
        description="For /similar: compare with every kind of record, not only with the event's own.",
    )


class OneEvent(Event, Options):
    """One event."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": TEXT, "explain": True, "count": 5}]})


class Events(Options):
    """Several events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [{"text": TEXT, "origin": "access.log:17"}]}]})
    events: Annotated[list[Event], Field(fail_fast=True)]


class Inputs(Options):
    """A text, or several, as /predict and /embed take them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [TEXT], "count": 5}]})
    inputs: Text | Texts


def _which(body: Any) -> str:
    return next((name for name in ("events", "inputs") if isinstance(body, dict) and name in body), "event")


Question: TypeAlias = Annotated[
    Annotated[OneEvent, Tag("event")] | Annotated[Events, Tag("events")] | Annotated[Inputs, Tag("inputs")],
    Discriminator(_which),
]


def events_of(asked: OneEvent | Events | Inputs) -> list[tuple[str, str | None]]:
    """Return the text and the origin of each event that is asked about."""
    if isinstance(asked, Inputs):
        return [(text, None) for text in ([asked.inputs] if isinstance(asked.inputs, str) else asked.inputs)]
    return [(event.text, event.origin) for event in (asked.events if isinstance(asked, Events) else [asked])]


def is_one(asked: OneEvent | Events | Inputs) -> bool:
    """Return whether one event is asked about, and no list of them."""
    return isinstance(asked, OneEvent) or (isinstance(asked, Inputs) and isinstance(asked.inputs, str))


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
