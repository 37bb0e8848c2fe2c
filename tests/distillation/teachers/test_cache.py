from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from overproof.distillation.teachers import cached_logits, default_directory
from overproof.distillation.teachers.average import average
from overproof.errors import InputError
from overproof.events.schema import event_table

EVENTS = event_table({"text": ["a", "b"]})
TABLE = {"a": (0.9, 0.1), "b": (0.2, 0.8), "ab": (0.5, 0.5), "": (0.5, 0.5)}


def test_the_second_run_asks_nothing(tmp_path: Path, fixed_teacher) -> None:
    teacher = fixed_teacher(TABLE)
    reported: list[int] = []
    first = cached_logits(teacher, EVENTS, tmp_path / "new", reported.append)
    second = cached_logits(teacher, EVENTS, tmp_path / "new", reported.append)
    assert teacher.asked == [2]
    assert reported == [2, 2]
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second)
    assert [p.suffix for p in (tmp_path / "new").iterdir()] == [".npy"]


@pytest.mark.parametrize("change", ["fingerprint", "classes", "texts", "order", "cut"])
def test_whatever_changes_an_answer_changes_the_key(change: str, tmp_path: Path, fixed_teacher) -> None:
    events: pa.Table = EVENTS
    cached_logits(fixed_teacher(TABLE), events, tmp_path)
    other = fixed_teacher(TABLE)
    if change == "fingerprint":
        other = fixed_teacher(TABLE, fingerprint="g")
    if change == "classes":
        other = fixed_teacher(TABLE, classes=("sqli", "benign"))
    if change == "texts":
        events = event_table({"text": ["a", "ab"]})
    if change == "order":
        events = event_table({"text": ["b", "a"]})
    if change == "cut":  # the same letters one after the other, cut elsewhere
        events = event_table({"text": ["ab", ""]})
    cached_logits(other, events, tmp_path)
    assert other.asked == [2]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_a_broken_cache_file_is_computed_anew(content: bytes, tmp_path: Path, fixed_teacher) -> None:
    teacher = fixed_teacher(TABLE)
    kept = cached_logits(teacher, EVENTS, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert np.array_equal(cached_logits(teacher, EVENTS, tmp_path), kept)
    assert np.array_equal(np.load(file), kept)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 3), np.float32), np.zeros((2, 2)), np.full((2, 2), np.nan, np.float32), np.array([{}, {}])],
    ids=["shape", "dtype", "nan", "pickle"],
)
def test_another_array_is_computed_anew(wrong: np.ndarray, tmp_path: Path, fixed_teacher) -> None:
    teacher = fixed_teacher(TABLE)
    cached_logits(teacher, EVENTS, tmp_path)
    (file,) = tmp_path.iterdir()
    np.save(file, wrong, allow_pickle=True)
    assert np.allclose(np.exp(cached_logits(teacher, EVENTS, tmp_path)), [TABLE["a"], TABLE["b"]])


def test_without_a_fingerprint_or_a_directory_nothing_is_kept(tmp_path: Path, fixed_teacher) -> None:
    nameless, named = fixed_teacher(TABLE, fingerprint=None), fixed_teacher(TABLE)
    for _ in range(2):
        cached_logits(nameless, EVENTS, tmp_path)
        cached_logits(named, EVENTS, None)
    assert nameless.asked == named.asked == [2, 2]
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_warns_and_goes_on(tmp_path: Path, fixed_teacher) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="not cached"):
        logits = cached_logits(fixed_teacher(TABLE), EVENTS, tmp_path / "file" / "cache")
    assert logits.shape == (2, 2)


def test_what_is_no_number_is_refused(tmp_path: Path, fixed_teacher) -> None:
    with pytest.raises(InputError, match="1 of 2 events got logits that are not finite, the first is event:2"):
        cached_logits(fixed_teacher({"a": (0.9, 0.1), "b": (0.2, np.nan)}), EVENTS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "overproof" / "teacher"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_directory() == Path.home() / ".cache" / "overproof" / "teacher"


def test_the_members_of_an_average_are_kept_one_by_one(tmp_path: Path, fixed_teacher) -> None:
    slow, quick, other = (
        fixed_teacher(TABLE),
        fixed_teacher(TABLE, fingerprint="g"),
        fixed_teacher(TABLE, fingerprint="h"),
    )
    uncached = average([slow, quick], [2, 1]).logits(EVENTS)
    slow.asked.clear()
    reported: list[int] = []
    first = cached_logits(average([slow, quick], [2, 1]), EVENTS, tmp_path, reported.append)
    assert np.array_equal(first, uncached) and first.dtype == np.float32
    assert sum(reported) == 2
    cached_logits(average([slow, other], [1, 1]), EVENTS, tmp_path)
    assert (slow.asked, other.asked) == ([2], [2])
