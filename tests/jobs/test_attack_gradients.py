"""`--search gradient`: spent on every model by its own weights, repeatable; what it cannot follow is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import overproof
from overproof.bundle.manifest import open_bundle, write_bundle
from overproof.errors import InputError, MissingExtra
from overproof.events.schema import event_table
from overproof.jobs.attack import JOURNAL
from overproof.redteam.campaign import Campaign

if TYPE_CHECKING:
    import pyarrow as pa

    from ..conftest import Made


@pytest.fixture(scope="module")
def bundle(small_bundle: Path, made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle, as `compress` writes one: its manifest holds the sizes of its network."""
    from overproof.distillation.students.presets import config_json

    opened, out = open_bundle(small_bundle), tmp_path_factory.mktemp("gradients") / "bundle"
    sizes = {"parameters": 1, **config_json(made.network.config)}
    write_bundle(out, replace(opened.manifest, network=sizes), dict(opened.files))
    return out


@pytest.fixture(scope="module")
def events(bundle: Path) -> pa.Table:
    scorer = overproof.open(bundle)
    texts = [text for text in (f"{n}' or {n}={n}--" for n in range(60)) if scorer.judge([text])[0].attack > 0.5]
    assert len(texts) > 10
    return event_table({"text": texts, "label": ["sqli"] * len(texts)})


def attacked(bundle: Path, events: pa.Table, **options: Any) -> Any:
    given = {"objectives": ["blind-spot"], "searches": ["gradient", "random"], "budget": 8, "sample": 6}
    return overproof.attack(bundle, events, **{**given, **options})


def test_it_fells_more_than_edits_at_random_with_as_many_queries(bundle: Path, events: pa.Table) -> None:
    report = attacked(bundle, events)
    by_gradient, at_random = report.rows
    assert (by_gradient.search, at_random.search) == ("gradient", "random")
    assert by_gradient.at["8"].value > at_random.at["8"].value


def test_the_same_seed_finds_the_same_and_a_run_that_was_cut_off_goes_on(
    bundle: Path, events: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.attack.WAVE", 3)
    expected, whole, ran = attacked(bundle, events, budget=3), Campaign.run, []

    def counted(campaign: Campaign, targets: Any) -> Any:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(campaign.search)
        return whole(campaign, targets)

    monkeypatch.setattr(Campaign, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        attacked(bundle, events, budget=3, out=tmp_path)
    assert ran == ["gradient", "gradient"] and (tmp_path / JOURNAL).exists()
    monkeypatch.setattr(Campaign, "run", whole)
    assert attacked(bundle, events, budget=3, out=tmp_path) == expected


def test_a_network_that_is_not_known_is_refused(small_bundle: Path, events: pa.Table) -> None:
    with pytest.raises(InputError, match=r"--search gradient: .*cannot be differentiated.*`overproof compress` made"):
        attacked(small_bundle, events)


def test_two_students_are_refused(tiered_bundle: Path, events: pa.Table) -> None:
    with pytest.raises(InputError, match=r"--search gradient: .* holds two students; expected a bundle of one"):
        attacked(tiered_bundle, events)


def test_what_is_not_installed_is_named(bundle: Path, events: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "overproof.distillation.input_gradients", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"--search gradient needs the package torch: .*overproof\[compress\]"):
        attacked(bundle, events)
    assert attacked(bundle, events, searches=["random"], budget=1).rows
