"""One contract for every kind of teacher: names of classes, rows that are distributions, code that is not ours."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.distillation.teachers import cached_logits, default_directory, load_teacher
from overproof.distillation.teachers.contract import broken_rows, foreign, require_classes, tolerance
from overproof.errors import InputError, OverproofError
from overproof.events.schema import event_table
from overproof.events.spellings import near
from overproof.inference.cascade import FullDown
from overproof.jobs.full_model import reserve

CASES = Path(__file__).parents[2] / "cases"
TEXTS = ["GET /a?id=1' or 1=1--", "hello", "x" * 3000, ""]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["normal", "malicious", "malicious"], "the class 'malicious' stands twice"),
        (["Malicious", "malicious"], "'Malicious' and 'malicious' differ in case alone; expected one"),
        (["malicious", "malicious "], "differ in blanks alone"),
        (["port-scan", "Port_Scan"], "differ in case and hyphens or underscores alone"),
        (["\uff41ttack", "attack"], "differ in the width or form of characters alone"),
        (["0", "1", "1.0"], "'1' and '1.0' are one number"),
        (["malicious"], "1 class .malicious., expected two or more; a model of one output .a sigmoid"),
        ([], "0 classes, expected two"),
        (["normal", " "], "a class is named ' '"),
    ],
)
def test_names_that_are_no_classes(classes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_classes(classes, "teacher m")


@given(st.lists(st.text(st.sampled_from("aA bB-_")), max_size=6))
def test_what_passes_is_told_apart_by_its_letters(names: list[str]) -> None:
    try:
        require_classes(names, "teacher m")
    except InputError:
        return
    letters = ["".join(c for c in name.casefold() if c.isalnum() or c in "-_ ").split() for name in names]
    assert len(names) >= 2
    assert len({tuple(one) for one in letters}) == len(names)
    assert not near(names, names)


@pytest.mark.parametrize("label", ["Malicious", "malicious ", "MALICIOUS", "malicious\u00a0"])
def test_a_label_that_nearly_is_a_class_is_refused(label: str, tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,normal,malicious\na,0.9,0.1\n")
    with pytest.raises(InputError, match=r"soft\.csv: names '.*' and '.*' differ in (case|blanks) alone;"):
        load_teacher([f"labels:{tmp_path / 'soft.csv'}"], classes=["normal", label])


def test_a_name_twice_in_any_kind_of_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twice_named.py").write_text(
        "class Twice:\n    classes_ = ['a', 'b', 'b']\n    predict_proba = None\nit = Twice()\n"
        "class One(Twice):\n    classes_ = ['malicious']\none = One()\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="teacher twice_named:it: the class 'b' stands twice"):
        load_teacher(["twice_named:it"])
    with pytest.raises(InputError, match="expected two or more"):
        load_teacher(["twice_named:one"])


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("50-hf-multilabel/multilabel", "problem_type is 'multi_label_classification': .* independent"),
        ("52-hf-duplicate-id2label/dup-labels", "the class 'malicious' stands twice"),
    ],
)
def test_checkpoints_that_are_no_single_label_classifiers(checkpoint: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_teacher([str(CASES / checkpoint)])


@pytest.mark.parametrize("checkpoint", ["gpt2-nopad", "mpnet"])
def test_a_checkpoint_whose_model_raises_is_a_mistake_of_one_line(checkpoint: str) -> None:
    teacher = load_teacher([str(CASES / "54-hf-forward-raises" / checkpoint)])
    events = event_table({"text": [*TEXTS, "password zebra quux " * 20]})
    with pytest.raises(InputError, match=f"{checkpoint}: the model cannot judge .*: (IndexError|ValueError)") as raised:
        teacher.logits(events)
    assert "\n" not in str(raised.value)
    if checkpoint == "gpt2-nopad":  # it can judge no two events at all
        with pytest.raises(InputError, match=checkpoint):
            reserve(teacher)
        return
    with pytest.raises(FullDown, match=checkpoint):  # in reserve it is down for that event, and ends no run
        reserve(teacher).ask(events["text"].to_pylist())


def test_a_tokenizer_with_tokens_that_the_model_has_none_of() -> None:
    with pytest.raises(InputError, match=r"extravocab: its tokenizer has tokens up to 541, the model knows 500"):
        load_teacher([str(CASES / "54-hf-forward-raises" / "extravocab")])


SCRIPT = """
import sys
class P:
    classes_ = ['a', 'b']
    predict_proba = staticmethod(lambda texts: [[0.5, 0.5]] * len(texts))
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("p = P()\nsys.exit(0)\n", r"the module ended the program \(exit code 0\)"),
        ("exit()\n", r"the module ended the program \(exit code 0\)"),
        ("sys.exit('no data')\n", r"ended the program \(no data\)"),
        ("raise SystemExit(3)\n", r"ended the program \(exit code 3\)"),
        (
            "import argparse\nq = argparse.ArgumentParser()\nq.add_argument('--data', required=True)\nq.parse_args()\n",
            r"ended the program \(ends: error: the following arguments are required: --data\)",
        ),
        ("class Odd(BaseException): pass\nraise Odd('odd')\n", "cannot be opened: Odd: odd"),
        ("def p(): sys.exit(1)\n", r"ended the program \(exit code 1\)"),
        ("p = P()\nP.classes_ = 5\n", "cannot be opened: TypeError"),
        ("def f(): f()\nf()\n", "cannot be opened: RecursionError"),
        ("p = (\n", "cannot be opened: SyntaxError"),
        ("P.__getstate__ = lambda self: sys.exit(4)\np = P()\n", r"cannot be opened: it ended the program \(4\)"),
    ],
)
def test_a_module_that_ends_the_program(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ends.py").write_text(SCRIPT + code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "ends", raising=False)
    before = list(sys.argv)
    with pytest.raises(InputError, match=f"ends:p: .*{message}") as raised:
        load_teacher(["ends:p"])
    assert "\n" not in str(raised.value)
    assert sys.argv == before
    assert capsys.readouterr() == ("", "")  # its usage is part of the message, not beside it


def test_a_module_sees_no_options_of_ours_and_does_not_write_where_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import argparse, logging\nargparse.ArgumentParser().parse_args()\nprint('trained')\nlogging.basicConfig()\n"
    (tmp_path / "prints.py").write_text(SCRIPT + code + "p = P()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["overproof", "compress", "x.csv"])
    handlers = list(logging.root.handlers)
    logging.root.handlers.clear()
    try:
        assert load_teacher(["prints:p"]).classes == ("a", "b")
        logging.getLogger("later").warning("still heard")
    finally:
        logging.root.handlers[:] = handlers
    out, err = capsys.readouterr()
    assert out == ""
    assert "trained" in err and "still heard" in err


@pytest.mark.parametrize("ends", ["sys.exit(0)", "raise KeyError('x')", "return object()", "return [['a', 'b']]"])
def test_an_answer_that_is_none(ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: pa.Table) -> None:
    body = f"class Q(P):\n    def predict_proba(self, texts):\n        {ends}\nq = Q()\n"
    (tmp_path / "answers.py").write_text(SCRIPT + body)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "answers", raising=False)
    with pytest.raises(InputError, match="answers:q: predict_proba"):
        load_teacher(["answers:q"]).logits(events)


def test_ctrl_c_goes_on_and_so_does_our_own_word() -> None:
    for error in (KeyboardInterrupt(), MemoryError(), OverproofError("ours")):
        with pytest.raises(type(error)) as raised, foreign("m", "asked"):
            raise error
        assert raised.value is error


def test_rows_within_the_tolerance_are_distributions() -> None:
    rows = np.array([[0.5, 0.497], [0.515, 0.5], [0.5, 0.6], [-1e-8, 1], [-0.1, 1.1], [np.nan, 1], [np.inf, 0]])
    assert broken_rows(rows).tolist() == [2, 4, 5, 6]
    steps = np.rint(np.random.default_rng(0).dirichlet(np.ones(100), 500) * 256) / 256  # as INT8 leaves them
    assert np.abs(steps.sum(axis=1) - 1).max() > tolerance(2)
    assert not len(broken_rows(steps))


def test_without_a_home_nothing_is_cached_and_that_is_said(monkeypatch: pytest.MonkeyPatch, events: pa.Table) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(UserWarning, match="not cached: this user has no home directory; name a folder by --cache"):
        assert default_directory() is None


def test_numbers_of_another_shape_are_refused(fixed_teacher: type, events: pa.Table) -> None:
    teacher = fixed_teacher({text: (0.5, 0.5) for text in events["text"].to_pylist()}, classes=("a", "b", "c"))
    with pytest.raises(InputError, match=r"teacher fixed: it gave numbers of shape \(8, 2\), expected \(8, 3\)"):
        cached_logits(teacher, events, None)
