"""What is asked: /judge and /similar take the same bodies, each in every shape that either took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import Cascade
from overproof.inference.service.service import Service
from overproof.inference.similarity.build import IndexConfig, build_index

from .conftest import SMALL, Client

KNOWN = ["select * from users", "<script>", "id=1"]
SHAPES: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    "one event": ({"text": KNOWN[0], "origin": "a:1"}, KNOWN[:1], True),
    "one text": ({"inputs": KNOWN[0]}, KNOWN[:1], True),
    "events": ({"events": [{"text": KNOWN[0], "origin": "a:1"}, {"text": KNOWN[2]}]}, [KNOWN[0], KNOWN[2]], False),
    "texts": ({"inputs": KNOWN[:2]}, KNOWN[:2], False),
    "no events": ({"events": []}, [], False),
    "no texts": ({"inputs": []}, [], False),
}


@pytest.fixture(scope="module")
def searched(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service with some known events."""
    folder = tmp_path_factory.mktemp("known")
    (folder / "known.txt").write_text("\n".join(KNOWN))
    build_index(IndexConfig(small_bundle, (folder / "known.txt",), folder / "index"))
    opening = Cascade(OnnxScorer(open_bundle(small_bundle)))
    client = Client(Service(lambda: opening, index=folder / "index", limits=SMALL))
    yield client
    client.close()


@pytest.mark.parametrize("options", [{}, {"count": 2, "explain": True}], ids=["bare", "options"])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_take_the_same_body(searched: Client, shape: str, options: dict[str, Any]) -> None:
    body, texts, one = SHAPES[shape]
    judged, similar = searched.post("/judge", {**body, **options}), searched.post("/similar", {**body, **options})
    assert (judged.status_code, similar.status_code) == (200, 200), (judged.text, similar.text)
    verdicts = [judged.json()] if one else judged.json()["verdicts"]
    alone = [searched.post("/judge", {"text": text, **options}).json() for text in texts]
    assert [verdict["student"] for verdict in verdicts] == [verdict["student"] for verdict in alone]
    assert all(("spans" in verdict) == ("explain" in options) for verdict in verdicts)
    found = similar.json()
    assert [row["text"] for row in found] == [row["neighbours"][0]["text"] for row in found] == texts
    assert all(len(row["neighbours"]) == options.get("count", len(KNOWN)) for row in found)


def test_a_record_of_another_kind_is_compared_only_where_that_is_asked(searched: Client) -> None:
    flow = "flow proto=tcp state=S0"
    (within,) = searched.post("/similar", {"text": flow}).json()
    assert (within["kind"], within["compared"], within["close"], within["neighbours"]) == ("flow", 0, False, [])
    (anything,) = searched.post("/similar", {"text": flow, "all_kinds": True}).json()
    assert anything["compared"] == len(anything["neighbours"]) == len(KNOWN)


@pytest.mark.parametrize("path", ["/judge", "/similar"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"inputs": ["a", 1]}, "inputs.1: Input should be a valid string"),
        ({"inputs": "a", "text": "b"}, "text: Extra inputs"),
        ({"text": "a", "explain": "yes"}, "explain: Input should be a valid boolean"),
        ({"text": "a", "count": 101}, "count: Input should be less than or equal to 100"),
        ({"events": [{"text": "a", "explain": True}]}, "events.0.explain: Extra inputs"),
        ({"texts": ["a"]}, "text: Field required"),
    ],
    ids=["number", "two shapes", "word", "too many", "of one event", "other name"],
)
def test_both_refuse_the_same(searched: Client, path: str, body: dict[str, Any], why: str) -> None:
    answer = searched.post(path, body)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
