from __future__ import annotations

import locale
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from overproof.distillation.teachers import load_teacher
from overproof.errors import InputError
from overproof.events.schema import event_table

PIPELINE = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

def build():
    texts = ["hello world", "hello", "select 1 from users", "1 = 1 or 1 = 1", "alert 1"]
    labels = ["benign", "benign", "sqli", "sqli", "xss"]
    return make_pipeline(TfidfVectorizer(analyzer="char"), LogisticRegression()).fit(texts, labels)

fitted = build()
unfitted = make_pipeline(TfidfVectorizer(), LogisticRegression())

class Rule:
    classes_ = ["benign", "sqli"]
    def __init__(self, rows=None, value=0.5):
        self.rows, self.value = rows, value
    def predict_proba(self, texts):
        if self.value == "raise":
            raise RuntimeError("the black box is asleep")
        return [[self.value, 1 - self.value] for _ in range(self.rows or len(texts))]

rule = Rule()
short = Rule(rows=1)
asleep = Rule(value="raise")
wrong = Rule(value=3.0)

class Locked(Rule):
    def __reduce__(self):
        raise TypeError("cannot pickle")

locked = Locked()

def broken():
    raise ValueError("no licence file")

def needs(path):
    return path
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module in the current directory with a name of its own, as imports are remembered."""
    name = f"predictors_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    return name


@pytest.mark.parametrize("attribute", ["fitted", "build"])
def test_a_pipeline_or_a_function_that_gives_one(attribute: str, module: str, events: pa.Table) -> None:
    texts = ["hello world", "hello", "select 1 from users", "1 = 1 or 1 = 1", "alert 1"]
    labels = ["benign", "benign", "sqli", "sqli", "xss"]
    same = make_pipeline(TfidfVectorizer(analyzer="char"), LogisticRegression()).fit(texts, labels)
    before = list(sys.path)
    reported: list[int] = []
    teacher = load_teacher([f"{module}:{attribute}"], classes=None)
    logits = teacher.logits(events, reported.append)
    assert teacher.classes == ("benign", "sqli", "xss")
    assert np.allclose(np.exp(logits), same.predict_proba(events.column("text").to_pylist()), atol=1e-6)
    assert logits.dtype == np.float32
    assert sum(reported) == events.num_rows
    assert teacher.labels_new_events
    assert teacher.card.parameters == same[-1].coef_.size + 3
    assert sys.path == before


def test_the_fingerprint_follows_state_and_source(module: str, tmp_path: Path) -> None:
    first = load_teacher([f"{module}:rule"], classes=None).card.fingerprint
    assert first == load_teacher([f"{module}:rule"], classes=None).card.fingerprint
    assert first != load_teacher([f"{module}:short"], classes=None).card.fingerprint
    source = tmp_path / f"{module}.py"
    source.write_text(source.read_text() + "\n# another rule\n")
    assert first != load_teacher([f"{module}:rule"], classes=None).card.fingerprint


def test_what_cannot_be_pickled_is_not_cached(module: str) -> None:
    card = load_teacher([f"{module}:locked"], classes=None).card
    assert card.fingerprint is None
    assert card.bytes is None


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("absent", "absent"),
        ("Rule.absent", "absent"),
        ("broken", "ValueError: no licence file"),
        ("needs", "missing 1 required positional argument"),
        ("unfitted", "classes_"),
        ("Rule.__doc__", "predict_proba"),
    ],
)
def test_what_cannot_be_opened(attribute: str, message: str, module: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        load_teacher([f"{module}:{attribute}"], classes=None)
    assert f"{module}:{attribute}" in str(raised.value)


def test_no_such_module() -> None:
    with pytest.raises(InputError, match="No module named 'no_such_module'"):
        load_teacher(["no_such_module:x"], classes=None)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("short", r"shape \(1, 2\), expected \(8, 2\)"),
        ("asleep", "RuntimeError: the black box is asleep"),
        ("wrong", "no probabilities"),
    ],
)
def test_answers_that_are_no_probabilities(attribute: str, message: str, module: str, events: pa.Table) -> None:
    with pytest.raises(InputError, match=message):
        load_teacher([f"{module}:{attribute}"], classes=None).logits(events)


ODD = """
import os, signal, sys
{top}
class Rule:
    classes_ = {classes}
    def predict_proba(self, texts):
        {body}
        return [[0.5, 0.5] for _ in texts]
