"""A bundle is opened again: it takes the other's place only if it is whole and has the same classes."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from overproof.bundle.manifest import MODEL, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import EVERYTHING, Bucket, Cascade, Full, Policy, Promise, Rate
from overproof.progress import Console, _no_bar

from .conftest import Client, Start, gate
from .test_concurrent import CLASSES, by_length


@pytest.fixture
def place(small_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def other(place: Path) -> Callable[..., None]:
    """Writes another bundle in the first one's place: its own hash, and what else is asked for."""

    def write(**changes: object) -> None:
        from overproof.bundle.manifest import digest

        old = open_bundle(place)
        model = old.files[MODEL] + b"\x92\x03\x00"  # an unknown empty field, which a reader of ONNX passes over
        files = {**old.files, MODEL: model}
        told = {name: digest(content) for name, content in files.items()}
        write_bundle(place, replace(old.manifest, files=told, **changes), files)  # type: ignore[arg-type]

    return write


def opening(place: Path, bucket: Bucket | None = None, full: Full | None = None) -> Callable[[], Cascade]:
    return lambda: Cascade(
        OnnxScorer(open_bundle(place)), full, Policy(confidence=EVERYTHING) if full else None, bucket
    )


def reloaded(client: Client) -> None:
    async def reload() -> None:
        client.service.reload()
        assert client.service._reloading is not None
        await client.service._reloading

    client.run(reload())


def model(client: Client) -> str:
    return str(client.post("/judge", {"text": "a"}).json()["models"]["student"])


def test_a_whole_bundle_takes_its_place(start: Start, place: Path, other: Callable[..., None]) -> None:
    said: list[str] = []
    client = start(open_cascade=opening(place), console=Console(said.append, _no_bar))
    before = model(client)
    other()
    assert model(client) == before
    reloaded(client)
    after = model(client)
    assert after != before
    assert after == str(open_bundle(place).manifest.files[MODEL]["sha256"])[:16]
    assert said == [f"reload: model {after} is in service"]
    assert 'overproof_reloads_total{outcome="swapped"} 1.0' in client.get("/metrics").text
    assert client.get("/readyz").json()["models"]["student"] == after


