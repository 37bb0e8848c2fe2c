"""What is found lies within the kind of record that was asked about, and may be nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from overproof.bundle.runtime import OnnxScorer
from overproof.cli.app import app
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.events.templates import DnsLookup, FlowRecord, HttpRequest, kind_of
from overproof.events.templates.kinds import KINDS
from overproof.inference.similarity.build import IndexConfig, build_index
from overproof.inference.similarity.closeness import MOST, NEEDED, SHARE, closeness
from overproof.inference.similarity.integers import Integers, cosines, rounded, wide
from overproof.inference.similarity.search import Searcher, search
from overproof.inference.similarity.space import (
    COUNTS,
    FITTED,
    HEAVIEST,
    LIGHTEST,
    NEAR,
    SPELLED_WEIGHT,
    Space,
    fit_space,
    of_length_1,
    restored,
)
from overproof.inference.similarity.spelling import BLOCK, SPELLED, WIDTH, spelling
from overproof.inference.similarity.store import CARD, SPACE

SWEEP = FlowRecord(proto="tcp", state="S0", orig_host="192.0.2.9", resp_host="198.51.100.7", orig_bytes=0).text
SWEEPS = [SWEEP.replace("198.51.100.7", f"198.51.100.{i}") for i in range(30)]
PAYLOADS = [f"id={i}' or 1=1--" for i in range(20)]
REQUESTS = [HttpRequest("GET", f"/index.php?id={i}").text for i in range(20)]
INJECTION = "name=x' or 2=2--"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INJECTION, "text"),
        ("", "text"),
        ("flow of words", "text"),
        ("GET /index.html HTTP/1.1", "text"),
        (REQUESTS[0], "http"),
        (SWEEP, "flow"),
        ("flows src=192.0.2.9 dst=198.51.100.0/24 conns=2^9", "flows"),
        (DnsLookup("192.0.2.1", "example.com", "A").text, "dns"),
        ("TLS 192.0.2.1 sni=example.com", "tls"),
        ("SSH src=192.0.2.1 port=22", "ssh"),
        ('file source=http name="/"', "file"),
        ("zeek notice note=Scan::Port_Scan", "zeek"),
        ("suricata alert signature=x", "suricata"),
        ("windows Security 4625 TargetUserName=x", "windows"),
        ("w3c cs-method=GET", "w3c"),
        ("osquery process_events path=/bin/sh", "osquery"),
        (HttpRequest("POST", "/", body="flow proto=tcp").text, "http"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_a_text_has_the_kind_of_its_template(text: str, kind: str) -> None:
    assert kind_of(text) == kind and kind in KINDS


@pytest.fixture(scope="module", params=["exact", "hnsw"])
def mixed(request: pytest.FixtureRequest, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of flows of a sweep, payloads and requests, in turns."""
    out = tmp_path_factory.mktemp("mixed") / "index"
    texts = [text for three in zip(SWEEPS, PAYLOADS, REQUESTS, strict=False) for text in three] + SWEEPS[20:]
    family = {"flow": "port-sweep", "text": "sqli", "http": "benign"}
    families = [family[kind_of(text)] for text in texts]
    table = event_table({"text": texts, "label": families, "family": families})
    built = build_index(IndexConfig(small_bundle, table, out, exact_rows=1000 if request.param == "exact" else 10))
    assert built.kinds == {"text": 20, "http": 20, "flow": 30} and built.search == request.param
    return out


def test_an_injection_is_compared_with_payloads_and_not_with_a_port_sweep(small_bundle: Path, mixed: Path) -> None:
    (found,) = search(small_bundle, mixed, INJECTION, 50)
    assert (found.kind, found.compared) == ("text", 20)
    assert {near.kind for near in found.neighbours} == {"text"} and found.families == {"sqli": 20}
    assert sorted(near.text for near in found.neighbours) == sorted(PAYLOADS)
    (anything,) = search(small_bundle, mixed, INJECTION, 70, all_kinds=True)
    assert anything.compared == len(anything.neighbours) == 70
    assert {near.kind for near in anything.neighbours} == {"text", "flow", "http"}
    told = [near.similarity for near in anything.neighbours]
    assert told == sorted(told, reverse=True)
    assert [near for near in anything.neighbours if near.kind == "text"] == list(found.neighbours)


