"""The documents: what they point at is there, and the code of the how-to pages does what they say."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_loader
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from overproof.events.sources import FORMATS, Rejects, load_events
from overproof.inference.sinks import About
from overproof.inference.sinks.lines import line_sink

BLOCK = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
LINK = re.compile(r'\]\(([^)#\s]+)(?:#[^)]*)?\)|src="([^"]+)"')


def blocks(root: Path, page: str) -> list[tuple[str, str]]:
    """The titled blocks of code of a page, in order: file and code."""
    return BLOCK.findall((root / "docs" / page).read_text())


@pytest.fixture
def modules(root: Path) -> Iterator[Any]:
    """Import the blocks of a page as the modules that their titles name; they are forgotten after the test."""
    added: list[str] = []

    def load(page: str) -> dict[str, ModuleType]:
        found = {}
        for title, code in blocks(root, page):
            assert title.endswith(".py")
            name = title.removeprefix("src/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            module = module_from_spec(spec_from_loader(name, loader=None, is_package=title.endswith("__init__.py")))
            sys.modules[name] = found[name.rpartition(".")[2]] = module
            added.append(name)
            exec(compile(code, title, "exec"), module.__dict__)
        return found

    yield load
    for name in added:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "containers/README.md"])
def test_what_a_page_outside_the_site_links_to_is_there(root: Path, page: str) -> None:
    targets = [a or b for a, b in LINK.findall((root / page).read_text())]
    here = (root / page).parent
    assert [t for t in targets if not t.startswith("https://") and not (here / t).exists()] == []


def test_the_navigation_has_every_page_once_and_every_picture_is_there(root: Path) -> None:
    def pages(entry: Any) -> Iterator[str]:
        for value in entry.values() if isinstance(entry, dict) else entry:
            if isinstance(value, str):
                yield value
            else:
                yield from pages(value)

    docs = root / "docs"
    listed = list(pages(yaml.safe_load((root / "mkdocs.yml").read_text())["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(docs)) for path in docs.rglob("*.md"))
    for page in docs.rglob("*.md"):
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / picture).is_file(), (page, picture)


def test_every_decision_is_in_the_list(root: Path) -> None:
    places = root / "docs" / "decisions"
    index = (places / "index.md").read_text()
    assert [path.name for path in sorted(places.glob("[0-9]*.md")) if f"({path.name})" not in index] == []


def test_the_code_of_add_a_check(modules: Any) -> None:
    from overproof.checks.base import FULL, QUANTIZED, CheckContext, Gate, ModelOutputs, Sample

    found = modules("how-to/add-a-check.md")
    check = found["long_events"].CHECK
    texts = ["x" * (1 + row % 100) for row in range(1000)]
    blank = [None] * len(texts)
    labels = ["sqli" if row % 2 else "benign" for row in range(len(texts))]
    sample = Sample(texts, [f"a:{row}" for row in range(len(texts))], labels, blank, blank, blank)
    attack = np.array([label == "sqli" for label in labels])
    full = np.stack([~attack, attack], axis=1).astype(np.float32) * 4
    student = full.copy()
    student[99] = (4, 0)  # one of the longest attacks
    models = {FULL: ModelOutputs(full), QUANTIZED: ModelOutputs(student)}
    context = CheckContext(sample, ("benign", "sqli"), ("benign",), models, {"long-events/lost": Gate(0.01)}, 0.005)
    result = check.compute(context)
    assert (result.data.lost.k, result.gates[0].key, result.status) == (1, "long-events/lost", "unmeasured")
    assert result.data.lost.n == sum(len(texts[row]) >= result.data.characters for row in range(1, 1000, 2))
    assert check.from_json(result.to_json()) == result
    assert "characters or more" in check.html(result.data)
    alone = CheckContext(sample, ("benign", "sqli"), ("benign",), {QUANTIZED: ModelOutputs(student)}, context.gates, 0)
    without = check.compute(alone)
    assert without.status == "unmeasured"
    assert check.from_json(without.to_json()) == without
    assert check.html(without.data)
    benign = replace(sample, labels=["benign"] * len(texts))
    assert (
        check.compute(replace(context, sample=benign)).data.lost.unmeasured == "the full model detects no long attack"
    )


def test_the_code_of_add_a_source(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = modules("how-to/add-a-source.md")["keyvalue"]
    monkeypatch.setitem(FORMATS, "keyvalue", found.read_keyvalue)
    good = b'date=2026-01-02 src=192.0.2.7 dst=198.51.100.9 dport=443 action="deny" proto=tcp'
    (tmp_path / "fw.log").write_bytes(good + b"\nnothing of the kind\n")
    rejects = Rejects(tmp_path / "rejects.jsonl")
    table = load_events([tmp_path / "fw.log"], format="keyvalue", rejects=rejects)
    assert table["text"].to_pylist() == ["action=deny proto=tcp dst=198.51.100.9 dport=443"]
    assert table["src_ip"].to_pylist() == ["192.0.2.7"]
    assert dict(rejects.summary()) == {"not a line of key=value pairs": 1}
    assert (found.looks_like(good), found.looks_like(b"nothing")) == (True, False)


def test_the_code_of_add_a_sink(modules: Any) -> None:
    brief = modules("how-to/add-a-sink.md")["brief"].brief
    out = BytesIO()
    verdict = {
        "origin": "access.log:17",
        "source": "access",
        "time": "2026-01-02T03:04:05+00:00",
        "label": "sqli",
        "attack": 0.98,
        "status": "decided",
        "decided_by": "student",
        "reason": "confidence 0.97 ≥ 0.9",
        "student": {"label": "sqli", "attack": 0.98, "confidence": 0.97, "probabilities": {}},
        "full": None,
        "models": {"student": "0123456789abcdef", "full": None},
    }
    line_sink(".brief.jsonl", brief).stream(out, About("1", ("benign",), {})).write([verdict])
    assert b'"severity":4' in out.getvalue()
    assert b'"time_ms":1767323045000' in out.getvalue()
    assert b'"where":"access.log:17"' in out.getvalue()


def test_the_code_of_bring_a_teacher(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overproof.distillation.teachers import load_teacher
    from overproof.events.schema import event_table

    ((title, code),) = blocks(root, "how-to/bring-a-teacher.md")
    (tmp_path / title).write_text(code)
    monkeypatch.chdir(tmp_path)
    teacher = load_teacher([f"{title.removesuffix('.py')}:teacher"])
    monkeypatch.delitem(sys.modules, title.removesuffix(".py"))
    logits = teacher.logits(event_table({"text": ["a' or 1=1 --", "blue shoes"]}))
    assert teacher.classes == ("benign", "sqli")
    assert logits.argmax(axis=1).tolist() == [1, 0]
