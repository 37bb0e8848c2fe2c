"""A sealed bundle is still input: whoever can write the files can seal them anew. One clear line, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, numpy_helper

from overproof.bundle.manifest import MANIFEST, MODEL, OOD, _seal, digest, open_bundle
from overproof.bundle.manifest_schema import parsed
from overproof.bundle.onnx_bytes import may_go_on, require_whole
from overproof.bundle.tiers import open as open_student
from overproof.errors import BundleError, OverproofError, TamperedBundle

if TYPE_CHECKING:
    from ..conftest import Made

TEXTS = ["a", "id=1' or 1=1", "x" * 4000, ""]
VALUES: list[Any] = [
    None, True, 0, -1, 1e308, 10**400, 1.5, "", "a", "NaN", "../x", "\ud800",
    [], {}, [[]], {"a": 1}, ["a", "a"], [None],
]  # fmt: skip


@pytest.fixture
def place(small_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def reseal(place: Path, change: Callable[[dict[str, Any]], Any] = lambda data: None) -> None:
    """Write the manifest anew, with the hashes of the files that are there, a change, and its own hash."""
    data = json.loads((place / MANIFEST).read_bytes())
    data.pop("sha256")
    data["files"] = {file.name: digest(file.read_bytes()) for file in sorted(place.iterdir()) if file.name != MANIFEST}
    change(data)
    (place / MANIFEST).write_text(json.dumps({**data, "sha256": _seal(data)}))


def opened_or_refused(place: Path) -> bool:
    """Whether it judges; what is wrong with it is one line."""
    try:
        student = open_student(place)
        student.judge(TEXTS)
        return True
    except OverproofError as error:
        assert "\n" not in str(error)
        return False


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, inner in items:
        found += leaves(inner, (*path, name))
    return found


def with_value(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(data)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def test_any_value_anywhere_in_a_resealed_manifest(place: Path) -> None:
    data = json.loads((place / MANIFEST).read_bytes())
    data.pop("sha256")
    paths = [path for path in leaves(data) if path]
    tried = refused = 0
    for place_of, path in enumerate(paths):
        for value in VALUES[place_of % 3 :: 3] if len(path) > 1 else VALUES:
            reseal(place, lambda entries, path=path, value=value: entries.update(with_value(data, path, value)))
            tried += 1
            refused += not opened_or_refused(place)
    assert tried > 400 and refused > 200


@pytest.mark.parametrize(
    ("windowing", "message"),
    [
        ({"size": 0, "overlap": 0, "limit": 3}, "windowing.size is 0"),
        ({"size": 16, "overlap": 15, "limit": 3}, "cannot overlap by 15"),
        ({"size": 16, "overlap": 4, "limit": 0}, "windowing.limit is 0"),
        ({"size": 1 << 62, "overlap": 4, "limit": 1}, "windowing.size is"),
        ({"size": 16.0, "overlap": 4, "limit": 1}, "windowing.size is 16.0"),
        ({"size": 16, "overlap": 4}, "windowing.limit is None"),
    ],
)
def test_windows_that_cannot_be(windowing: dict[str, Any], message: str, place: Path) -> None:
    reseal(place, lambda data: data.update(windowing=windowing))
    with pytest.raises(BundleError, match=message):
        open_bundle(place)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff", b"", b"1" * 5000, b"{}", b"null"])
def test_manifests_that_are_none(content: bytes, place: Path) -> None:
    (place / MANIFEST).write_bytes(content)
    assert not opened_or_refused(place)


@pytest.mark.parametrize("name", ["classes", "benign", "files", "temperature"])
@pytest.mark.parametrize("first", [True, False])
def test_a_name_twice_says_two_things(name: str, first: bool, place: Path) -> None:
    """The last one counts for Python's reader and the seal, the first one for others, and for who looks."""
    reseal(place)
    text, other = (place / MANIFEST).read_text(), f"{json.dumps(name)}: []"
    (place / MANIFEST).write_text(f"{{{other}, {text[1:]}" if first else f"{text[:-1]}, {other}}}")
    with pytest.raises(BundleError, match=f"manifest.json: not JSON .the name '{name}' stands twice in an object"):
        open_bundle(place)


def test_a_manifest_that_nests_deeply(place: Path) -> None:
    deep: Any = 1
    for _ in range(300):  # what JSON's parser takes, and who walks through it does not
        deep = {"a": [deep]}
    reseal(place, lambda data: data.update(config=deep))
    with pytest.raises(BundleError, match="nests deeper than 100 levels"):
        open_bundle(place)


@pytest.mark.parametrize("name", [MODEL, OOD, "tokenizer.json"])
def test_files_that_are_others(name: str, place: Path) -> None:
    before = (place / name).read_bytes()
    random = np.random.default_rng(0)
    hostile = [
        b"",
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"{}",
        b"[" * 10_000,
        b"ORTM" * 9,
        before[: len(before) // 2],
        before[::-1],
    ]
    for _ in range(25):
        changed = bytearray(before)
        for where in random.integers(0, len(before), 3):
            changed[where] ^= int(random.integers(1, 256))
        hostile.append(bytes(changed))
    for content in hostile:
        (place / name).write_bytes(content)
        reseal(place)
        opened_or_refused(place)


def test_a_zip_that_lies_about_its_shape(place: Path) -> None:
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1048576), }"
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("weights", "scales", "means"):
            raw = head.ljust(117).encode() + b"\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw)
    (place / OOD).write_bytes(file.getvalue())
    reseal(place)
    assert not opened_or_refused(place)