def test_events_of_several_kinds_are_asked_together_as_alone(small_bundle: Path, mixed: Path) -> None:
    ask = Searcher(small_bundle, mixed)
    texts = [SWEEPS[3], INJECTION, REQUESTS[5], PAYLOADS[2], DnsLookup("192.0.2.1", "example.com", "A").text]
    together = ask(texts, 4)
    assert together == [ask([text], 4)[0] for text in texts]
    assert [one.neighbours[0].text for one in (together[0], together[2], together[3])] == [texts[0], texts[2], texts[3]]


def test_where_no_event_of_the_kind_is_known_nothing_is_close(small_bundle: Path, mixed: Path) -> None:
    (found,) = search(small_bundle, mixed, "dns client=192.0.2.1 query=example.com")
    told = found.to_json()
    assert (told["kind"], told["compared"], told["close"], told["neighbours"]) == ("dns", 0, False, [])
    assert "no known event is of kind dns (20 text, 20 http, 30 flow; --all-kinds)" in found.render()


@pytest.mark.parametrize(("option", "kinds"), [((), {"text"}), (("--all-kinds",), {"text", "flow", "http"})])
def test_the_command_compares_within_the_kind_unless_asked(
    option: tuple[str, ...], kinds: set[str], small_bundle: Path, mixed: Path
) -> None:
    words = ["similar", str(small_bundle), str(mixed), INJECTION, "-k", "70", "--json", *option]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert {near["kind"] for near in json.loads(done.stdout)["neighbours"]} == kinds


@pytest.mark.parametrize("former", [1, 2])
def test_an_index_of_a_former_format_is_to_be_made_again(
    former: int, small_bundle: Path, mixed: Path, tmp_path: Path
) -> None:
    from overproof.inference.similarity.store import _hash

    card = {**json.loads((mixed / CARD).read_bytes()), "format": former}
    card.pop("sha256")
    (tmp_path / CARD).write_text(json.dumps({**card, "sha256": _hash(card)}))
    with pytest.raises(
        InputError, match=rf"index format {former}, this version reads 3: .*overproof index BUNDLE EVENTS"
    ):
        search(small_bundle, tmp_path, "x")