rule = Rule()
"""


def odd(folder: Path, name: str, *, top: str = "", body: str = "pass", classes: str = "['benign', 'sqli']") -> str:
    (folder / f"{name}.py").write_text(ODD.format(top=top, body=body, classes=classes))
    return f"{name}:rule"


@pytest.mark.parametrize(
    "statement", ["os._exit(0)", "raise SystemExit(0)", "raise GeneratorExit", "raise StopIteration"]
)
def test_whatever_ends_it_is_a_mistake_of_one_line(
    statement: str, module: str, tmp_path: Path, events: pa.Table
) -> None:
    with pytest.raises(InputError, match=f"{module}_a:rule: "):
        load_teacher([odd(tmp_path, f"{module}_a", top=statement)])
    teacher = load_teacher([odd(tmp_path, f"{module}_b", body=statement)])
    with pytest.raises(InputError, match=f"{module}_b:rule: predict_proba: ") as raised:
        teacher.logits(events)
    assert "\n" not in str(raised.value)


def test_what_it_switches_off_is_switched_on_again(module: str, tmp_path: Path, events: pa.Table) -> None:
    torch = pytest.importorskip("torch")
    statements = (
        "import torch; torch.set_grad_enabled(False); torch.set_default_dtype(torch.float64); "
        "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    )
    before = signal.getsignal(signal.SIGINT)
    load_teacher([odd(tmp_path, module, top=statements, body=statements.rpartition("; ")[0])]).logits(events)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() is torch.float32
    assert signal.getsignal(signal.SIGINT) is before


def test_it_may_empty_the_list_that_it_is_given(module: str, tmp_path: Path, events: pa.Table) -> None:
    body = "rows = [[0.5, 0.5] for _ in texts]; texts.clear(); return rows"
    teacher = load_teacher([odd(tmp_path, module, body=body)])
    assert teacher.logits(events).shape == (events.num_rows, 2)


def test_a_class_name_that_no_file_can_hold(module: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text in UTF-8"):
        load_teacher([odd(tmp_path, module, classes=r"['benign', '\ud800']")])


class Restless:
    """Changes whatever a process has one of."""

    classes_ = ("benign", "sqli")

    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        os.umask(0o777)
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return [[1.0, 0.0]] * len(texts)


def test_what_a_process_has_one_of_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdicts became a file that nobody may read, and SIGTERM did not end the run."""
    monkeypatch.setattr(sys.modules[__name__], "restless", Restless(), raising=False)
    before = os.umask(0o022)
    os.umask(before)
    ours = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    language = locale.setlocale(locale.LC_ALL)
    load_teacher([f"{__name__}:restless"]).logits(event_table({"text": ["a"]}))
    after = os.umask(before)
    assert after == before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == ours
    assert locale.setlocale(locale.LC_ALL) == language


class Frame(np.ndarray):
    """Numbers whose columns have names, as of a data frame."""

    columns = ("sqli", "benign")


def test_columns_that_are_named_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were taken in the order of `classes_`: attacks became benign."""

    class Named:
        classes_ = ("benign", "sqli")

        def predict_proba(self, texts: list[str]) -> np.ndarray:
            return np.tile([0.1, 0.9], (len(texts), 1)).view(Frame)

    monkeypatch.setattr(sys.modules[__name__], "named", Named(), raising=False)
    with pytest.raises(
        InputError, match="names its columns sqli, benign, classes_ are benign, sqli; expected one order"
    ):
        load_teacher([f"{__name__}:named"]).logits(event_table({"text": ["a"]}))
