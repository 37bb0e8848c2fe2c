"""A run that is killed anywhere and taken up again loses nothing and writes nothing twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from overproof.errors import InputError
from overproof.inference.sinks import SINKS, About, Writer

Verdicts = Callable[[int], list[dict[str, Any]]]
BATCHES, BATCH = 3, 3
FORMS = [form for form in SINKS if form != "table"]  # of which not every row says where the event was read


class Killed(BaseException):
    """What no code in the sinks catches."""


def origins(path: Path) -> list[str]:
    """Where the events of a finished file were read."""
    if path.suffix == ".parquet":
        return pq.read_table(path)["origin"].to_pylist()  # type: ignore[no-any-return]
    told = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [(v.get("unmapped") or v.get("overproof") or v)["origin"] for v in told]


def run(
    form: str,
    about: About,
    everything: list[dict[str, Any]],
    folder: Path,
    journal: dict[str, int],
    opened: list[Writer] | None = None,
) -> Path:
    """What the triage loop does: go on from the journal, flush and remember after every other batch."""
    sink = SINKS[form]
    out, aside = folder / f"verdicts{sink.extension}", folder / ".verdicts.part"
    if journal and not sink.holds(aside, journal["offset"]):
        journal.clear()
    begin = journal.get("events", 0)
    writer = sink.open(aside, journal.get("offset", 0), about)
    if opened is not None:
        opened.append(writer)
    for number, start in enumerate(range(begin, len(everything), BATCH)):
        writer.write(everything[start : start + BATCH])
        if number % 2:
            offset = writer.flush()
            journal.update(events=start + BATCH, offset=offset)
    writer.finish(out)
    journal.clear()
    return out


@pytest.mark.parametrize("form", FORMS)
def test_a_run_without_a_break(form: str, about: About, verdicts: Verdicts, tmp_path: Path) -> None:
    everything = verdicts(BATCH * BATCHES + 2)
    out = run(form, about, everything, tmp_path, {})
    assert origins(out) == [verdict["origin"] for verdict in everything]
    assert os.listdir(tmp_path) == [out.name]
    assert origins(run(form, about, everything[:1], tmp_path, {})) == ["access.log:1"]  # an older file is replaced
    assert origins(run(form, about, [], tmp_path, {})) == []


SYSTEM_CALLS = ("fsync", "replace", "rename", "open", "unlink", "mkdir", "rmdir", "truncate")


@pytest.mark.parametrize("form", FORMS)
def test_a_run_killed_before_any_system_call(
    form: str, about: About, verdicts: Verdicts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the n-th call that changes what is on the disk, for every n, and once more on the way again."""
    everything = verdicts(BATCH * BATCHES + 2)
    expected = [verdict["origin"] for verdict in everything]
    for n in count(1):
        folder = tmp_path / str(n)
        folder.mkdir()
        journal: dict[str, int] = {}
        # A killed process writes nothing any more: its writers are kept, so that none writes what it still holds.
        opened: list[Writer] = []
        work = partial(run, form, about, everything, folder, journal, opened)
        killed = [killed_after(n, monkeypatch, work) for _ in range(2)]
        out = work()
        assert origins(out) == expected, f"killed before call {n}"
        assert [name for name in os.listdir(folder) if not name.endswith(".old")] == [out.name]
        for writer in opened:
            writer.close()
        if not any(killed):
            break
    assert n > 5


def killed_after(n: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> bool:
    """Whether the work was killed before its n-th system call."""
    left = n

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return call(*args, **named)

        return counted

    with monkeypatch.context() as patch:
        for name in SYSTEM_CALLS:
            patch.setattr(os, name, counting(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "ecs"])
@pytest.mark.parametrize("torn", range(0, 40, 7))
def test_lines_after_the_last_flush_are_cut_off(
    form: str, torn: int, about: About, verdicts: Verdicts, tmp_path: Path
) -> None:
    everything = verdicts(10)
    aside = tmp_path / "aside"
    writer = SINKS[form].open(aside, 0, about)
    writer.write(everything[:4])
    offset = writer.flush()
    writer.write(everything[4:8])
    writer.close()
    os.truncate(aside, offset + torn)  # the last line is torn, or only just begun
    writer = SINKS[form].open(aside, offset, about)
    writer.write(everything[4:])
    writer.finish(tmp_path / "out.jsonl")
    assert origins(tmp_path / "out.jsonl") == [verdict["origin"] for verdict in everything]


def test_a_torn_part_is_removed(about: About, verdicts: Verdicts, tmp_path: Path) -> None:
    everything = verdicts(10)
    aside = tmp_path / "aside"
    writer = SINKS["parquet"].open(aside, 0, about)
    writer.write(everything[:4])
    offset = writer.flush()
    assert writer.flush() == offset == 1  # nothing new, no new part
    (aside / "part-000001.parquet").write_bytes((aside / "part-000000.parquet").read_bytes()[:100])
    (aside / ".part-000002.parquet.torn").write_bytes(b"PAR1")
    writer = SINKS["parquet"].open(aside, offset, about)
    assert os.listdir(aside) == ["part-000000.parquet"]
    writer.write(everything[4:])
    writer.finish(tmp_path / "out.parquet")
    assert origins(tmp_path / "out.parquet") == [verdict["origin"] for verdict in everything]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_lost_is_not_taken_up(form: str, about: About, verdicts: Verdicts, tmp_path: Path) -> None:
    sink, aside = SINKS[form], tmp_path / "aside"
    assert sink.holds(aside, 0)
    writer = sink.open(aside, 0, about)
    writer.write(verdicts(4))
    offset = writer.flush()
    writer.close()
    assert sink.holds(aside, offset)
    assert not sink.holds(aside, offset + 1)
    part = aside / "part-000000.parquet" if form == "parquet" else aside
    os.truncate(part, part.stat().st_size - 1)
    assert not sink.holds(aside, offset)
    with pytest.raises(InputError, match="aside: "):
        sink.open(aside, offset, about)
    writer = sink.open(aside, 0, about)  # but it can begin anew
    writer.finish(tmp_path / "out")
    assert not sink.holds(aside, offset)


def test_a_run_in_another_form_takes_the_place_of_one_that_was_broken_off(about: About, tmp_path: Path) -> None:
    for form in ("jsonl", "parquet", "jsonl"):
        writer = SINKS[form].open(tmp_path / "aside", 0, about)
        writer.write([])
        writer.flush()
        writer.close()