@pytest.mark.parametrize("harm", ["tampered", "gone", "classes", "benign"])
def test_any_other_leaves_the_old_one_in_service(
    start: Start, place: Path, other: Callable[..., None], harm: str
) -> None:
    said: list[str] = []
    client = start(open_cascade=opening(place), console=Console(said.append, _no_bar))
    before = client.post("/judge", {"text": "a"}).json()
    if harm == "tampered":
        content = bytearray((place / MODEL).read_bytes())
        content[len(content) // 2] ^= 1
        (place / MODEL).write_bytes(content)
    elif harm == "gone":
        shutil.rmtree(place)
    else:
        other(**{harm: {"classes": ("benign", "xss", "sqli"), "benign": ("benign", "xss")}[harm]})
    reloaded(client)
    assert client.post("/judge", {"text": "a"}).json() == before
    assert len(said) == 1 and said[0].startswith("reload: the bundle in service stays: ")
    why = {"tampered": "sha256 differs", "gone": "no such folder"}.get(harm, "expected those of the one in service")
    assert why in said[0]
    assert 'overproof_reloads_total{outcome="kept"} 1.0' in client.get("/metrics").text


def test_requests_finish_with_the_bundle_they_began_with(start: Start, place: Path, other: Callable[..., None]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with gate() as opened, ThreadPoolExecutor(4) as pool:
        begun = threading.Event()

        def ask(texts):  # type: ignore[no-untyped-def]
            begun.set()
            assert opened.wait(30)
            return by_length(texts)

        client = start(open_cascade=opening(place, full=Full(CLASSES, ask, "slow")))
        before = client.get("/readyz").json()["models"]["student"]
        asked = pool.submit(client.post, "/judge", {"text": "a"})
        assert begun.wait(30)
        other()
        reloaded(client)
        opened.set()
        assert asked.result().json()["models"]["student"] == before
        assert model(client) != before


def test_reloading_does_not_fill_the_budget(start: Start, place: Path) -> None:
    full = Full(CLASSES, by_length, "m")

    def again() -> Cascade:
        return opening(place, Bucket(Rate(per_second=5), clock=lambda: 0.0), full)()

    client = start(open_cascade=again)
    for _ in range(2):
        client.post("/judge", {"events": [{"text": f"{i}"} for i in range(10)]})
        reloaded(client)
    assert "overproof_escalated_total 3.0" in client.get("/metrics").text


def test_asked_while_it_reloads_it_reloads_once_more(start: Start, place: Path) -> None:
    opens: list[int] = []

    def again() -> Cascade:
        opens.append(1)
        return opening(place)()

    client = start(open_cascade=again)

    async def often() -> None:
        for _ in range(5):
            client.service.reload()
            await asyncio.sleep(0)
        assert client.service._reloading is not None
        await client.service._reloading

    client.run(often())
    assert len(opens) == 3


def test_reloading_mends_no_promise_unless_it_is_of_another_cascade(
    start: Start, place: Path, other: Callable[..., None]
) -> None:
    policy = Policy(confidence=EVERYTHING, promise=Promise(0.005, 0.95, "check.json"))
    said: list[str] = []
    opened = lambda: Cascade(OnnxScorer(open_bundle(place)), None, policy)  # noqa: E731
    client = start(open_cascade=opened, console=Console(said.append, _no_bar))
    for _ in range(2):
        client.post("/judge", {"text": "a"})
        reloaded(client)
        status = client.get("/readyz").json()["promise"]
        assert status["status"] == "withdrawn"
    assert status["abstained"] == 2
    assert sum(line.startswith("promise withdrawn") for line in said) == 1
    other()
    reloaded(client)
    assert client.get("/readyz").json()["promise"]["status"] == "stands"


@pytest.mark.parametrize("harm", ["window", "nan", "reader"])
def test_a_bundle_that_cannot_judge_is_not_taken(harm: str, start: Start, place: Path) -> None:
    """Sealed anew, so that every hash holds: what shows it is that it judges a sample."""
    import json

    from overproof.bundle.manifest import MANIFEST, _seal, digest

    client = start(open_cascade=opening(place))
    before = model(client)
    data = json.loads((place / MANIFEST).read_bytes())
    data.pop("sha256")
    if harm == "window":
        data["windowing"] |= {"size": 4000, "overlap": 0}  # longer than the network has positions for
    elif harm == "nan":
        weights = onnx.load_from_string((place / MODEL).read_bytes())
        for tensor in weights.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 0:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(np.nan), tensor.name))
        (place / MODEL).write_bytes(weights.SerializeToString())
    else:
        tokenizer = json.loads((place / "tokenizer.json").read_bytes())
        tokenizer["model"]["vocab"] = {piece: i + 5000 for piece, i in tokenizer["model"]["vocab"].items()}
        (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name in data["files"]:
        data["files"][name] = digest((place / name).read_bytes())
    (place / MANIFEST).write_text(json.dumps({**data, "sha256": _seal(data)}))
    reloaded(client)
    assert model(client) == before
    assert client.post("/judge", {"text": "a" * 5000}).status_code == 200
    assert 'overproof_reloads_total{outcome="kept"} 1.0' in client.get("/metrics").text


def test_a_panic_shows_in_readyz_until_a_call_goes_well(start: Start, place: Path) -> None:
    class Panic(BaseException):
        pass

    client = start(open_cascade=opening(place))
    loaded = client.service._loaded
    judge = loaded.judge

    def panics(texts: list[str]) -> object:
        if texts == ["panic"]:
            raise Panic("unwrap on None")
        return judge(texts)

    loaded.judge = panics  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError, match="unwrap on None"):
        client.post("/judge", {"text": "panic"})
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["panics"]) == (503, 1)
    assert client.post("/judge", {"text": "a"}).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_an_unsigned_bundle_does_not_take_a_signed_ones_place(
    start: Start, place: Path, other: Callable[..., None], tmp_path: Path
) -> None:
    """With a key configured; the same bundle takes it once it is signed."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    from overproof.bundle.signing import Trust
    from overproof.bundle.signing.sign import SigningKey, sign

    made = ec.generate_private_key(ec.SECP256R1())
    key, trusted = tmp_path / "key.pem", tmp_path / "key.pub"
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    trusted.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said: list[str] = []
    sign(place, SigningKey(key))
    before = shutil.copy(place / "model.sig", tmp_path)
    client = start(
        open_cascade=lambda: Cascade(OnnxScorer(open_bundle(place, Trust(trusted)))),
        console=Console(said.append, _no_bar),
    )
    served = model(client)
    other()
    reloaded(client)
    shutil.copy(before, place)
    reloaded(client)
    assert model(client) == served
    assert ": is not signed, expected a signature at " in said[0]
    assert "manifest.json: not the file that was signed" in said[1]
    assert 'overproof_reloads_total{outcome="kept"} 2.0' in client.get("/metrics").text
    sign(place, SigningKey(key))
    reloaded(client)
    assert model(client) != served