def outside(model: onnx.ModelProto, location: str) -> bytes:
    """The model with one of its weights said to be in a file."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    tensor = max(changed.graph.initializer, key=lambda one: len(one.raw_data))
    external_data_helper.set_external_data(tensor, location)
    Path(location).write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return changed.SerializeToString()


def test_weights_beside_the_working_directory_are_refused(
    place: Path, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime looks for what it is given as bytes
    (place / MODEL).write_bytes(outside(made.int8, "weights.bin"))
    reseal(place)
    with pytest.raises(BundleError, match=r"model\.onnx: has weights in a file outside of it, which no hash covers"):
        open_bundle(place)


def test_weights_outside_are_seen_wherever_they_stand() -> None:
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "w")
    only_named = deepcopy(tensor)
    external_data_helper.set_external_data(only_named, "w.bin")
    only_named.ClearField("data_location")
    only_located = deepcopy(tensor)
    only_located.ClearField("raw_data")
    only_located.data_location = TensorProto.EXTERNAL
    helper = onnx.helper
    for one in (only_named, only_located):
        constant = helper.make_node("Constant", [], ["c"], value=one)
        sub = helper.make_graph([constant], "sub", [], [])
        inner = helper.make_node("If", ["x"], ["y"], then_branch=sub)
        deeper = helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([inner], "deep", [], []))
        sparse = onnx.SparseTensorProto()
        sparse.values.CopyFrom(one)
        function = helper.make_function("d", "f", ["x"], ["c"], [constant], [helper.make_opsetid("", 17)])
        models = [
            helper.make_model(helper.make_graph([], "g", [], [], [one])),
            helper.make_model(helper.make_graph([], "g", [], [], sparse_initializer=[sparse])),
            helper.make_model(helper.make_graph([constant], "g", [], [])),
            helper.make_model(helper.make_graph([deeper], "g", [], [])),
            helper.make_model(helper.make_graph([], "g", [], []), functions=[function]),
        ]
        for model in models:
            with pytest.raises(BundleError, match="in a file outside"):
                require_whole(model.SerializeToString(), "m")


def test_a_graph_that_need_not_end_is_refused(place: Path, made: Made) -> None:
    helper = onnx.helper
    looped = onnx.ModelProto()
    looped.CopyFrom(made.int8)
    loop = helper.make_node("Loop", ["", "x"], ["y"], body=helper.make_graph([], "turn", [], []))
    looped.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([loop], "sub", [], [])))
    content = looped.SerializeToString()
    (place / MODEL).write_bytes(content)
    reseal(place)
    with pytest.raises(BundleError, match=r"model\.onnx: has the operator If in its graph, which"):
        open_student(place)
    longer = content.replace(b'"\x04Loop', b'"\x84\x00Loop')  # the same number in two bytes: which a parser takes
    assert may_go_on(memoryview(longer)) and not may_go_on(memoryview(made.int8.SerializeToString()))


@pytest.mark.parametrize("content", [b"", b"\x08", b"nonsense", b"\x3a\xff\xff\xff\xff\x7f", b"\xff" * 30])
def test_bytes_that_are_no_message_are_refused_or_empty(content: bytes) -> None:
    try:
        require_whole(content, "m")
    except BundleError as error:
        assert "not an ONNX file" in str(error)
    else:
        assert content == b""


def test_a_name_that_stands_twice_among_many_is_found_at_once() -> None:
    """For each name a dictionary of all before it was made."""
    names = ",".join(f'"k{i}":0' for i in range(100_000))
    with pytest.raises(BundleError, match="the name 'k99999' stands twice in an object"):
        parsed(f'{{{names},"k99999":1}}'.encode(), "a.json", BundleError)


OTHER_MANIFESTS: dict[str, tuple[dict[str, Any], str]] = {
    "benign that is no class": (
        {"benign": ["Benign"]},
        "benign is .'Benign'., expected some of the classes, and not all",
    ),
    "all benign": ({"benign": ["benign", "sqli", "xss"]}, "expected some of the classes, and not all"),
    "a class that no text holds": ({"classes": ["benign", "\ud800", "x"]}, "not JSON .*surrogates"),
    "a name that no text holds": ({"versions": {"\udfff": "1"}}, "not JSON .*surrogates"),
    "hours for one event": (
        {"windowing": {"size": 16, "overlap": 14, "limit": 1 << 20}},
        "1048576 windows of 16 tokens, expected 1048576 tokens in all at most",
    ),
}


@pytest.mark.parametrize("name", OTHER_MANIFESTS)
def test_a_manifest_that_would_be_believed(name: str, place: Path) -> None:
    """Where benign was no class every event was an attack; a lone surrogate was a traceback of whatever wrote it."""
    change, message = OTHER_MANIFESTS[name]
    reseal(place, lambda data: data.update(change))
    with pytest.raises(BundleError, match=message):
        open_bundle(place)


@pytest.mark.parametrize("name", [MODEL, "tokenizer.json", MANIFEST])
def test_a_file_of_another_size_is_not_read(name: str, place: Path) -> None:
    """A reload of a bundle with 20 GB in the place of its model took them, and the service could not be ended."""
    os.truncate(place / name, 1 << 40)  # sparse, and larger than memory
    with pytest.raises(TamperedBundle, match=rf"{name}: (changed since|more than 16,777,216 bytes)"):
        open_bundle(place)
