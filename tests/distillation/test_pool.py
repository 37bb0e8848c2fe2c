"""A pool of text repeats for the same seed and files, takes of every kind, and holds nothing of the run's events."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.distillation import pool as drawing
from overproof.distillation.limits import INSTALLED
from overproof.distillation.pool import Pool, PoolSource, draw_pool
from overproof.distillation.pool_choice import most_instructive
from overproof.errors import InputError
from overproof.events.split import template

WORDS = ["word" + "".join(letters) for letters in itertools.product("abcdefghijklm", repeat=3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Much Python, little SQL and markup, something of other scripts, and what is no text."""
    folder = tmp_path_factory.mktemp("text")
    draw = random.Random(0)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    for n in range(9):
        lines = (f"def {draw.choice(WORDS)}({draw.choice(WORDS)}): {draw.choice(WORDS)}" for _ in range(4000))
        (folder / f"module{n}.py").write_text("\n".join(lines))
    queries = (f"SELECT {draw.choice(WORDS)} FROM {draw.choice(WORDS)};" for _ in range(300))
    (folder / "deep" / "query.sql").write_text("\n".join(queries))
    (folder / "deep" / "er" / "page.HTML").write_text(
        "".join(f"<b id={draw.choice(WORDS)}>жук 漢字 🦊</b>" for _ in range(300))
    )
    (folder / "broken.txt").write_bytes(b"\xff\xfe nothing that decodes \xc3" * 500)
    (folder / "machine.bin").write_bytes(b"MZ\0\0 secret words of a program" * 500)
    (folder / "__pycache__" / "kept.py").write_text("cached = 'cached'\n" * 100)
    (folder / "empty.txt").write_text("")
    return folder


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return draw_pool(PoolSource([str(folder)]), 2000, seed=0)


def test_the_same_seed_and_files_give_the_same_pool(folder: Path, pool: Pool) -> None:
    again = draw_pool(PoolSource([str(folder)]), 2000, seed=0)
    other = draw_pool(PoolSource([str(folder)]), 2000, seed=1)
    assert again == pool and again.describe() == pool.describe()
    assert other.describe()["sha256"] != pool.describe()["sha256"]


def test_snippets_differ_have_their_length_and_are_of_the_files(folder: Path, pool: Pool) -> None:
    everything = {path.suffix.lower(): "" for path in folder.rglob("*.*")}
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in (".py", ".sql", ".HTML") and path.parent.name != "__pycache__":
            everything[path.suffix.lower()] += path.read_text() + "\0"
    assert len(pool.texts) == 2000 == len({template(text) for text in pool.texts})
    assert all(5 <= len(text) <= 200 for text in pool.texts)
    assert max(map(len, pool.texts)) > 180 and min(map(len, pool.texts)) < 10
    assert all(any(text in kind for kind in everything.values()) for text in pool.texts)


def test_a_common_kind_does_not_drown_the_others(folder: Path, pool: Pool) -> None:
    (kinds,) = pool.kinds.values()
    bytes_of = Counter[str]()
    for path in folder.rglob("*.*"):
        bytes_of[path.suffix.lower()] += path.stat().st_size
    assert set(kinds) == {".py", ".sql", ".html"} and sum(kinds.values()) == 2000
    assert bytes_of[".py"] > 80 * bytes_of[".sql"]
    assert 3 * kinds[".sql"] < kinds[".py"] < 20 * kinds[".sql"]


def test_some_look_like_lines_and_some_like_values(pool: Pool) -> None:
    words = sum(re.fullmatch(r"word\w+", text) is not None for text in pool.texts)
    lines = sum(re.fullmatch(r"(def word\w+\(word\w+\): word\w+|SELECT .*;)", text) is not None for text in pool.texts)
    torn = sum(re.match(r"ord|rd[a-m]|d[a-m]{3}", text) is not None for text in pool.texts)
    assert min(words, lines, torn) > 50


@given(text=st.text(max_size=400), start=st.integers(0, 20), how=st.sampled_from([0, 1, 2]), length=st.integers(5, 200))
def test_a_snippet_is_a_part_of_its_piece(text: str, start: int, how: int, length: int) -> None:
    raw = text.encode("utf-8", "replace").replace(b"\0", b" ")
    piece = drawing._decoded(raw[start:])
    assert piece in raw.decode()
    assert drawing._cut(piece, how, length) in piece
    assert len(drawing._cut(piece, how, length)) <= length


def test_nothing_is_of_the_runs_own_events(folder: Path, pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\n" + "\n".join(f"' or {n}={n}--,sqli" for n in range(900)))
    (tmp_path / "other.csv").write_text("\n".join(f"harmless {n}" for n in range(900)))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "test.csv")
    drawn = draw_pool(PoolSource([str(tmp_path)], [tmp_path / "test.csv"]), 300, seed=0)
    assert not any("'" in text or "sqli" in text for text in drawn.texts)

    taken = {text.upper() for text in pool.texts[:500]}
    without = draw_pool(PoolSource([str(folder)], (), taken), 2000, seed=0)
    assert not {template(text) for text in without.texts} & {template(text) for text in taken}


def test_every_place_gives_the_same_number(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "mine.txt"
    small.write_text(" ".join(f"mine{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(600)))
    drawn = draw_pool(PoolSource([str(folder), str(small)]), 401, seed=0)
    counts = {place: sum(kinds.values()) for place, kinds in drawn.kinds.items()}
    assert counts == {str(folder): 200, str(small): 201}
    assert sum("mine" in text or text in small.read_text() for text in drawn.texts) >= 201


def test_this_installation_has_text_of_many_kinds() -> None:
    drawn = draw_pool(PoolSource(), 3000, seed=0)
    assert len(drawn.texts) == 3000
    assert {".py", ".txt", ".json"} <= set(drawn.kinds[INSTALLED])
    assert drawn.kinds[INSTALLED][".py"] < 1500
    events = drawn.events()
    assert events["text"].to_pylist() == list(drawn.texts) and events["label"].null_count == 3000


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("just these few words")
    with pytest.raises(InputError, match=r"--pool 500: .*few\.txt gave only \d+ different snippets"):
        draw_pool(PoolSource([str(tmp_path / "few.txt")]), 500, seed=0)
    (tmp_path / "none.bin").write_bytes(bytes(1000))
    with pytest.raises(InputError, match="gave only 0 different"):
        draw_pool(PoolSource([str(tmp_path / "none.bin")]), 5, seed=0)
    with pytest.raises(InputError, match="--pool-from nowhere: no such file or folder"):
        draw_pool(PoolSource(["nowhere"]), 5, seed=0)


def test_what_teaches_most_is_kept_beside_random_ones() -> None:
    teacher = np.tile(np.array([9.0, 0.0], np.float32), (100, 1))
    baseline = teacher.copy()
    baseline[[3, 50]] = [0, 9]  # the linear model says the opposite
    teacher[70] = baseline[70] = 0  # both are unsure
    kept = most_instructive(teacher, baseline, 6, seed=0)
    assert {3, 50, 70} < set(kept.tolist()) and len(set(kept.tolist())) == 6
    assert kept.tolist() == sorted(kept.tolist()) == most_instructive(teacher, baseline, 6, seed=0).tolist()
    assert kept.tolist() != most_instructive(teacher, baseline, 6, seed=1).tolist()
    assert len(most_instructive(teacher, baseline, 500, seed=0)) == 100
