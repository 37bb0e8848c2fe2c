"""Write the page at /docs from the description at /openapi.json, so that nothing has to be loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson

from overproof.report.templating import environment

_REF = "#/components/schemas/"
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One field of a model: its name, its type in words, its default in JSON, whether it has to be given."""

    name: str
    type: str
    default: str
    needed: bool
    description: str


@dataclass(frozen=True)
class Model:
    """A model of requests or answers, an example of it in JSON, or empty."""

    name: str
    description: str
    fields: list[Field]
    example: str


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: what it takes and answers (names of models), and how it is asked."""

    method: str
    path: str
    title: str
    description: str
    takes: list[str]
    answers: str
    command: str

    @property
    def anchor(self) -> str:
        """What links to it name."""
        return self.path.strip("/").replace("/", "-")


def reference(description: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    description
        What /openapi.json says.
    """
    schemas: Mapping[str, Schema] = description["components"]["schemas"]
    endpoints = [
        _endpoint(method.upper(), path, operation, schemas)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    ]
    problems: dict[int, str] = {}
    for operations in description["paths"].values():
        for operation in operations.values():
            problems |= {int(code): one["description"] for code, one in operation["responses"].items() if code != "200"}
    template = environment("overproof.inference.service").get_template("reference.html")
    codes = [(code, HTTPStatus(code).phrase, problems[code]) for code in sorted(problems)]
    models = [_model(name, schemas[name]) for name in sorted(schemas)]
    return template.render(endpoints=endpoints, models=models, codes=codes, pieces=partial(_pieces, schemas))


def _pieces(schemas: Mapping[str, Schema], text: str) -> list[tuple[str, bool]]:
    """Divide a type in words; each piece with whether it is the name of a model."""
    return [(piece, piece in schemas) for piece in re.split(r"(\w+)", text) if piece]


def _endpoint(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Endpoint:
    title, _, more = operation["description"].partition("\n\n")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    takes = list(_names(body))
    content = operation["responses"]["200"].get("content", {}).get("application/json", {})
    command = f"curl -s localhost:8080{path}"
    if takes:
        example = orjson.dumps(schemas[takes[0]]["examples"][0]).decode().replace("'", "'\\''")
        command += f" -H 'content-type: application/json' -d '{example}'"
    answers = _type(content["schema"]) if content.get("schema") else "text"
    return Endpoint(method, path, title, more, takes, answers, command)


def _names(schema: Schema) -> Iterator[str]:
    """Yield the names of the models that a schema is one of."""
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(_REF)
    for one in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        yield from _names(one)


def _model(name: str, schema: Schema) -> Model:
    needed = schema.get("required", ())
    fields = [
        Field(key, _type(one), _default(one), key in needed, one.get("description", ""))
        for key, one in schema.get("properties", {}).items()
    ]
    examples = schema.get("examples", ())
    shown = orjson.dumps(examples[0], option=orjson.OPT_INDENT_2).decode() if examples else ""
    return Model(name, schema.get("description", ""), fields, shown)


def _type(schema: Schema) -> str:
    """Say a schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    for words in ("anyOf", "oneOf"):
        if words in schema:
            return " or ".join(_type(one) for one in schema[words])
    if "enum" in schema:
        return " or ".join(orjson.dumps(one).decode() for one in schema["enum"])
    if "const" in schema:
        return orjson.dumps(schema["const"]).decode()
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return (
            f"list of ({_type(schema['items'])})" if len(schema["items"]) > 1 else f"list of {_type(schema['items'])}"
        )
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    least, most = schema.get("minimum"), schema.get("maximum", schema.get("maxLength"))
    bounds = f"{'' if least is None else f' from {least}'}{'' if most is None else f' up to {most}'}"
    return kind + bounds


def _default(schema: Schema) -> str:
    return orjson.dumps(schema["default"]).decode() if "default" in schema else ""
