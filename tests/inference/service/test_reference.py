"""The page at /docs: it says what /openapi.json says, and needs nothing from elsewhere."""

from __future__ import annotations

import copy
import html
import json
import re
import shlex

from overproof.inference.service.reference import reference

from .conftest import Client


def test_it_has_every_endpoint_every_model_and_every_status(client: Client) -> None:
    description, page = client.get("/openapi.json").json(), client.get("/docs").text
    for path, operations in description["paths"].items():
        for method in operations:
            assert f">{method.upper()} {path}</h2>" in page
    for name, schema in description["components"]["schemas"].items():
        section = re.search(rf'<section id="model-{name}".*?</section>', page, re.DOTALL)
        assert section is not None, name
        assert re.findall(r'<th scope="row"><code>([^<]*)', section[0]) == list(schema.get("properties", {}))
    for code in (400, 401, 413, 415, 422, 429, 503, 504):
        assert f'<th scope="row">{code}</th>' in page


def test_every_link_leads_somewhere(client: Client) -> None:
    page = client.get("/docs").text
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'href="([^"]+)"', page):
        assert link[1:] in ids if link.startswith("#") else link == "data:," or client.get(link).status_code == 200


def test_its_commands_are_requests_that_are_answered(client: Client) -> None:
    commands = re.findall(r"<pre[^>]*><code>(curl.*?)</code>", client.get("/docs").text)
    assert len(commands) == 9
    for command in commands:
        words = shlex.split(html.unescape(command))
        path = words[2].removeprefix("localhost:8080")
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        answer = client.get(path) if body is None else client.post(path, body)
        assert answer.status_code == (501 if path == "/similar" else 200), command


def test_what_it_is_given_is_text(client: Client) -> None:
    description = copy.deepcopy(client.get("/openapi.json").json())
    description["paths"]["/judge"]["post"]["description"] = "<script>alert(1)</script> `<b>`"
    description["components"]["schemas"]["Event"]["properties"]["text"]["description"] = "<img src=x>"
    page = reference(description)
    assert "<script" not in page and "<img" not in page and "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <code>&lt;b&gt;</code>" in page