def test_what_is_close_is_chosen_on_validation_events(small_bundle: Path, tmp_path: Path) -> None:
    texts = [text for i in range(FITTED // 2) for text in (f"id={i}' or 1=1--", f"<script>alert({i})</script>")]
    known = event_table({"text": texts, "label": ["sqli", "xss"] * (FITTED // 2)})
    held_back = [f"id={1000 + i}' or 1=1--" for i in range(NEEDED)]
    validation = event_table({"text": held_back, "label": ["sqli"] * NEEDED})
    built = build_index(IndexConfig(small_bundle, known, tmp_path / "index", validation=validation))
    least = built.closeness["text"].threshold
    assert built.closeness["text"].events == NEEDED and least is not None
    assert f"close from {least:.3f} on ({NEEDED} validation events)" in built.render()
    ask = Searcher(small_bundle, tmp_path / "index")
    assert least == min(one.spelling or 0 for one in ask(held_back, 1))  # of so few none may miss it
    close, far = ask([texts[0], "Grüße aus Köln\x00" * 9], 20)
    assert close.close is True and close.to_json()["threshold"] == round(least, 6)
    assert far.close is False and far.families == {} and far.near == ()
    told = f"none is spelled like it, {far.spelling:.3f} < {least:.3f}"
    assert far.render().splitlines()[1] == f"  nothing close: of 256 known of kind text {told}"
    assert far.to_json()["spelling"] == round(far.spelling or 0, 6)
    assert len(far.to_json()["neighbours"]) == 20


@pytest.mark.parametrize(
    ("held_back", "label", "events"),
    [
        ([f"user={i}' or 1=1--" for i in range(NEEDED - 1)], "sqli", NEEDED - 1),
        ([f"user={i}' or 1=1--" for i in range(NEEDED)], "xss", 0),
        (PAYLOADS * 5, "sqli", 0),
        ([f"HTTP GET /?id={i} host=a" for i in range(NEEDED)], "sqli", 0),
    ],
    ids=["too few", "of no known family", "known themselves", "of another kind"],
)
def test_without_enough_validation_events_it_is_unmeasured(
    held_back: list[str], label: str, events: int, small_bundle: Path, tmp_path: Path
) -> None:
    known = event_table({"text": PAYLOADS, "label": ["sqli"] * len(PAYLOADS)})
    validation = event_table({"text": held_back, "label": [label] * len(held_back)})
    built = build_index(IndexConfig(small_bundle, known, tmp_path / "index", validation=validation))
    assert asdict(built.closeness["text"]) == {"threshold": None, "events": events}
    assert "what is close is unmeasured" in built.render()
    (found,) = search(small_bundle, tmp_path / "index", "Grüße aus Köln\x00" * 9)
    assert found.close is None and found.to_json()["threshold"] is None and len(found.neighbours) == 10


@pytest.mark.parametrize("events", [NEEDED - 1, NEEDED, 500, MOST + 500])
def test_few_validation_events_miss_the_threshold(events: int) -> None:
    random = np.random.default_rng(0)
    known, asked = (rounded(random.normal(size=(n, WIDTH)).astype(np.float32)) for n in (300, events))

    def nearest(rows: Integers) -> np.ndarray:
        return np.asarray(cosines(wide(rows), wide(known)).max(axis=1))

    found = closeness(asked, nearest)
    assert found.events == min(events, MOST)
    if events < NEEDED:
        assert found.threshold is None
    else:
        assert found.threshold is not None and np.mean(nearest(asked) < found.threshold) < SHARE


@pytest.mark.parametrize("all_kinds", [False, True])
def test_what_is_close_goes_by_spelling_and_not_by_what_the_model_sees_alike(
    all_kinds: bool, small_bundle: Path, mixed: Path
) -> None:
    """And by the events of its own kind, whatever it is compared with."""
    (found,) = search(small_bundle, mixed, INJECTION, all_kinds=all_kinds)
    space = restored((mixed / SPACE).read_bytes(), "space")
    known, asked = (wide(rounded(space.spelled(spelling(texts)))) for texts in (PAYLOADS, [INJECTION]))
    assert found.spelling == cosines(asked, known).max()
    least = found.spelling
    assert replace(found, threshold=least).close is True
    far = replace(found, threshold=least + 0.001)
    assert far.close is False and found.neighbours[0].similarity > least + 0.001
    assert "of 20 known of kind text none is spelled like it" in far.render()


def test_where_no_event_of_the_kind_is_known_others_are_not_called_close(small_bundle: Path, mixed: Path) -> None:
    (found,) = search(small_bundle, mixed, "dns client=192.0.2.1 query=example.com", all_kinds=True)
    assert (found.close, found.spelling, len(found.near)) == (None, None, 10)
    assert found.to_json()["spelling"] is None


def test_spellings_are_the_same_in_any_company() -> None:
    texts = ["", "a", INJECTION, *PAYLOADS, "x" * 3 * SPELLED, "\ud800", "é" * BLOCK]
    together = spelling(texts)
    assert together.shape == (len(texts), WIDTH)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_array_equal(spelling([text])[0], row)
    assert not spelling([]).size


def test_what_is_spelled_alike_lies_near() -> None:
    a, b, other = of_length_1(spelling(["id=1' or 1=1--", "id=7' or 1=1--", "<script>alert(1)</script>"]))
    assert a @ b > 0.6 > 0.4 > a @ other
    assert (spelling(["ab" * 50]) == spelling(["ab" * 60])).all(), "which n-grams stand there, not how often"


def test_only_the_start_of_a_long_text_is_spelled() -> None:
    assert (spelling(["a" * SPELLED + "b"]) == spelling(["a" * SPELLED + "c"])).all()


def test_a_fitted_space_sets_apart_what_the_head_puts_together(student: OnnxScorer) -> None:
    texts = [f"{what}{i}" for i in range(FITTED) for what in ("id=1' or 1=", "<script>alert", "../../etc/")]
    embeddings, spelled = student.embed(texts), spelling(texts)
    space = fit_space(embeddings.shape[1], [(embeddings, spelled)], len(texts), lambda: (embeddings, spelled))
    before = np.asarray(embeddings @ embeddings.T)
    placed = of_length_1(space.place(embeddings, spelled))
    after = placed @ placed.T
    same = np.arange(len(texts))[:, None] % 3 == np.arange(len(texts)) % 3

    def gap(cosines: np.ndarray) -> float:
        return float(cosines[same].mean() - cosines[~same].mean())

    assert gap(after) > 2 * gap(before)
    for i in range(0, len(texts), 97):
        alone = space.place(embeddings[i : i + 1], spelled[i : i + 1])
        np.testing.assert_array_equal(alone[0], space.place(embeddings, spelled)[i])


def test_the_space_is_fitted_from_so_many_events_on(student: OnnxScorer) -> None:
    hidden = student.hidden or 0
    plain = fit_space(hidden, [], FITTED - 1, lambda: pytest.fail("nothing is measured"))
    assert isinstance(plain, Space) and not plain.mean.any() and not plain.centre.any()
    assert plain.weight == SPELLED_WEIGHT
    assert (plain.weights == np.diag(plain.weights.diagonal())).all()


def test_spelling_counts_half_as_much_as_the_embedding_among_near_events() -> None:
    random = np.random.default_rng(0)
    for spread in (0.3, 0.6):
        centres = random.normal(size=(20, 8))
        places = centres[np.arange(400) % 20] + spread * random.normal(size=(400, 8))
        embeddings = of_length_1(places).astype(np.float32)
        spelled = spelling([f"id={random.integers(1 << 40)}' or 1=1--" for _ in range(400)])
        space = fit_space(8, [(embeddings, spelled)], 400, lambda a=embeddings, b=spelled: (a, b))  # type: ignore[misc]
        placed = space.place(embeddings, spelled).astype(float)
        seen, written = of_length_1(placed[:, :8]), of_length_1(placed[:, 8:])
        far = [np.median(np.sort(1 - part @ part.T, axis=1)[:, NEAR]) for part in (seen, written)]
        assert space.weight == round(float(np.sqrt(COUNTS * far[0] / far[1])), 3)
        assert LIGHTEST < space.weight < HEAVIEST


@pytest.mark.parametrize(("alike", "weight"), [("seen", LIGHTEST), ("spelled", HEAVIEST)])
def test_where_all_is_alike_the_weight_stays_in_its_bounds(alike: str, weight: float) -> None:
    random = np.random.default_rng(0)
    embeddings = of_length_1(random.normal(size=(FITTED, 8))).astype(np.float32)
    spelled = spelling([f"{i:x}" * 9 for i in range(FITTED)])
    if alike == "seen":
        embeddings = np.repeat(embeddings[:2], FITTED // 2, axis=0)
    else:
        spelled = np.repeat(spelled[:2], FITTED // 2, axis=0)
    space = fit_space(8, [(embeddings, spelled)], FITTED, lambda: (embeddings, spelled))
    assert space.weight == weight and restored(space.stored(), "x").weight == weight


@pytest.mark.parametrize("weight", [0.0, -1.0, LIGHTEST / 2, HEAVIEST * 2, float("nan"), float("inf")])
def test_a_weight_out_of_its_bounds_is_refused(weight: float) -> None:
    space = Space(np.zeros(4), np.eye(4), np.zeros(WIDTH), weight)
    with pytest.raises(InputError, match=r"^x: .*weight"):
        restored(space.stored(), "x")
