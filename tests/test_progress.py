"""Progress in a notebook, and its silence everywhere else; the notebook is a stand-in for IPython's display."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from overproof import progress
from overproof.progress import NOTEBOOK


class Shown:
    """What `IPython.display.display` was given, and how it was changed afterwards."""

    def __init__(self) -> None:
        self.pictures: list[dict[str, str]] = []

    def __call__(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Shown:
        assert raw and display_id
        return self.update(bundle, raw=raw)

    def update(self, bundle: dict[str, str], *, raw: bool) -> Shown:
        assert raw
        self.pictures.append(bundle)
        return self


def notebook(monkeypatch: pytest.MonkeyPatch, shell: Any) -> Shown:
    ipython, display, shown = ModuleType("IPython"), ModuleType("IPython.display"), Shown()
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display.display = shown  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_bar_grows_below_its_cell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = notebook(monkeypatch, SimpleNamespace(kernel=object()))
    monkeypatch.setattr(progress, "REDRAWN", 0.0)
    with NOTEBOOK.progress("events <b>\x1b[31m", 1200) as advance:
        advance(300)
        advance(900)
    NOTEBOOK.say("done\x1b[31m")
    first, some, *_, last = shown.pictures
    assert '<progress max="1200" value="0">' in first["text/html"] and "0 of 1,200" in first["text/plain"]
    assert '<progress max="1200" value="300">' in some["text/html"] and "s left" in some["text/plain"]
    assert "1,200 of 1,200" in last["text/plain"] and "left" not in last["text/plain"]
    assert all("<b>" not in one["text/html"] and "\x1b" not in "".join(one.values()) for one in shown.pictures)
    assert capsys.readouterr().err == "done\\x1b[31m\n"


def test_what_has_no_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = notebook(monkeypatch, SimpleNamespace(kernel=object()))
    with pytest.raises(ZeroDivisionError), NOTEBOOK.progress("events", 0) as advance:
        advance(7)
        raise ZeroDivisionError
    assert "<progress" not in shown.pictures[-1]["text/html"] and shown.pictures[-1]["text/plain"] == "events: 7, 0 s"


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["no shell", "IPython in a terminal"])
def test_elsewhere_nothing_is_said(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = notebook(monkeypatch, shell)
    with NOTEBOOK.progress("events", 10) as advance:
        advance(10)
    NOTEBOOK.say("done")
    assert not shown.pictures and capsys.readouterr() == ("", "")


def test_ipython_is_never_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with NOTEBOOK.progress("events", 10) as advance:
        advance(10)
    assert "IPython" not in sys.modules
